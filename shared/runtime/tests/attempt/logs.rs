//! The log lines of a test's own thread.
//!
//! One subscriber for the process, which collects by thread: a subscriber per test would lose lines whose call site another thread had
//! registered first.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Once;

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// Fields by name, the message among them.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Line(BTreeMap<String, String>);

thread_local! {
    static LINES: RefCell<Vec<Line>> = const { RefCell::new(Vec::new()) };
}

/// Starts to collect the lines of this thread. A test runs on one thread, its runtime included.
pub(super) fn collect() {
    static SET: Once = Once::new();
    SET.call_once(|| tracing::subscriber::set_global_default(Notes).unwrap());
    LINES.with_borrow_mut(Vec::clear);
}

/// The lines whose `field` is `value`.
pub(super) fn with(field: &str, value: &str) -> Vec<Line> {
    let is_it = |line: &&Line| line.get(field) == Some(value);
    LINES.with_borrow(|lines| lines.iter().filter(is_it).cloned().collect())
}

impl Line {
    pub(super) fn get(&self, field: &str) -> Option<&str> {
        self.0.get(field).map(String::as_str)
    }
}

impl Visit for Line {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name().to_owned(), value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.insert(field.name().to_owned(), format!("{value:?}"));
    }
}

struct Notes;

impl Subscriber for Notes {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line::default();
        event.record(&mut line);
        LINES.with_borrow_mut(|lines| lines.push(line));
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}
