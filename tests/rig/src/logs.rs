//! The log lines of a test's own thread.
//!
//! One subscriber for the process, which collects by thread: a subscriber per test would lose lines whose call site another thread had
//! registered first.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Once;

use tracing::Event;
use tracing::field::{Field, Visit};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};
use tracing_subscriber::registry::Registry;

/// Fields by name, the message among them.
pub type Line = BTreeMap<String, String>;

thread_local! {
    static LINES: RefCell<Vec<Line>> = const { RefCell::new(Vec::new()) };
}

/// Starts to collect the lines of this thread. A test runs on one thread, its runtime included.
pub fn collect() {
    static SET: Once = Once::new();
    SET.call_once(|| tracing::subscriber::set_global_default(Registry::default().with(Notes)).unwrap());
    LINES.with_borrow_mut(Vec::clear);
}

/// The lines of this event, without the prefix that all of the guide's events have.
pub fn of(event: &str) -> Vec<Line> {
    let event = format!("playbook_executor.{event}");
    let is_it = |line: &&Line| line.get("event") == Some(&event);
    LINES.with_borrow(|lines| lines.iter().filter(is_it).cloned().collect())
}

/// The line has the fields that every line of an attempt has.
#[track_caller]
pub fn assert_common_fields(line: &Line, action: &str) {
    for (name, value) in [
        ("run_id", "run-1"),
        ("incident_id", "INC-1"),
        ("playbook", "ticket_timeout_recovery"),
        ("step", "heal"),
        ("action", action),
        ("attempt", "1"),
    ] {
        assert_eq!(line.get(name).map(String::as_str), Some(value), "{name} in {line:?}");
    }
}

struct Notes;

impl<S: tracing::Subscriber> Layer<S> for Notes {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut fields = Fields(Line::new());
        event.record(&mut fields);
        LINES.with_borrow_mut(|lines| lines.push(fields.0));
    }
}

struct Fields(Line);

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name().to_owned(), value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.insert(field.name().to_owned(), format!("{value:?}"));
    }
}
