//! Whether an effect is allowed.

use async_trait::async_trait;
use heal_engine::message::Violation;
use serde::{Deserialize, Serialize};

/// What the policy is asked (contracts, section 3).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct PolicyInput {
    pub resource: PolicyResource,
    pub context: PolicyContext,
    /// W3C `traceparent` of the attempt: it goes beside the question, not into it.
    #[serde(skip)]
    pub traceparent: Option<String>,
    /// The action's `ActionSpec::critical`: the policy is always asked, and the bundled policy has rules for it. Beside the question too.
    #[serde(skip)]
    pub critical: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct PolicyResource {
    pub action: String,
    pub ticket_id: String,
    pub workflow_id: String,
    pub plan_id: String,
    pub reason: String,
    pub affected_tickets: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct PolicyContext {
    /// Epoch nanoseconds; 0 = never.
    pub last_reallocation_timestamp: u64,
    /// Bare, such as `PAUSED`; empty where the action has no workflow.
    pub workflow_state: String,
    pub incident_id: String,
    pub playbook_name: String,
    /// Epoch nanoseconds.
    pub now_ns: u64,
}

/// Three values, never two.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    Allow {
        source: DecisionSource,
        /// Set where the answer did not come the usual way.
        warning: Option<String>,
    },
    Deny {
        source: DecisionSource,
        violations: Vec<Violation>,
    },
    /// Nobody could decide, and the configuration says that then nothing happens.
    Unavailable {
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
    /// Nobody: `OPA_FAIL_OPEN`.
    FailOpen,
    /// Nobody: `OPA_ENABLED=false`, or the action is not one that the policy validates.
    NotAsked,
}

/// Decides. It never fails: what cannot be decided is [`Decision::Unavailable`].
#[async_trait]
pub trait Policy: Send + Sync + 'static {
    /// Whether the policy is asked about this action though it is not critical.
    fn validates(&self, action: &str) -> bool;

    async fn decide(&self, input: &PolicyInput) -> Decision;
}
