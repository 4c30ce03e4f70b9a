//! A pause or a resume: how it is sent, and which states prove that it was applied.

use heal_proto as proto;
use tokio::time::Instant;

use crate::call::CallContext;
use crate::error::{Effect, Error};
use crate::orchestrator::client::check_success;
use crate::orchestrator::model::{WorkflowState, WorkflowStatus};
use crate::orchestrator::rpc::{Kind, Rpc, Stub};

/// Not repeatable before the state was read: the second of two resumes is `FAILED_PRECONDITION`, whoever sent the first.
pub(super) const PAUSE: Kind = Kind { operation: "pause_workflow", at_stake: Effect::Unknown, repeatable: false };
pub(super) const RESUME: Kind = Kind { operation: "resume_workflow", at_stake: Effect::Unknown, repeatable: false };

pub(super) enum Change {
    Pause(proto::PauseWorkflowRequest),
    Resume(proto::ResumeWorkflowRequest),
}

/// The orchestrator's response to a change.
pub(super) struct ChangeResponse {
    pub message: String,
    /// When the change was applied, in epoch milliseconds.
    pub at_ms: i64,
    /// Pause: when it ends by itself (epoch milliseconds). Resume: how long the pause lasted (seconds).
    pub detail: Option<i64>,
}

/// What the workflow's state says of a change whose answer was lost.
pub(super) enum StateEvidence {
    Applied(AppliedState),
    NotApplied,
    /// The workflow has ended, so the change can no longer be applied.
    Impossible(WorkflowState),
}

/// A state that proves a change.
pub(super) struct AppliedState {
    pub state: WorkflowState,
    /// The workflow's last change, in epoch milliseconds; `None` if the orchestrator gave none.
    pub updated_at_ms: Option<i64>,
}

impl Change {
    pub(super) fn kind(&self) -> Kind {
        match self {
            Self::Pause(_) => PAUSE,
            Self::Resume(_) => RESUME,
        }
    }

    pub(super) fn workflow_id(&self) -> &str {
        match self {
            Self::Pause(request) => &request.workflow_id,
            Self::Resume(request) => &request.workflow_id,
        }
    }

    pub(super) async fn send(&self, rpc: &Rpc, limit: Instant, context: &CallContext) -> Result<ChangeResponse, Error> {
        match self {
            Self::Pause(message) => {
                let invoke = |mut stub: Stub, request| async move { stub.pause_workflow(request).await };
                let answer = rpc.call(PAUSE, message.clone(), limit, context, invoke).await?;
                check_success(PAUSE, answer.success, &answer.message)?;
                let detail = answer.scheduled_resume_at;
                Ok(ChangeResponse { message: answer.message, at_ms: answer.paused_at, detail })
            }
            Self::Resume(message) => {
                let invoke = |mut stub: Stub, request| async move { stub.resume_workflow(request).await };
                let answer = rpc.call(RESUME, message.clone(), limit, context, invoke).await?;
                check_success(RESUME, answer.success, &answer.message)?;
                let detail = Some(answer.pause_duration_seconds);
                Ok(ChangeResponse { message: answer.message, at_ms: answer.resumed_at, detail })
            }
        }
    }

    pub(super) fn evidence_in(&self, status: &WorkflowStatus) -> StateEvidence {
        let state = status.state;
        let updated_at_ms = Some(status.updated_at_ms).filter(|at| *at > 0);
        let applied = || StateEvidence::Applied(AppliedState { state, updated_at_ms });
        match (self, state) {
            (Self::Pause(_), WorkflowState::Paused) => applied(),
            // A workflow that has completed was resumed before it ended.
            (
                Self::Resume(_),
                WorkflowState::Pending | WorkflowState::Running | WorkflowState::Replanning | WorkflowState::Completed,
            ) => applied(),
            (_, WorkflowState::Completed | WorkflowState::Failed | WorkflowState::Cancelled) => {
                StateEvidence::Impossible(state)
            }
            (_, WorkflowState::Unspecified | WorkflowState::Unknown(_))
            | (Self::Pause(_), WorkflowState::Pending | WorkflowState::Running | WorkflowState::Replanning)
            | (Self::Resume(_), WorkflowState::Paused) => StateEvidence::NotApplied,
        }
    }
}
