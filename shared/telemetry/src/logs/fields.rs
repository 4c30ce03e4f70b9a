//! Fields of spans and events as JSON values.

use std::error::Error;
use std::fmt;

use heal_engine::secret::hide_in;
use serde_json::{Map, Value};
use tracing::field::{Field, Visit};

use super::FIELD_BYTES;

/// The recorded fields; a name that occurs twice keeps its last value.
#[derive(Debug, Clone, Default)]
pub(super) struct Fields(pub(super) Map<String, Value>);

impl Fields {
    fn insert(&mut self, field: &Field, value: impl Into<Value>) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn insert_text(&mut self, field: &Field, mut text: String) {
        hide_in(&mut text);
        if text.len() > FIELD_BYTES {
            let missing = text.len() - FIELD_BYTES;
            text.truncate(text.floor_char_boundary(FIELD_BYTES));
            text.push_str(&format!("… ({missing} bytes cut)"));
        }
        self.insert(field, text);
    }
}

impl Visit for Fields {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.insert(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.insert(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.insert(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.insert(field, value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.insert_text(field, value.to_owned());
    }

    /// Writes the whole chain of causes: the last one often explains the failure.
    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        let mut text = value.to_string();
        let mut cause = value.source();
        while let Some(error) = cause {
            // Some errors repeat their cause's text in their own.
            let why = error.to_string();
            if !text.ends_with(&why) {
                text.push_str(&format!(": {why}"));
            }
            cause = error.source();
        }
        self.insert_text(field, text);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.insert_text(field, format!("{value:?}"));
    }
}
