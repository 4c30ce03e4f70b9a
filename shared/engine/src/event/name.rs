//! The events' names in the log.

use super::Event;

impl Event {
    /// The names of all events.
    pub const NAMES: [&'static str; 28] = [
        "run_started",
        "incident_rejected",
        "incident_joined",
        "approval_expiring",
        "approved",
        "rejected",
        "approval_requested",
        "step_approved",
        "step_rejected",
        "cancel_requested",
        "run_withdrawn",
        "run_held",
        "run_released",
        "run_queued",
        "run_admitted",
        "attempt_held",
        "follow_up_done",
        "condition_false",
        "fanned_out",
        "attempt_started",
        "attempt_reissued",
        "wait_started",
        "attempt_ended",
        "retry_scheduled",
        "step_ended",
        "verify_started",
        "stopping",
        "run_ended",
    ];

    /// The event's name in the log.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::RunStarted(_) => "run_started",
            Self::IncidentRejected { .. } => "incident_rejected",
            Self::IncidentJoined { .. } => "incident_joined",
            Self::ApprovalExpiring { .. } => "approval_expiring",
            Self::Approved { .. } => "approved",
            Self::Rejected { .. } => "rejected",
            Self::ApprovalRequested { .. } => "approval_requested",
            Self::StepApproved { .. } => "step_approved",
            Self::StepRejected { .. } => "step_rejected",
            Self::CancelRequested { .. } => "cancel_requested",
            Self::RunWithdrawn { .. } => "run_withdrawn",
            Self::RunHeld { .. } => "run_held",
            Self::RunReleased { .. } => "run_released",
            Self::RunQueued => "run_queued",
            Self::RunAdmitted => "run_admitted",
            Self::AttemptHeld { .. } => "attempt_held",
            Self::FollowUpDone { .. } => "follow_up_done",
            Self::ConditionFalse { .. } => "condition_false",
            Self::FannedOut { .. } => "fanned_out",
            Self::AttemptStarted { .. } => "attempt_started",
            Self::AttemptReissued { .. } => "attempt_reissued",
            Self::WaitStarted { .. } => "wait_started",
            Self::AttemptEnded { .. } => "attempt_ended",
            Self::RetryScheduled { .. } => "retry_scheduled",
            Self::StepEnded { .. } => "step_ended",
            Self::VerifyStarted => "verify_started",
            Self::Stopping { .. } => "stopping",
            Self::RunEnded { .. } => "run_ended",
        }
    }
}
