//! Pause and resume. After a lost answer the state is read before anything is called failed.

mod change;

use std::time::{Duration, Instant};

use heal_proto as proto;
use tracing::Instrument;

use super::client::{Client, adjustment_id, given, refused};
use super::model::{Confirmation, Paused, Resumed, WorkflowState};
use super::rpc::Kind;
use crate::call::CallContext;
use crate::error::{Effect, Error, OutageKind, RefusalKind};
use change::{Answered, Change, Verdict};

/// What is kept of the caller's time for reading the state after a lost answer.
const MAX_RESERVE: Duration = Duration::from_secs(2);

const BY_STATE: &str = "confirmed by the state";

/// How a change is known to have been made.
enum Done {
    Answered(Answered),
    State(WorkflowState),
}

impl Client {
    /// Pauses a workflow; `duration_seconds` is how long, `None` or 0 until someone resumes it. Pausing a paused one succeeds.
    ///
    /// # Errors
    /// `Refused` of kind `Precondition` where the workflow is over.
    pub async fn pause_workflow(
        &self,
        workflow_id: &str,
        reason: &str,
        duration_seconds: Option<u32>,
        context: &CallContext,
    ) -> Result<Paused, Error> {
        let span = tracing::info_span!(
            "self_healing.orchestrator.pause_workflow",
            workflow_id,
            outcome = tracing::field::Empty
        );
        let call = async {
            given("workflow_id", workflow_id)?;
            let change = Change::Pause(proto::PauseWorkflowRequest {
                workflow_id: workflow_id.to_owned(),
                reason: reason.to_owned(),
                pause_duration_seconds: duration_seconds.map(i64::from),
                adjustment_id: adjustment_id(context)?,
            });
            Ok(match self.surely(&change, context).await? {
                Done::Answered(answer) => Paused {
                    message: answer.message,
                    paused_at_ms: Some(answer.at_ms),
                    scheduled_resume_at_ms: answer.detail,
                    confirmed: Confirmation::Answer,
                },
                Done::State(state) => Paused {
                    message: BY_STATE.to_owned(),
                    paused_at_ms: None,
                    scheduled_resume_at_ms: None,
                    confirmed: Confirmation::State(state),
                },
            })
        };
        self.changing(change::PAUSE, span, call).await
    }

    /// Resumes a paused workflow.
    ///
    /// # Errors
    /// `Refused` of kind `Precondition` where the workflow is not paused.
    pub async fn resume_workflow(
        &self,
        workflow_id: &str,
        reason: &str,
        context: &CallContext,
    ) -> Result<Resumed, Error> {
        let span = tracing::info_span!(
            "self_healing.orchestrator.resume_workflow",
            workflow_id,
            outcome = tracing::field::Empty
        );
        let call = async {
            given("workflow_id", workflow_id)?;
            let change = Change::Resume(proto::ResumeWorkflowRequest {
                workflow_id: workflow_id.to_owned(),
                reason: reason.to_owned(),
                adjustment_id: adjustment_id(context)?,
            });
            Ok(match self.surely(&change, context).await? {
                Done::Answered(answer) => Resumed {
                    message: answer.message,
                    resumed_at_ms: Some(answer.at_ms),
                    pause_duration_seconds: answer.detail,
                    confirmed: Confirmation::Answer,
                },
                Done::State(state) => Resumed {
                    message: BY_STATE.to_owned(),
                    resumed_at_ms: None,
                    pause_duration_seconds: None,
                    confirmed: Confirmation::State(state),
                },
            })
        };
        self.changing(change::RESUME, span, call).await
    }

    /// Calls; where the answer is lost, reads the state; where it says "not done" and the connection broke, calls once more.
    async fn surely(&self, change: &Change, context: &CallContext) -> Result<Done, Error> {
        let kind = change.kind();
        self.limit(kind, context)?;
        let lost = match change.send(&self.rpc, self.limit_with_reserve(context), context).await {
            Ok(answer) => return Ok(Done::Answered(answer)),
            Err(error) if error.effect() == Effect::NotApplied => return Err(error),
            Err(error) => error,
        };
        tracing::info!(operation = kind.operation, error = %lost, "orchestrator.answer_lost");
        match self.look(change, context).await {
            Some(Verdict::Done(state)) => return Ok(Done::State(state)),
            Some(Verdict::Over(state)) => return Err(over(kind, state)),
            Some(Verdict::NotDone) if is_reset(&lost) => {}
            Some(Verdict::NotDone) | None => return Err(lost),
        }
        let second = match change.send(&self.rpc, self.limit_with_reserve(context), context).await {
            Ok(answer) => return Ok(Done::Answered(answer)),
            Err(error) => error,
        };
        // The first call may have been performed after the look: then the second is refused for that very reason.
        match self.look(change, context).await {
            Some(Verdict::Done(state)) => Ok(Done::State(state)),
            Some(Verdict::Over(state)) => Err(over(kind, state)),
            Some(Verdict::NotDone) if !second.is_unavailable() => Err(second),
            Some(Verdict::NotDone) | None => Err(lost),
        }
    }

    /// What the state says; `None` where it cannot be read either.
    async fn look(&self, change: &Change, context: &CallContext) -> Option<Verdict> {
        let workflow_id = change.workflow_id();
        let limit = context.limit(self.rpc.timeout);
        let span = tracing::info_span!("self_healing.orchestrator.get_workflow_status", workflow_id);
        match self.read_status(workflow_id, false, limit, context).instrument(span).await {
            Ok(status) => Some(change.verdict(status.state)),
            Err(error) => {
                tracing::info!(workflow_id, %error, "orchestrator.state_unknown");
                None
            }
        }
    }

    /// The end of a changing call: so early that the state can still be read before the caller's deadline.
    fn limit_with_reserve(&self, context: &CallContext) -> Instant {
        let now = Instant::now();
        let left = context.deadline.saturating_duration_since(now);
        let usable = left.saturating_sub(MAX_RESERVE.min(left / 4));
        now + usable.min(self.rpc.timeout)
    }
}

fn is_reset(error: &Error) -> bool {
    matches!(error, Error::Unavailable(outage) if outage.kind == OutageKind::Reset)
}

fn over(kind: Kind, state: WorkflowState) -> Error {
    let message = format!("the workflow is in the terminal state {state}");
    refused(kind, RefusalKind::Precondition, "FAILED_PRECONDITION", &message)
}
