//! How an attempt ended.

use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};

use super::recorded::Recorded;
use crate::Map;
use crate::format::Format;
use crate::time::Timestamp;

/// How one attempt ended, with its output and its notes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AttemptResult {
    /// How the attempt ended; in JSON the field `ending` names it.
    #[serde(flatten)]
    pub outcome: AttemptOutcome,
    /// Variables for later steps.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub output: Map,
    /// What a person should know, one sentence each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// What is left for a person to do, one sentence each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub follow_up: Vec<String>,
    /// Whether an attempt that ended `unavailable` or `timed_out` is proven not to have taken effect.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub not_applied: bool,
    /// An earlier worker of the attempt died, or was frozen, and may have acted: that this one was refused or failed proves nothing about it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub may_have_acted: bool,
    /// What was decided on each target before the effect, those that were not let pass first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub decisions: Vec<Recorded>,
    /// Decisions that were left out, since there were more than [`crate::limit::DECISIONS`] or they had more than [`crate::limit::DECISION_BYTES`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decisions_cut: Option<NonZeroU32>,
}

/// How an attempt can end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "ending", rename_all = "snake_case")]
pub enum AttemptOutcome {
    /// The action took effect.
    Succeeded,
    /// Nothing had to be done.
    NoOp {
        /// Why nothing had to be done.
        reason: String,
    },
    /// The policy refused.
    Denied {
        /// Every rule that refused.
        violations: Vec<Violation>,
    },
    /// The policy wants people to be asked first: nothing was done.
    NeedsApproval {
        /// The rules that ask for it.
        violations: Vec<Violation>,
        /// Identities and groups that may approve; empty: everybody but the requester.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        approvers: Vec<String>,
    },
    /// The target's cooldown has not passed, or a budget has no place left.
    CoolingDown {
        /// The target's id.
        target: String,
        /// When the cooldown ends, or the budget has a place again.
        until: Timestamp,
        /// Which budget, and how full it is; absent for the target's own cooldown.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        rule: Option<String>,
    },
    /// The service is unavailable; as far as is known, nothing took effect.
    Unavailable {
        /// The service's name.
        service: String,
        /// What the call failed with.
        message: String,
        /// The delay that the service asked for, in milliseconds.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_after_ms: Option<u64>,
    },
    /// The action failed, and took no effect.
    Failed {
        /// A word that a playbook author can search for, such as `terminal_state`.
        code: String,
        /// What the action failed with.
        message: String,
        /// Whether another attempt may succeed.
        retryable: bool,
    },
    /// The deadline passed before the action ended.
    TimedOut {
        /// What the attempt was waiting for.
        message: String,
    },
    /// The action may or may not have taken effect.
    Unknown {
        /// Why it is not known.
        message: String,
    },
    /// In a shadow run: everything that comes before the effect has passed, and the effect was left out.
    Shadowed {
        /// What a live attempt would have done now, as `would delete pod "worker-1" (uid 7)`.
        would: String,
        /// What people call the targets that it would have touched; at most [`SHADOWED_TARGETS`](crate::limit::SHADOWED_TARGETS).
        targets: Vec<String>,
    },
}

/// One reason why the policy refuses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Violation {
    /// The policy's name.
    pub policy: String,
    /// The rule's name.
    pub rule: String,
    /// The rule's sentence for people.
    pub msg: String,
    /// The rule's severity, such as `high`.
    pub severity: String,
}

/// Version 2 adds the outcomes `needs_approval` and `shadowed`.
impl Format for AttemptResult {
    const NAME: &'static str = "attempt result";
    const VERSION: u32 = 2;

    fn needed_version(&self) -> u32 {
        self.outcome.needed_version()
    }
}

impl AttemptOutcome {
    /// The outcome's word in the log.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::NoOp { .. } => "no_op",
            Self::Denied { .. } => "denied",
            Self::NeedsApproval { .. } => "needs_approval",
            Self::CoolingDown { .. } => "cooling_down",
            Self::Unavailable { .. } => "unavailable",
            Self::Failed { .. } => "failed",
            Self::TimedOut { .. } => "timed_out",
            Self::Unknown { .. } => "unknown",
            Self::Shadowed { .. } => "shadowed",
        }
    }

    /// The version of [`AttemptResult`] that can hold it.
    const fn needed_version(&self) -> u32 {
        match self {
            Self::Shadowed { .. } | Self::NeedsApproval { .. } => 2,
            Self::Succeeded
            | Self::NoOp { .. }
            | Self::Denied { .. }
            | Self::CoolingDown { .. }
            | Self::Unavailable { .. }
            | Self::Failed { .. }
            | Self::TimedOut { .. }
            | Self::Unknown { .. } => 1,
        }
    }
}

impl AttemptResult {
    /// A result without output and notes.
    pub fn new(outcome: AttemptOutcome) -> Self {
        Self {
            outcome,
            output: Map::new(),
            warnings: Vec::new(),
            follow_up: Vec::new(),
            not_applied: false,
            may_have_acted: false,
            decisions: Vec::new(),
            decisions_cut: None,
        }
    }

    /// A success with its output.
    pub fn succeeded(output: Map) -> Self {
        Self { output, ..Self::new(AttemptOutcome::Succeeded) }
    }

    /// A result of an action that had nothing to do.
    pub fn no_op(reason: impl Into<String>, output: Map) -> Self {
        Self { output, ..Self::new(AttemptOutcome::NoOp { reason: reason.into() }) }
    }

    /// A failure that another attempt would repeat.
    pub fn failed(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(AttemptOutcome::Failed { code: code.into(), message: message.into(), retryable: false })
    }

    /// A failure that another attempt may not repeat.
    pub fn transient(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(AttemptOutcome::Failed { code: code.into(), message: message.into(), retryable: true })
    }

    /// Whether the attempt is proven not to have taken effect. Then the next attempt may have an
    /// idempotency key of its own, unless an earlier one may have acted.
    pub const fn is_proven_not_applied(&self) -> bool {
        match self.outcome {
            AttemptOutcome::NoOp { .. }
            | AttemptOutcome::Denied { .. }
            | AttemptOutcome::NeedsApproval { .. }
            | AttemptOutcome::CoolingDown { .. }
            | AttemptOutcome::Failed { .. }
            | AttemptOutcome::Shadowed { .. } => !self.may_have_acted,
            AttemptOutcome::Unavailable { .. } | AttemptOutcome::TimedOut { .. } => self.not_applied,
            AttemptOutcome::Succeeded | AttemptOutcome::Unknown { .. } => false,
        }
    }

    /// Whether people have to be asked first.
    pub const fn needs_approval(&self) -> bool {
        matches!(self.outcome, AttemptOutcome::NeedsApproval { .. })
    }

    /// The result with one more warning.
    #[must_use]
    pub fn warn(mut self, warning: impl Into<String>) -> Self {
        self.warnings.push(warning.into());
        self
    }

    /// The result with one more follow-up.
    #[must_use]
    pub fn follow_up(mut self, entry: impl Into<String>) -> Self {
        self.follow_up.push(entry.into());
        self
    }
}
