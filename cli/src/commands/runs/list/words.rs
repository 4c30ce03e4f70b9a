//! The words that filters of `heal runs list` take. For a misspelled one, clap suggests the nearest.

use heal_engine::event::{RunOutcome, RunStatus};

/// The statuses of the remediation API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
#[value(rename_all = "snake_case")]
pub(crate) enum Status {
    Pending,
    AwaitingApproval,
    Running,
    Completed,
    Failed,
    Cancelled,
    Timeout,
}

/// How runs end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
#[value(rename_all = "snake_case")]
pub(crate) enum Outcome {
    Healed,
    Completed,
    Degraded,
    NotHealed,
    Failed,
    Denied,
    Timeout,
    Cancelled,
    Escalated,
    Shadowed,
}

/// The severities that an incident usually has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
#[value(rename_all = "snake_case")]
pub(crate) enum Severity {
    Critical,
    High,
    Medium,
    Low,
    Info,
}

impl From<Status> for RunStatus {
    fn from(status: Status) -> Self {
        match status {
            Status::Pending => Self::Pending,
            Status::AwaitingApproval => Self::AwaitingApproval,
            Status::Running => Self::Running,
            Status::Completed => Self::Completed,
            Status::Failed => Self::Failed,
            Status::Cancelled => Self::Cancelled,
            Status::Timeout => Self::Timeout,
        }
    }
}

impl From<Outcome> for RunOutcome {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Healed => Self::Healed,
            Outcome::Completed => Self::Completed,
            Outcome::Degraded => Self::Degraded,
            Outcome::NotHealed => Self::NotHealed,
            Outcome::Failed => Self::Failed,
            Outcome::Denied => Self::Denied,
            Outcome::Timeout => Self::Timeout,
            Outcome::Cancelled => Self::Cancelled,
            Outcome::Escalated => Self::Escalated,
            Outcome::Shadowed => Self::Shadowed,
        }
    }
}

impl Severity {
    /// The word as the index of runs has it.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Critical => "CRITICAL",
            Self::High => "HIGH",
            Self::Medium => "MEDIUM",
            Self::Low => "LOW",
            Self::Info => "INFO",
        }
    }
}
