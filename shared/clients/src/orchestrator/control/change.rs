//! A pause or a resume: how it is sent, and what a state says of it.

use std::time::Instant;

use heal_proto as proto;

use crate::call::CallContext;
use crate::error::{Effect, Error};
use crate::orchestrator::client::accepted;
use crate::orchestrator::model::WorkflowState;
use crate::orchestrator::rpc::{Kind, Rpc, Stub};

/// Not repeatable without a look: the second of two resumes is `FAILED_PRECONDITION`, whoever made the first.
pub(super) const PAUSE: Kind = Kind { operation: "pause_workflow", at_stake: Effect::Unknown, repeatable: false };
pub(super) const RESUME: Kind = Kind { operation: "resume_workflow", at_stake: Effect::Unknown, repeatable: false };

pub(super) enum Change {
    Pause(proto::PauseWorkflowRequest),
    Resume(proto::ResumeWorkflowRequest),
}

/// What the orchestrator answered.
pub(super) struct Answered {
    pub message: String,
    pub at_ms: i64,
    /// When a pause ends by itself (epoch milliseconds), or how long it was (seconds).
    pub detail: Option<i64>,
}

/// What a state says of a change whose answer was lost.
pub(super) enum Verdict {
    Done(WorkflowState),
    NotDone,
    /// It cannot be done any more.
    Over(WorkflowState),
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

    pub(super) async fn send(&self, rpc: &Rpc, limit: Instant, context: &CallContext) -> Result<Answered, Error> {
        match self {
            Self::Pause(message) => {
                let invoke = |mut stub: Stub, request| async move { stub.pause_workflow(request).await };
                let answer = rpc.call(PAUSE, message.clone(), limit, context, invoke).await?;
                accepted(PAUSE, answer.success, &answer.message)?;
                Ok(Answered { message: answer.message, at_ms: answer.paused_at, detail: answer.scheduled_resume_at })
            }
            Self::Resume(message) => {
                let invoke = |mut stub: Stub, request| async move { stub.resume_workflow(request).await };
                let answer = rpc.call(RESUME, message.clone(), limit, context, invoke).await?;
                accepted(RESUME, answer.success, &answer.message)?;
                let detail = Some(answer.pause_duration_seconds);
                Ok(Answered { message: answer.message, at_ms: answer.resumed_at, detail })
            }
        }
    }

    pub(super) fn verdict(&self, state: WorkflowState) -> Verdict {
        match (self, state) {
            (Self::Pause(_), WorkflowState::Paused) => Verdict::Done(state),
            // A completed one went on, and to its end.
            (
                Self::Resume(_),
                WorkflowState::Pending | WorkflowState::Running | WorkflowState::Replanning | WorkflowState::Completed,
            ) => Verdict::Done(state),
            (_, WorkflowState::Completed | WorkflowState::Failed | WorkflowState::Cancelled) => Verdict::Over(state),
            (_, WorkflowState::Unspecified | WorkflowState::Unknown(_))
            | (Self::Pause(_), WorkflowState::Pending | WorkflowState::Running | WorkflowState::Replanning)
            | (Self::Resume(_), WorkflowState::Paused) => Verdict::NotDone,
        }
    }
}
