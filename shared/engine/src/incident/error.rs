//! Why a message is not understood.

use std::fmt;

use super::path::place;
use super::{DEPTH_LEVELS, ENVELOPES, FAULTS};
use crate::{Map, limit};

/// Field names that a message without a shape shows of itself.
const KEYS_SHOWN: usize = 10;

/// What is wrong with a message, or why it needs no answer. Paths start at the message: `detail.affected_tickets[2]`;
/// the empty path is the message itself.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IntakeError {
    #[error("the message has {observed_bytes} bytes, the limit is {} bytes", limit::MESSAGE_BYTES)]
    TooLarge { observed_bytes: usize },
    /// `inside` is the field whose text was read, with its own lines and columns, counted from 1.
    #[error("{} is not JSON: {detail} at line {line}, column {column}", place(inside))]
    NotJson { inside: String, detail: String, line: usize, column: usize },
    #[error("`{path}` is given twice, again before line {line}, column {column} of {}", place(inside))]
    DuplicateKey { path: String, inside: String, line: usize, column: usize },
    #[error(
        "`{path}` is nested too deep at line {line}, column {column} of {}, the limit is {DEPTH_LEVELS} levels",
        place(inside)
    )]
    TooDeep { path: String, inside: String, line: usize, column: usize },
    #[error("`{path}` lies in more envelopes than the limit of {ENVELOPES}")]
    TooManyEnvelopes { path: String },
    #[error(
        "{} has no known shape; looked for `incident_id` (incident), `playbook_name` or `remediation_id` (remediation request), \
         `action_id` with `playbook` (remediation action), `detail-type` with `detail` (EventBridge), `Type` = `Notification` with \
         `Message` (SNS), `AlarmName` with `NewStateValue`, or `source` = `aws.cloudwatch` with `detail` or `alarmData` (CloudWatch alarm); found {}",
        place(path),
        found(keys, *fields)
    )]
    NoShape {
        path: String,
        /// The first of its field names.
        keys: Vec<String>,
        /// How many fields there are.
        fields: usize,
    },
    #[error("{}", listed(faults, *observed))]
    Fields {
        /// The first [`FAULTS`] of them.
        faults: Vec<FieldFault>,
        /// How many there are.
        observed: usize,
    },
    /// A message that is in order and asks for nothing: an alarm that went to OK.
    #[error("no incident: {reason}")]
    NotAnIncident { reason: String },
}

/// One wrong field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldFault {
    pub path: String,
    /// In words: `missing`, `the number 7`.
    pub observed: String,
    /// In words: `a string`.
    pub expected: &'static str,
}

impl fmt::Display for FieldFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is {}, {} is needed", place(&self.path), self.observed, self.expected)
    }
}

/// Collects wrong fields, so that one answer names them all.
#[derive(Debug, Default)]
pub(super) struct Faults {
    first: Vec<FieldFault>,
    observed: usize,
}

impl Faults {
    pub(super) fn push(&mut self, path: String, observed: String, expected: &'static str) {
        self.observed += 1;
        if self.first.len() < FAULTS {
            self.first.push(FieldFault { path, observed, expected });
        }
    }

    pub(super) fn into_result(self) -> Result<(), IntakeError> {
        match self.observed {
            0 => Ok(()),
            observed => Err(IntakeError::Fields { faults: self.first, observed }),
        }
    }
}

impl IntakeError {
    pub(super) fn field(path: String, observed: String, expected: &'static str) -> Self {
        Self::Fields { faults: vec![FieldFault { path, observed, expected }], observed: 1 }
    }

    pub(super) fn no_shape(fields: &Map, path: &str) -> Self {
        let keys = fields.keys().take(KEYS_SHOWN).map(|key| super::path::join("", key)).collect();
        Self::NoShape { path: path.to_owned(), keys, fields: fields.len() }
    }
}

fn found(keys: &[String], fields: usize) -> String {
    match (keys, fields.saturating_sub(keys.len())) {
        ([], _) => "no field at all".to_owned(),
        (keys, 0) => format!("`{}`", keys.join("`, `")),
        (keys, more) => format!("`{}` and {more} more", keys.join("`, `")),
    }
}

fn listed(faults: &[FieldFault], observed: usize) -> String {
    let text = faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
    match observed.saturating_sub(faults.len()) {
        0 => text,
        more => format!("{text}; and {more} more wrong fields"),
    }
}
