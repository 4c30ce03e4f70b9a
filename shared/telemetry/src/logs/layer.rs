//! The layer that turns events into lines.

use std::io::Write as _;

use serde_json::{Map, Value};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::{Context, Layer};
use tracing_subscriber::registry::LookupSpan;

use super::fields::Fields;
use super::{Format, line};

/// Writes one line per event, with the fields of its enclosing spans.
#[derive(Debug)]
pub struct Lines<W> {
    format: Format,
    writer: W,
}

impl<W: for<'w> MakeWriter<'w>> Lines<W> {
    /// Lines in `format`, written to `writer`.
    pub const fn new(format: Format, writer: W) -> Self {
        Self { format, writer }
    }
}

impl<S, W> Layer<S> for Lines<W>
where
    S: Subscriber + for<'s> LookupSpan<'s>,
    W: for<'w> MakeWriter<'w> + 'static,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        span.extensions_mut().insert(fields);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        if let Some(fields) = span.extensions_mut().get_mut::<Fields>() {
            values.record(fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut fields = Map::new();
        for span in context.event_scope(event).into_iter().flat_map(tracing_subscriber::registry::Scope::from_root) {
            if let Some(Fields(span_fields)) = span.extensions().get::<Fields>() {
                fields.extend(span_fields.clone());
            }
        }
        let mut own = Fields::default();
        event.record(&mut own);
        fields.extend(own.0);
        let message = match fields.remove("message") {
            Some(Value::String(text)) => text,
            Some(other) => other.to_string(),
            None => String::new(),
        };
        let line = line::write(self.format, event.metadata(), &message, fields);
        // If the log itself cannot be written, there is nowhere to report that.
        let _ = self.writer.make_writer_for(event.metadata()).write_all(line.as_bytes());
    }
}
