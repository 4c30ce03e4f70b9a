//! Policy decisions: whether an effect is allowed.

use async_trait::async_trait;
use heal_engine::message::Violation;
use serde::{Deserialize, Serialize};

/// The input of a policy decision (contracts, section 3).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct PolicyInput {
    /// What would be touched.
    pub resource: PolicyResource,
    /// The run and the state of the target.
    pub context: PolicyContext,
    /// W3C `traceparent` of the attempt: a header of the call, not a part of the input.
    #[serde(skip)]
    pub traceparent: Option<String>,
}

/// What an attempt would touch; a field that an action does not have is empty.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct PolicyResource {
    /// The action's name.
    pub action: String,
    /// The ticket.
    pub ticket_id: String,
    /// The workflow.
    pub workflow_id: String,
    /// The plan of the workflow.
    pub plan_id: String,
    /// Why the playbook wants the effect.
    pub reason: String,
    /// All tickets of a batch.
    pub affected_tickets: Vec<String>,
}

/// The circumstances of an attempt.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct PolicyContext {
    /// Epoch nanoseconds; 0 = never.
    pub last_reallocation_timestamp: u64,
    /// Bare, such as `PAUSED`; empty if the action has no workflow.
    pub workflow_state: String,
    /// The incident of the run.
    pub incident_id: String,
    /// The playbook of the run.
    pub playbook_name: String,
    /// The time of the decision, in epoch nanoseconds.
    pub now_ns: u64,
}

/// The policy's answer. Three values, never two: "unavailable" is not "denied".
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// The effect is allowed.
    Allow {
        /// Who decided.
        source: DecisionSource,
        /// Set if the decision came from a fallback.
        warning: Option<String>,
    },
    /// The effect is forbidden.
    Deny {
        /// Who decided.
        source: DecisionSource,
        /// The rules that it violates.
        violations: Vec<Violation>,
    },
    /// No source could decide, and the configuration is to fail closed.
    Unavailable {
        /// Why not.
        message: String,
    },
}

/// Who decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DecisionSource {
    /// The policy server.
    Server,
    /// The bundled policy, in this process.
    Bundled,
    /// No policy: none was available, and `OPA_FAIL_OPEN` is set.
    FailOpen,
    /// No policy: `OPA_ENABLED=false`, or the action is not one that the policy validates.
    NotAsked,
}

/// Decides. A failure is not an error but [`Decision::Unavailable`].
#[async_trait]
pub trait Policy: Send + Sync + 'static {
    /// Whether the policy validates this action.
    fn validates(&self, action: &str) -> bool;

    /// The decision about one target.
    async fn decide(&self, input: &PolicyInput) -> Decision;
}
