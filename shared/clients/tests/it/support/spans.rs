//! Names of the spans that a test made.
//!
//! One subscriber for the process, which notes by thread: a subscriber for each test would lose spans whose call site another
//! thread met first.

use std::cell::RefCell;
use std::sync::Once;

use tracing::span::{Attributes, Id};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::Registry;

thread_local! {
    static NAMES: RefCell<Vec<&'static str>> = const { RefCell::new(Vec::new()) };
}

/// Starts to note the spans of this thread. A test runs on one thread, its runtime included.
pub(crate) fn collect() {
    static SET: Once = Once::new();
    SET.call_once(|| tracing::subscriber::set_global_default(Registry::default().with(Notes)).unwrap());
    NAMES.with_borrow_mut(Vec::clear);
}

pub(crate) fn names() -> Vec<&'static str> {
    NAMES.with_borrow(Clone::clone)
}

struct Notes;

impl<S: tracing::Subscriber> Layer<S> for Notes {
    fn on_new_span(&self, attributes: &Attributes<'_>, _id: &Id, _context: Context<'_, S>) {
        NAMES.with_borrow_mut(|names| names.push(attributes.metadata().name()));
    }
}
