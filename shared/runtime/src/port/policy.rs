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
    /// W3C `traceparent` of the attempt. Sent beside the question, not in it.
    #[serde(skip)]
    pub traceparent: Option<String>,
    /// The action's `ActionSpec::critical`: the policy is always asked, and the bundled policy has rules for it. Beside the question too.
    #[serde(skip)]
    pub critical: bool,
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
    /// In upper case, such as `COMPLETED`; empty if the action has no ticket, or did not read it.
    pub ticket_status: String,
    /// The incident of the run.
    pub incident_id: String,
    /// The playbook of the run.
    pub playbook_name: String,
    /// The time of the decision, in epoch nanoseconds.
    pub now_ns: u64,
}

/// A policy's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// The action may go ahead.
    Allow {
        /// Who decided.
        source: DecisionSource,
        /// Set if a policy server should have decided and did not, or if its answer contradicts itself.
        warning: Option<String>,
    },
    /// The action must not go ahead.
    Deny {
        /// Who decided.
        source: DecisionSource,
        /// The broken rules; empty if the policy named none.
        violations: Vec<Violation>,
        /// Set if a policy server should have decided and did not, or if a violation cannot be read.
        warning: Option<String>,
    },
    /// The action may go ahead if people approve it.
    RequireApproval {
        /// Who decided.
        source: DecisionSource,
        /// The rules that ask for it.
        violations: Vec<Violation>,
        /// Identities and groups that may approve; empty: everybody but the requester.
        approvers: Vec<String>,
        /// As of a denial.
        warning: Option<String>,
    },
    /// Nobody could decide, and the configuration fails closed (`OPA_FAIL_OPEN=false`).
    Unavailable {
        /// Why nobody could decide.
        message: String,
    },
}

/// Who decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DecisionSource {
    /// The policy server.
    Server,
    /// The bundled policy, in this process: the server did not decide, or none is configured.
    Bundled,
    /// Nobody: `OPA_FAIL_OPEN=true` let the action pass.
    FailOpen,
    /// Nobody: `OPA_ENABLED=false`.
    Disabled,
    /// Nobody: the action is neither critical nor in `OPA_VALIDATED_ACTIONS`.
    NotValidated,
}

impl Decision {
    /// `allow`, `deny`, `require_approval` or `unavailable`, as spans and metrics have it.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Allow { .. } => "allow",
            Self::Deny { .. } => "deny",
            Self::RequireApproval { .. } => "require_approval",
            Self::Unavailable { .. } => "unavailable",
        }
    }

    /// Who decided; `None` if nobody could.
    pub const fn source(&self) -> Option<DecisionSource> {
        match self {
            Self::Allow { source, .. } | Self::Deny { source, .. } | Self::RequireApproval { source, .. } => {
                Some(*source)
            }
            Self::Unavailable { .. } => None,
        }
    }

    /// What a person should know about how this was decided.
    pub fn warning(&self) -> Option<&str> {
        match self {
            Self::Allow { warning, .. } | Self::Deny { warning, .. } | Self::RequireApproval { warning, .. } => {
                warning.as_deref()
            }
            Self::Unavailable { message } => Some(message),
        }
    }
}

impl DecisionSource {
    /// Its word in spans and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Bundled => "bundled",
            Self::FailOpen => "fail_open",
            Self::Disabled => "disabled",
            Self::NotValidated => "not_validated",
        }
    }
}

/// Decides whether an action may go ahead. It never fails: a question that nobody can answer is [`Decision::Unavailable`].
#[async_trait]
pub trait Policy: Send + Sync + 'static {
    /// Whether the policy is asked about this action though it is not critical.
    fn validates(&self, action: &str) -> bool;

    /// The decision on one target of one action.
    async fn decide(&self, input: &PolicyInput) -> Decision;
}
