//! What a look saw.

use crate::Map;

/// What one look at a check's targets gave.
#[derive(Debug, Clone, PartialEq)]
pub enum Observation {
    Seen(Sighting),
    /// Nothing can be told just now, such as where the list of tickets could not be read. That is never "no ticket is overdue".
    Unknown {
        reason: String,
    },
}

/// The targets that are not well. All others are.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Sighting {
    /// No target twice.
    pub failing: Vec<Failing>,
    /// Targets of which nothing can be told just now, by their ids: what was counted for them stays.
    pub unknown: Vec<String>,
    /// Not everything was looked at: a target that is not named need not be well.
    pub is_partial: bool,
}

/// A target that is not well.
#[derive(Debug, Clone, PartialEq)]
pub struct Failing {
    /// Names it among the targets of the check.
    pub id: String,
    /// What templates read as `target`.
    pub fields: Map,
    /// One sentence on what is wrong with it, without a full stop.
    pub reason: String,
}

impl Observation {
    pub fn unknown(reason: impl Into<String>) -> Self {
        Self::Unknown { reason: reason.into() }
    }

    /// Every target is well.
    pub fn well() -> Self {
        Self::Seen(Sighting::default())
    }

    /// The one target that there is is not well.
    pub fn failing(failing: Failing) -> Self {
        Self::Seen(Sighting { failing: vec![failing], ..Sighting::default() })
    }
}
