//! Names of the spans that a test creates.
//!
//! One subscriber per process records by thread: a subscriber per test would lose spans whose call site another thread registered
//! first.

use std::cell::RefCell;
use std::sync::Once;

use tracing::span::{Attributes, Id};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::Registry;

thread_local! {
    static NAMES: RefCell<Vec<&'static str>> = const { RefCell::new(Vec::new()) };
}

/// Starts recording the spans of this thread. A test and its runtime share one thread.
pub(crate) fn collect() {
    static SET: Once = Once::new();
    SET.call_once(|| tracing::subscriber::set_global_default(Registry::default().with(Recorder)).unwrap());
    NAMES.with_borrow_mut(Vec::clear);
}

pub(crate) fn names() -> Vec<&'static str> {
    NAMES.with_borrow(Clone::clone)
}

struct Recorder;

impl<S: tracing::Subscriber> Layer<S> for Recorder {
    fn on_new_span(&self, attributes: &Attributes<'_>, _id: &Id, _context: Context<'_, S>) {
        NAMES.with_borrow_mut(|names| names.push(attributes.metadata().name()));
    }
}
