//! How steps and runs end, and the words for it.

use serde::{Deserialize, Serialize};

/// How a step ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepOutcome {
    /// The action took effect, or the verification saw what it waited for.
    Succeeded,
    /// The service was unavailable: a success with a warning and a follow-up, as the guide rules.
    Skipped,
    /// Nothing had to be done.
    NoOp,
    /// The step's condition was false.
    ConditionFalse,
    /// The policy refused.
    Denied,
    /// The target's cooldown had not passed.
    CoolingDown,
    /// The action failed, or the step could not start.
    Failed,
    /// The action did not finish by its deadline.
    TimedOut,
    /// The action may or may not have taken effect.
    Unknown,
    /// In a shadow run: the action would have been executed here.
    Shadowed,
}

impl StepOutcome {
    /// Every outcome, in the order of the reports.
    pub const ALL: [Self; 10] = [
        Self::Succeeded,
        Self::Skipped,
        Self::NoOp,
        Self::ConditionFalse,
        Self::Denied,
        Self::CoolingDown,
        Self::Failed,
        Self::TimedOut,
        Self::Unknown,
        Self::Shadowed,
    ];

    /// Whether the steps that need this one may start.
    pub const fn is_ok(self) -> bool {
        match self {
            Self::Succeeded | Self::Skipped | Self::NoOp | Self::ConditionFalse | Self::Shadowed => true,
            Self::Denied | Self::CoolingDown | Self::Failed | Self::TimedOut | Self::Unknown => false,
        }
    }

    /// The outcome's word in the log and in every interface.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Skipped => "skipped",
            Self::NoOp => "no_op",
            Self::ConditionFalse => "condition_false",
            Self::Denied => "denied",
            Self::CoolingDown => "cooling_down",
            Self::Failed => "failed",
            Self::TimedOut => "timed_out",
            Self::Unknown => "unknown",
            Self::Shadowed => "shadowed",
        }
    }
}

/// Why a run stops before its last step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StopCause {
    /// A step failed.
    Failed,
    /// A step was denied, or its target was cooling down.
    Denied,
    /// The verification did not pass.
    NotHealed,
    /// The run exceeded its timeout.
    Timeout,
    /// A person cancelled the run, it was not approved in time, its alert was resolved, or its playbook is switched off.
    Cancelled,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum RunOutcome {
    /// Every action achieved its purpose, and the verification showed that they helped.
    Healed,
    /// Every action achieved its purpose; there was no verification, or a condition skipped a part of it.
    Completed,
    /// Nothing stopped the run, but a step was skipped, ended badly, could not probe or left a follow-up: a person has something to do.
    Degraded,
    /// The verification did not pass.
    NotHealed,
    /// A step failed, or the run used up its budget.
    Failed,
    /// A step was denied, or its target was cooling down.
    Denied,
    /// The run exceeded its timeout.
    Timeout,
    /// A person cancelled the run, it was not approved in time, its alert was resolved, or its playbook is switched off.
    Cancelled,
    /// The same playbook had run for the same target too often: the run did nothing, and a person has to find the cause.
    Escalated,
    /// A shadow run came to its end: it changed nothing.
    Shadowed,
}

impl RunOutcome {
    /// The outcome's word in the log and in every interface.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Healed => "HEALED",
            Self::Completed => "COMPLETED",
            Self::Degraded => "DEGRADED",
            Self::NotHealed => "NOT_HEALED",
            Self::Failed => "FAILED",
            Self::Denied => "DENIED",
            Self::Timeout => "TIMEOUT",
            Self::Cancelled => "CANCELLED",
            Self::Escalated => "ESCALATED",
            Self::Shadowed => "SHADOWED",
        }
    }

    /// Whether something is left undone or unproven, so that a person has to know.
    pub const fn leaves_work(self) -> bool {
        match self {
            Self::Healed | Self::Completed | Self::Shadowed => false,
            Self::Degraded
            | Self::NotHealed
            | Self::Failed
            | Self::Denied
            | Self::Timeout
            | Self::Cancelled
            | Self::Escalated => true,
        }
    }

    /// The status of the remediation API (contracts, section 6) that stands for this outcome.
    pub const fn status(self) -> RunStatus {
        match self {
            Self::Healed | Self::Completed | Self::Degraded | Self::Shadowed => RunStatus::Completed,
            Self::NotHealed | Self::Failed | Self::Denied | Self::Escalated => RunStatus::Failed,
            Self::Timeout => RunStatus::Timeout,
            Self::Cancelled => RunStatus::Cancelled,
        }
    }
}

/// Where a run stands, in the words of the remediation API (contracts, section 6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum RunStatus {
    /// Accepted, and waits for room among the live runs.
    Pending,
    /// Waits for a person.
    AwaitingApproval,
    /// Executes or verifies.
    Running,
    /// Ended without being stopped.
    Completed,
    /// Ended with a failure, a denial, an escalation or a verification that did not pass.
    Failed,
    /// Ended because a person cancelled it, or nobody approved it in time.
    Cancelled,
    /// Ended because it exceeded its timeout.
    Timeout,
}

impl RunStatus {
    /// Every status.
    pub const ALL: [Self; 7] = [
        Self::Pending,
        Self::AwaitingApproval,
        Self::Running,
        Self::Completed,
        Self::Failed,
        Self::Cancelled,
        Self::Timeout,
    ];

    /// Whether a run with this status has ended.
    pub const fn is_terminal(self) -> bool {
        match self {
            Self::Pending | Self::AwaitingApproval | Self::Running => false,
            Self::Completed | Self::Failed | Self::Cancelled | Self::Timeout => true,
        }
    }

    /// The status's word in the log and in every interface.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::AwaitingApproval => "AWAITING_APPROVAL",
            Self::Running => "RUNNING",
            Self::Completed => "COMPLETED",
            Self::Failed => "FAILED",
            Self::Cancelled => "CANCELLED",
            Self::Timeout => "TIMEOUT",
        }
    }
}
