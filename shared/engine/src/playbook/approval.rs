//! When people have to agree first.

use serde::{Deserialize, Serialize};

use super::Condition;
use crate::limit;
use crate::message::Approved;

/// What a playbook or a step asks people for before it does anything.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Approval {
    /// Nobody is asked if it is false; `None`: people are always asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub when: Option<Condition>,
    /// Who may approve: identities `KIND:NAME`, and groups, whose names have no colon. Empty: everybody but the requester.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub approvers: Vec<String>,
    /// How many different identities have to approve: 1 to [`limit::APPROVERS_NEEDED`].
    pub min: u32,
    /// Seconds after which the question is over, and counts as refused.
    pub expires_seconds: u64,
    /// Whether the run reminds of the question before its time is over.
    pub reminder: bool,
}

impl Default for Approval {
    /// One person, whoever it is, within a day.
    fn default() -> Self {
        Self { when: None, approvers: Vec::new(), min: 1, expires_seconds: limit::APPROVAL_SECONDS, reminder: true }
    }
}

impl Approval {
    /// Whether these approvals, given for another reason, are all that this one asks for.
    pub(crate) fn is_met_by(&self, given: &Approved) -> bool {
        given.by.len() >= self.min as usize && given.is_by_one_of(&self.approvers)
    }
}
