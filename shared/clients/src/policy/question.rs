//! What a policy is asked.

use serde_json::{Value, json};

/// One action with the facts that the policy decides on, read at the point of effect.
///
/// Empty text stands for "not there".
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Question {
    pub action: String,
    pub ticket_id: String,
    pub workflow_id: String,
    pub plan_id: String,
    pub reason: String,
    pub affected_tickets: Vec<String>,
    /// Epoch nanoseconds; 0: never.
    pub last_reallocation_timestamp: u64,
    /// Bare, such as `PAUSED`.
    pub workflow_state: String,
    pub incident_id: String,
    pub playbook_name: String,
    /// Epoch nanoseconds. 0 leaves the time to whoever evaluates.
    pub now_ns: u64,
}

impl Question {
    /// The `input` document of the policy.
    pub fn input(&self) -> Value {
        json!({
            "resource": {
                "action": self.action,
                "ticket_id": self.ticket_id,
                "workflow_id": self.workflow_id,
                "plan_id": self.plan_id,
                "reason": self.reason,
                "affected_tickets": self.affected_tickets,
            },
            "context": {
                "last_reallocation_timestamp": self.last_reallocation_timestamp,
                "workflow_state": self.workflow_state,
                "incident_id": self.incident_id,
                "playbook_name": self.playbook_name,
                "now_ns": self.now_ns,
            },
        })
    }
}
