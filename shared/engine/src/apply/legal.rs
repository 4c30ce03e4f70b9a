//! Which events can happen in which state.

mod approval;

use super::Error;
use crate::event::Event;
use crate::id::{Digest, StepIndex, StepRef};
use crate::limit;
use crate::plan::Plan;
use crate::state::{Pending, Phase, State, StepState};

/// # Errors
/// [`Error::Stale`] for an input that came too late or twice, [`Error::Illegal`] for an event that cannot happen.
pub(super) fn check(plan: &Plan, state: &State, event: &Event) -> Result<(), Error> {
    let name = event.name();
    let run_id = &state.run_id;
    let illegal = |why: String| Error::Illegal { event: name, why };
    let stale = |why: String| Err(Error::Stale { event: name, why });
    if let Event::FollowUpDone { .. } = event {
        // Also after the run's end. A later build may not derive the entry any more, so the fold does not ask for it.
        return Ok(());
    }
    if state.is_ended() {
        return stale(format!("run {run_id} has ended"));
    }
    let starts = matches!(
        event,
        Event::AttemptStarted { .. }
            | Event::FannedOut { .. }
            | Event::WaitStarted { .. }
            | Event::ApprovalRequested { .. }
    );
    if starts && state.seq >= limit::EVENTS {
        return Err(Error::TooManyEvents { observed: state.seq });
    }
    match event {
        Event::RunStarted(_) | Event::IncidentRejected { .. } => {
            Err(illegal("only a log's first event can be it".to_owned()))
        }
        Event::IncidentJoined { incident_id }
            if state.joined.contains(incident_id) || *incident_id == state.incident_id =>
        {
            stale(format!("run {run_id} knows incident {incident_id} already"))
        }
        Event::IncidentJoined { .. } if state.joined.len() >= limit::JOINED => {
            stale(format!("run {run_id} has {} joined incidents, the limit", limit::JOINED))
        }
        Event::Approved { .. } | Event::Rejected { .. } | Event::StepApproved { .. } | Event::StepRejected { .. } => {
            approval::check_answer(plan, state, event)
        }
        Event::ApprovalRequested { step, .. } => approval::askable(state, *step).map_err(illegal),
        Event::CancelRequested { .. } if state.stopping.is_some() => stale(format!("run {run_id} is stopping already")),
        Event::RunWithdrawn { .. } if state.stopping.is_some() || state.withdrawn.is_some() => {
            stale(format!("run {run_id} is stopping or withdrawn already"))
        }
        Event::ApprovalExpiring { step, percent, .. } => approval::remindable(state, *step, *percent).map_err(illegal),
        Event::IncidentJoined { .. }
        | Event::CancelRequested { .. }
        | Event::RunWithdrawn { .. }
        | Event::FollowUpDone { .. } => Ok(()),
        // A condition may have become false while people were asked.
        Event::ConditionFalse { step } if state.decided.contains(step) => Ok(()),
        Event::ConditionFalse { step } | Event::WaitStarted { step, .. } => startable(state, *step).map_err(illegal),
        Event::FannedOut { step, .. } => startable(state, StepRef::whole(*step)).map_err(illegal),
        Event::AttemptStarted { step, attempt, parameters_digest, .. } => {
            attemptable(state, *step, *attempt, parameters_digest).map_err(illegal)
        }
        Event::AttemptReissued { .. } if state.stopping.is_some() => Err(illegal("the run is stopping".to_owned())),
        Event::AttemptReissued { step, attempt, .. } | Event::AttemptEnded { step, attempt, .. } => {
            match state.pending.get(step) {
                Some(Pending::Attempt(pending)) if pending.number == *attempt => Ok(()),
                Some(_) | None => {
                    stale(format!("attempt {attempt} of step {} of run {run_id} is not pending", plan.name(step.step)))
                }
            }
        }
        Event::RetryScheduled { step, .. } => match state.pending.get(step) {
            Some(Pending::Answered(..)) => Ok(()),
            Some(_) | None => Err(illegal(format!("step {step} has no attempt with a result"))),
        },
        Event::StepEnded { step, .. } => endable(state, *step).map_err(illegal),
        Event::VerifyStarted if state.phase != Phase::Acting || state.unended > 0 => {
            Err(illegal("the actions have not all ended".to_owned()))
        }
        Event::VerifyStarted => Ok(()),
        Event::Stopping { .. } if state.stopping.is_some() => Err(illegal("the run is stopping already".to_owned())),
        Event::Stopping { .. } => Ok(()),
        Event::RunEnded { .. } if state.in_flight > 0 => {
            Err(illegal(format!("{} attempts are in flight", state.in_flight)))
        }
        Event::RunEnded { .. } => Ok(()),
    }
}

fn whole(state: &State, step: StepIndex) -> Result<&StepState, String> {
    state.steps.get(step as usize).ok_or_else(|| format!("the plan has no step {step}"))
}

fn startable(state: &State, step: StepRef) -> Result<(), String> {
    if state.phase == Phase::AwaitingApproval || state.stopping.is_some() {
        return Err("the run is awaiting approval or stopping".to_owned());
    }
    match (whole(state, step.step)?, step.item) {
        (StepState::Ready, None) if state.ready.contains(&step.step) => Ok(()),
        (StepState::FannedOut(fan), Some(item)) if fan.next == item && fan.has_room() => Ok(()),
        (_, _) => Err(format!("step {step} is not ready")),
    }
}

fn attemptable(state: &State, step: StepRef, attempt: u32, digest: &Digest) -> Result<(), String> {
    match state.pending.get(&step) {
        None if attempt == 1 => startable(state, step),
        Some(Pending::Retry { attempt: last, .. }) if last.number + 1 == attempt && state.stopping.is_none() => Ok(()),
        Some(Pending::Approval(question)) => approval::startable(state, question, attempt, digest),
        Some(_) | None => Err(format!("attempt {attempt} of step {step} is not due")),
    }
}

/// A step can end after a result, after a wait, after all its elements, or instead of its first attempt.
fn endable(state: &State, step: StepRef) -> Result<(), String> {
    match (state.pending.get(&step), step.item) {
        (Some(Pending::Answered(..) | Pending::Wait { .. } | Pending::Retry { .. } | Pending::Approval(_)), _) => {
            Ok(())
        }
        (Some(Pending::Attempt(_)), _) => Err(format!("step {step} has an attempt in flight")),
        (None, Some(_)) => startable(state, step),
        (None, None) => match whole(state, step.step)? {
            StepState::Ready => startable(state, step),
            StepState::FannedOut(fan) if fan.has_ended() => Ok(()),
            StepState::FannedOut(_) | StepState::Waiting { .. } | StepState::Running | StepState::Ended(_) => {
                Err(format!("step {step} cannot end now"))
            }
        },
    }
}
