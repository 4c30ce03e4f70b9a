//! The effect that is to happen.

use serde::{Deserialize, Serialize};

/// What is to be done to one target.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Effect {
    /// The action's name.
    pub action: String,
    /// The service that the action calls, as `ActionSpec::service` names it; empty if unknown.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub service: String,
    /// The playbook of the run.
    pub playbook: String,
    /// What people call the target, such as the ticket's id.
    pub target: String,
    /// The workflow that the run is about; empty if there is none.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub workflow_id: String,
}

impl Effect {
    /// An effect of `action` on `target` in a run of `playbook`; everything else is unknown.
    pub fn new(action: impl Into<String>, playbook: impl Into<String>, target: impl Into<String>) -> Self {
        Self { action: action.into(), playbook: playbook.into(), target: target.into(), ..Self::default() }
    }
}
