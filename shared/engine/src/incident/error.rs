//! Errors of parsing a message.

use std::fmt;

use super::path::place;
use super::resolution::Resolution;
use super::{DEPTH_LEVELS, ENVELOPES, FAULTS};
use crate::{Map, limit};

/// Field names that the error about a message without a known shape lists.
const KEYS_SHOWN: usize = 10;

/// Why a message is not an incident. Paths start at the message: `detail.affected_tickets[2]`; the empty path is the
/// message itself.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IntakeError {
    /// The message is over the limit.
    #[error("the message has {observed_bytes} bytes, the limit is {} bytes", limit::MESSAGE_BYTES)]
    TooLarge {
        /// Its size.
        observed_bytes: usize,
    },
    /// The text is not JSON.
    #[error("{} is not JSON: {detail} at line {line}, column {column}", place(inside))]
    NotJson {
        /// Path of the field with the text.
        inside: String,
        /// The error of the parser.
        detail: String,
        /// In the text, from 1.
        line: usize,
        /// In the line, from 1.
        column: usize,
    },
    /// An object has a key twice.
    #[error("`{path}` is given twice, again before line {line}, column {column} of {}", place(inside))]
    DuplicateKey {
        /// The key.
        path: String,
        /// Path of the field with the text.
        inside: String,
        /// In the text, from 1.
        line: usize,
        /// In the line, from 1.
        column: usize,
    },
    /// Lists and objects are nested too deeply.
    #[error(
        "`{path}` is nested too deep at line {line}, column {column} of {}, the limit is {DEPTH_LEVELS} levels",
        place(inside)
    )]
    TooDeep {
        /// The value.
        path: String,
        /// Path of the field with the text.
        inside: String,
        /// In the text, from 1.
        line: usize,
        /// In the line, from 1.
        column: usize,
    },
    /// Too many envelopes.
    #[error("`{path}` is inside more than the limit of {ENVELOPES} envelopes")]
    TooManyEnvelopes {
        /// The first one too many.
        path: String,
    },
    /// None of the shapes matches.
    #[error(
        "{} has no known shape; expected `incident_id` (incident), `playbook_name`, `playbook_id` or `remediation_id` (remediation request), \
         `action_id` with `playbook` (remediation action), `detail-type` with `detail` (EventBridge), `Type` = `Notification` with \
         `Message` (SNS), `AlarmName` with `NewStateValue`, or `source` = `aws.cloudwatch` with `detail` or `alarmData` (CloudWatch alarm); found {}",
        place(path),
        found(keys, *fields)
    )]
    NoShape {
        /// The object that was read.
        path: String,
        /// The first of its field names.
        keys: Vec<String>,
        /// How many fields there are.
        fields: usize,
    },
    /// Fields are missing or have the wrong type.
    #[error("{}", listed(faults, *observed))]
    Fields {
        /// The first [`FAULTS`] of them.
        faults: Vec<FieldFault>,
        /// How many there are.
        observed: usize,
    },
    /// A valid message that needs no action: an alarm that went to OK.
    #[error("not an incident: {reason}")]
    NotAnIncident {
        /// Why, for people.
        reason: String,
        /// The alert that the message reports as over.
        resolution: Option<Box<Resolution>>,
    },
}

/// One wrong field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldFault {
    /// From the message on: `parameters.incident_id`.
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

/// Collects wrong fields, to report them all in one error.
#[derive(Debug, Default)]
pub(super) struct FieldFaults {
    first: Vec<FieldFault>,
    observed: usize,
}

impl FieldFaults {
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
    pub(super) const fn not_an_incident(reason: String) -> Self {
        Self::NotAnIncident { reason, resolution: None }
    }

    pub(super) fn resolved(resolution: Resolution) -> Self {
        Self::NotAnIncident { reason: resolution.reason.clone(), resolution: Some(Box::new(resolution)) }
    }

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
        ([], _) => "no field".to_owned(),
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
