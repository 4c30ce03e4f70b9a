//! Contract suites: one suite per port, one case per claim of the port's documentation, run over every backend alike.
//!
//! A backend's tests name a suite and how to make a fresh, empty backend:
//!
//! ```text
//! async fn empty() -> Fixture<dyn RunStore> { ... }
//! heal_testkit::run_store_contract!(empty().await);
//! ```
//!
//! This makes one `#[tokio::test]` per case, under the same name for the fakes, SQLite and DynamoDB.
//! [`agreement`] goes further: it makes the same random calls to two backends and compares every answer.

// A case is a test: it stops at the first failure, and its name is its documentation.
#![allow(missing_docs)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::missing_panics_doc)]

pub mod agreement;
pub mod autonomy;
pub mod breaker;
pub mod checks;
pub mod claims;
pub mod queue;
pub mod runs;
pub(crate) mod sample;
pub mod settlement;
pub mod switches;

use std::any::Any;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use heal_runtime::port::{Receiver, Sender};

use crate::memory::ManualClock;

/// Both ends of a backend's queues.
pub trait Queues: Sender + Receiver {}

impl<T: Sender + Receiver + ?Sized> Queues for T {}

/// A fresh, empty backend, and its clock.
pub struct Fixture<P: ?Sized> {
    pub port: Arc<P>,
    pub clock: Arc<ManualClock>,
    keep: Vec<Box<dyn Any + Send + Sync>>,
}

impl<P: ?Sized> Fixture<P> {
    pub fn new(port: Arc<P>, clock: Arc<ManualClock>) -> Self {
        Self { port, clock, keep: Vec::new() }
    }

    /// Keeps `thing`, such as a temporary folder, while the case runs.
    #[must_use]
    pub fn keeping(mut self, thing: impl Any + Send + Sync) -> Self {
        self.keep.push(Box::new(thing));
        self
    }
}

impl<P: ?Sized> Deref for Fixture<P> {
    type Target = P;

    fn deref(&self) -> &P {
        &self.port
    }
}

impl<P: ?Sized> fmt::Debug for Fixture<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fixture").field("clock", &self.clock).field("keep", &self.keep.len()).finish_non_exhaustive()
    }
}

/// Runs `tasks` concurrently and returns their answers in order.
///
/// # Panics
/// If a task panics.
async fn at_once<T: Send + 'static>(
    tasks: impl IntoIterator<Item = impl Future<Output = T> + Send + 'static>,
) -> Vec<T> {
    let running: Vec<_> = tasks.into_iter().map(tokio::spawn).collect();
    let mut answers = Vec::with_capacity(running.len());
    for task in running {
        answers.push(task.await.expect("a task of the case"));
    }
    answers
}

/// One test per case of one suite. Use the suites' own macros.
#[macro_export]
macro_rules! contract_suite {
    ($fixture:expr, $suite:ident, [$($case:ident),+ $(,)?]) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                $crate::contract::$suite::$case($fixture).await;
            }
        )+
    };
}
