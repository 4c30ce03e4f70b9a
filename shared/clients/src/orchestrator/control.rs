//! Pause and resume. If the answer to a change is lost, or is an error that may have come after the effect, the workflow's state is
//! read: it proves the change, or that an answered call changed nothing. What it does not tell stays unknown.

mod change;

use std::time::Duration;

use heal_proto as proto;
use tokio::time::Instant;
use tracing::Instrument;

use super::client::{Client, adjustment_id, refusal, require_non_empty};
use super::model::{Confirmation, Paused, Resumed, WorkflowState};
use crate::call::CallContext;
use crate::error::{Effect, Error, Outage, OutageKind, RefusalKind};
use change::{AppliedState, Change, ChangeResponse, StateEvidence};

/// Most of the caller's time that is reserved for reading the state after a lost answer.
const MAX_RESERVE: Duration = Duration::from_secs(2);

const CONFIRMED_BY_STATE: &str = "the answer was lost; the workflow's state confirms the change";

/// How a change was confirmed.
enum ChangeOutcome {
    Response(ChangeResponse),
    State(AppliedState),
}

impl Client {
    /// Pauses a workflow for `duration_seconds`; `None` or 0 pauses it until someone resumes it. Pausing a paused workflow succeeds.
    ///
    /// # Errors
    /// `Refused` of kind `Precondition` if the workflow has ended.
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
            require_non_empty("workflow_id", workflow_id)?;
            let change = Change::Pause(proto::PauseWorkflowRequest {
                workflow_id: workflow_id.to_owned(),
                reason: reason.to_owned(),
                pause_duration_seconds: duration_seconds.map(i64::from),
                adjustment_id: adjustment_id(context)?,
            });
            Ok(match self.call_and_confirm(&change, context).await? {
                ChangeOutcome::Response(answer) => Paused {
                    message: answer.message,
                    paused_at_ms: Some(answer.at_ms),
                    scheduled_resume_at_ms: answer.detail,
                    confirmed: Confirmation::Answer,
                },
                ChangeOutcome::State(AppliedState { state, updated_at_ms }) => Paused {
                    message: CONFIRMED_BY_STATE.to_owned(),
                    paused_at_ms: updated_at_ms,
                    scheduled_resume_at_ms: None,
                    confirmed: Confirmation::State(state),
                },
            })
        };
        self.run_change(change::PAUSE, workflow_id, span, call).await
    }

    /// Resumes a paused workflow.
    ///
    /// # Errors
    /// `Refused` of kind `Precondition` if the workflow is not paused.
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
            require_non_empty("workflow_id", workflow_id)?;
            let change = Change::Resume(proto::ResumeWorkflowRequest {
                workflow_id: workflow_id.to_owned(),
                reason: reason.to_owned(),
                adjustment_id: adjustment_id(context)?,
            });
            Ok(match self.call_and_confirm(&change, context).await? {
                ChangeOutcome::Response(answer) => Resumed {
                    message: answer.message,
                    resumed_at_ms: Some(answer.at_ms),
                    pause_duration_seconds: answer.detail,
                    confirmed: Confirmation::Answer,
                },
                ChangeOutcome::State(AppliedState { state, updated_at_ms }) => Resumed {
                    message: CONFIRMED_BY_STATE.to_owned(),
                    resumed_at_ms: updated_at_ms,
                    pause_duration_seconds: None,
                    confirmed: Confirmation::State(state),
                },
            })
        };
        self.run_change(change::RESUME, workflow_id, span, call).await
    }

    /// Sends the change. If it may have been applied, reads the state. A call that ended with an error changed nothing if the state is as
    /// before; a call whose connection broke is sent once more then, under the same id.
    async fn call_and_confirm(&self, change: &Change, context: &CallContext) -> Result<ChangeOutcome, Error> {
        let kind = change.kind();
        self.limit(kind, context)?;
        let lost = match change.send(&self.rpc, self.limit_with_reserve(context), context).await {
            Ok(answer) => return Ok(ChangeOutcome::Response(answer)),
            Err(error) if error.effect() == Effect::NotApplied => return Err(error),
            Err(error) => error,
        };
        tracing::info!(operation = kind.operation, error = %lost, "orchestrator.answer_lost");
        match self.read_evidence(change, context).await {
            Some(StateEvidence::Applied(state)) => return Ok(ChangeOutcome::State(state)),
            Some(StateEvidence::Impossible(state)) => return Err(terminal_refusal(change, state)),
            Some(StateEvidence::NotApplied) if had_answered(&lost) => return Err(not_applied(lost)),
            Some(StateEvidence::NotApplied) if is_reset(&lost) => {}
            Some(StateEvidence::NotApplied) | None => return Err(lost),
        }
        let second = match change.send(&self.rpc, self.limit_with_reserve(context), context).await {
            Ok(answer) => return Ok(ChangeOutcome::Response(answer)),
            Err(error) => error,
        };
        // The first call may have been applied after the state was read; the second is then refused because of it.
        match self.read_evidence(change, context).await {
            Some(StateEvidence::Applied(state)) => Ok(ChangeOutcome::State(state)),
            Some(StateEvidence::Impossible(state)) => Err(terminal_refusal(change, state)),
            Some(StateEvidence::NotApplied) if !second.is_unavailable() => Err(second),
            Some(StateEvidence::NotApplied) | None => Err(lost),
        }
    }

    /// What the workflow's state says of the change; `None` if the state cannot be read either.
    async fn read_evidence(&self, change: &Change, context: &CallContext) -> Option<StateEvidence> {
        let workflow_id = change.workflow_id();
        let limit = context.limit(self.rpc.timeout);
        let span = tracing::info_span!("self_healing.orchestrator.get_workflow_status", workflow_id);
        match self.read_status(workflow_id, false, limit, context).instrument(span).await {
            Ok(status) => Some(change.evidence_in(&status)),
            Err(error) => {
                tracing::info!(workflow_id, %error, "orchestrator.state_unknown");
                None
            }
        }
    }

    /// When a changing call must end: early enough to read the state before the caller's deadline.
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

/// Whether the orchestrator ended the call, though with an error: it does not act on it any more.
fn had_answered(error: &Error) -> bool {
    match error {
        Error::Unavailable(outage) => match outage.kind {
            OutageKind::ServerError
            | OutageKind::NotServing
            | OutageKind::RateLimited
            | OutageKind::RequestTimeout
            | OutageKind::Aborted => true,
            OutageKind::Connect
            | OutageKind::Reset
            | OutageKind::Timeout
            | OutageKind::DeadlinePassed
            | OutageKind::BreakerOpen
            | OutageKind::NoIdentity
            | OutageKind::OwnTrouble => false,
        },
        Error::Invalid { .. } | Error::Misconfigured(_) | Error::Refused(_) => false,
    }
}

/// The same outage, of which the workflow's state proves that nothing was applied.
fn not_applied(error: Error) -> Error {
    match error {
        Error::Unavailable(outage) => Error::Unavailable(Outage { effect: Effect::NotApplied, ..outage }),
        Error::Invalid { .. } | Error::Misconfigured(_) | Error::Refused(_) => error,
    }
}

fn terminal_refusal(change: &Change, state: WorkflowState) -> Error {
    let message = format!("workflow {:?} is in the terminal state {state}", change.workflow_id());
    refusal(change.kind(), RefusalKind::Precondition, "FAILED_PRECONDITION", &message)
}
