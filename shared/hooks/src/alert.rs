//! One alert, whoever sent it.

use heal_engine::Map;
use serde_json::{Value, json};

use crate::source::Source;

/// An alert as its source reports it.
#[derive(Debug, Clone, PartialEq)]
pub struct Alert {
    /// Who sent it.
    pub source: Source,
    /// What it says. `None`: it says neither, and the rule's `resolved` decides.
    pub status: Option<AlertStatus>,
    /// What stays the same from the first report of an alert to the one that it is over. `None`: the rule's `fingerprint` says it.
    pub fingerprint: Option<String>,
    /// When it began, as the source writes it; may be empty.
    pub starts_at: String,
    /// What it is about: labels, or a source's closest match of them.
    pub labels: Map,
    /// Texts for people.
    pub annotations: Map,
    /// What its whole group has in common; an empty object without groups.
    pub group: Map,
    /// The alert as it was sent.
    pub payload: Value,
}

/// Whether an alert is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AlertStatus {
    /// It is on.
    Firing,
    /// It is over.
    Resolved,
}

impl AlertStatus {
    /// The word in templates.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Firing => "firing",
            Self::Resolved => "resolved",
        }
    }
}

impl Alert {
    /// Names that the templates of a rule may use.
    pub const NAMES: [&str; 8] =
        ["annotations", "fingerprint", "group", "labels", "payload", "source", "starts_at", "status"];

    /// When it began, in milliseconds since 1970; `None` if its source writes no RFC 3339, or a time before 1970.
    pub fn started_ms(&self) -> Option<u64> {
        let at: jiff::Timestamp = self.starts_at.parse().ok()?;
        u64::try_from(at.as_millisecond()).ok()
    }

    /// The variables of a rule's templates: [`Alert::NAMES`].
    pub fn variables(&self) -> Map {
        let values = json!({
            "annotations": self.annotations,
            "fingerprint": self.fingerprint,
            "group": self.group,
            "labels": self.labels,
            "payload": self.payload,
            "source": self.source,
            "starts_at": self.starts_at,
            "status": self.status.map(AlertStatus::as_str),
        });
        match values {
            Value::Object(values) => values,
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => Map::new(),
        }
    }
}
