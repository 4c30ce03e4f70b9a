//! The result of one probe.

use crate::Map;

/// The result of probing the targets of a check.
#[derive(Debug, Clone, PartialEq)]
pub enum Observation {
    /// The targets could be read.
    Seen(Sighting),
    /// The targets could not be read, such as the list of tickets. This never counts as "no ticket is overdue".
    Unknown {
        /// Why, for people.
        reason: String,
    },
}

/// The failing targets. All others are healthy.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Sighting {
    /// Without duplicates.
    pub failing: Vec<Failing>,
    /// Ids of targets that could not be read; their counts stay.
    pub unknown: Vec<String>,
    /// Not all targets were read: those not named may fail as well.
    pub is_partial: bool,
}

/// A failing target.
#[derive(Debug, Clone, PartialEq)]
pub struct Failing {
    /// Unique among the targets of the check.
    pub id: String,
    /// The fields that templates read as `target`.
    pub fields: Map,
    /// What is wrong, as one sentence without a full stop.
    pub reason: String,
}

impl Observation {
    /// The targets could not be read.
    pub fn unknown(reason: impl Into<String>) -> Self {
        Self::Unknown { reason: reason.into() }
    }

    /// Every target is healthy.
    pub fn well() -> Self {
        Self::Seen(Sighting::default())
    }

    /// The only target fails.
    pub fn failing(failing: Failing) -> Self {
        Self::Seen(Sighting { failing: vec![failing], ..Sighting::default() })
    }
}
