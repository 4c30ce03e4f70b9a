//! The ways in which steps and runs end, and the words for them.

use serde::{Deserialize, Serialize};

/// How a step ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepOutcome {
    Succeeded,
    /// The service was out of reach: a success with a warning and a follow-up, as the guide rules.
    Skipped,
    NoOp,
    ConditionFalse,
    Denied,
    CoolingDown,
    Failed,
    TimedOut,
    Unknown,
}

impl StepOutcome {
    pub const ALL: [Self; 9] = [
        Self::Succeeded,
        Self::Skipped,
        Self::NoOp,
        Self::ConditionFalse,
        Self::Denied,
        Self::CoolingDown,
        Self::Failed,
        Self::TimedOut,
        Self::Unknown,
    ];

    /// Whether later steps may build on it.
    pub const fn is_well(self) -> bool {
        match self {
            Self::Succeeded | Self::Skipped | Self::NoOp | Self::ConditionFalse => true,
            Self::Denied | Self::CoolingDown | Self::Failed | Self::TimedOut | Self::Unknown => false,
        }
    }

    /// The word of the log and of every interface.
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
        }
    }
}

/// Why a run stops before its last step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StopCause {
    /// A step failed.
    Failed,
    /// A step was denied or is cooling down.
    Denied,
    /// The verification did not pass.
    NotHealed,
    Timeout,
    Cancelled,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum RunOutcome {
    /// Every action ended well, and the verification saw the healing.
    Healed,
    /// Every action ended well; there was no verification, or it could not look.
    Completed,
    NotHealed,
    Failed,
    Denied,
    Timeout,
    Cancelled,
}

impl RunOutcome {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Healed => "HEALED",
            Self::Completed => "COMPLETED",
            Self::NotHealed => "NOT_HEALED",
            Self::Failed => "FAILED",
            Self::Denied => "DENIED",
            Self::Timeout => "TIMEOUT",
            Self::Cancelled => "CANCELLED",
        }
    }

    /// The status that the remediation API of the guide's platform knows for it.
    pub const fn status(self) -> RunStatus {
        match self {
            Self::Healed | Self::Completed => RunStatus::Completed,
            Self::NotHealed | Self::Failed | Self::Denied => RunStatus::Failed,
            Self::Timeout => RunStatus::Timeout,
            Self::Cancelled => RunStatus::Cancelled,
        }
    }
}

/// Where a run stands, in the words of the remediation API (contracts, section 6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum RunStatus {
    Pending,
    AwaitingApproval,
    Running,
    Completed,
    Failed,
    Cancelled,
    Timeout,
}

impl RunStatus {
    pub const ALL: [Self; 7] = [
        Self::Pending,
        Self::AwaitingApproval,
        Self::Running,
        Self::Completed,
        Self::Failed,
        Self::Cancelled,
        Self::Timeout,
    ];

    pub const fn is_terminal(self) -> bool {
        match self {
            Self::Pending | Self::AwaitingApproval | Self::Running => false,
            Self::Completed | Self::Failed | Self::Cancelled | Self::Timeout => true,
        }
    }

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
