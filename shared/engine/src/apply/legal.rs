//! Which events can happen in which state.

mod approval;

use super::Error;
use crate::event::Event;
use crate::id::{Digest, StepIndex, StepRef};
use crate::limit;
use crate::plan::Plan;
use crate::planted::{self, Bug};
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
    let absorbs = state.is_ended() && !planted::has(Bug::TerminalNotAbsorbing);
    if absorbs && !(matches!(event, Event::IncidentJoined { .. }) && state.awaits_acknowledgement()) {
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
    if moves_on(event) && (state.held.is_some() || state.queued.is_some()) {
        return Err(illegal("the run is held or waits for room".to_owned()));
    }
    match event {
        Event::RunStarted(_) | Event::IncidentRejected { .. } => {
            Err(illegal("only a log's first event can be it".to_owned()))
        }
        Event::IncidentJoined { incident_id } => joinable(state, incident_id).or_else(stale),
        Event::Approved { .. } | Event::Rejected { .. } | Event::StepApproved { .. } | Event::StepRejected { .. } => {
            approval::check_answer(plan, state, event)
        }
        Event::ApprovalRequested { step, .. } => approval::askable(state, *step).map_err(illegal),
        Event::CancelRequested { .. } if state.stopping.is_some() => stale(format!("run {run_id} is stopping already")),
        Event::RunWithdrawn { .. } if state.stopping.is_some() || state.withdrawn.is_some() => {
            stale(format!("run {run_id} is stopping or withdrawn already"))
        }
        Event::ApprovalExpiring { step, percent, .. } => approval::remindable(state, *step, *percent).map_err(illegal),
        Event::RunHeld { .. } | Event::RunReleased { .. } => holdable(state, event).or_else(stale),
        // The first attempt of a run is a start too.
        Event::RunQueued if !state.takes_room() || !state.step_starts.is_empty() => {
            Err(illegal("the run has started".to_owned()))
        }
        Event::RunAdmitted => admissible(state).or_else(stale),
        Event::AttemptHeld { .. } if state.held.is_none() => Err(illegal("the run is not held".to_owned())),
        Event::CancelRequested { .. } | Event::RunWithdrawn { .. } | Event::FollowUpDone { .. } | Event::RunQueued => {
            Ok(())
        }
        // A condition may have become false while people were asked, or while the attempt was held.
        Event::ConditionFalse { step } if state.decided.contains(step) || is_held(state, *step) => Ok(()),
        Event::ConditionFalse { step } | Event::WaitStarted { step, .. } => startable(state, *step).map_err(illegal),
        Event::FannedOut { step, .. } => startable(state, StepRef::whole(*step)).map_err(illegal),
        Event::AttemptStarted { step, attempt, parameters_digest, .. } => {
            attemptable(state, *step, *attempt, parameters_digest).map_err(illegal)
        }
        Event::AttemptReissued { .. } if state.stopping.is_some() => Err(illegal("the run is stopping".to_owned())),
        Event::AttemptReissued { step, attempt, .. }
        | Event::AttemptHeld { step, attempt, .. }
        | Event::AttemptEnded { step, attempt, .. } => answerable(plan, state, *step, *attempt).or_else(stale),
        Event::RetryScheduled { step, .. } => match state.pending.get(step) {
            Some(Pending::Answered(..)) => Ok(()),
            Some(_) | None => Err(illegal(format!("step {step} has no attempt with a result"))),
        },
        Event::StepEnded { step, .. } => endable(state, *step).map_err(illegal),
        Event::VerifyStarted
            if state.phase != Phase::Acting || state.unended > 0 && !planted::has(Bug::VerifyBeforeEffect) =>
        {
            Err(illegal("the actions have not all ended".to_owned()))
        }
        Event::Stopping { .. } if state.stopping.is_some() => Err(illegal("the run is stopping already".to_owned())),
        Event::RunEnded { .. } if state.in_flight > 0 => {
            Err(illegal(format!("{} attempts are in flight", state.in_flight)))
        }
        Event::VerifyStarted | Event::Stopping { .. } | Event::RunEnded { .. } => Ok(()),
    }
}

fn joinable(state: &State, incident_id: &str) -> Result<(), String> {
    let run_id = &state.run_id;
    if state.joined.contains(incident_id) || incident_id == state.incident_id {
        return Err(format!("run {run_id} knows incident {incident_id} already"));
    }
    if state.joined.len() >= limit::JOINED {
        return Err(format!("run {run_id} has {} joined incidents, the limit", limit::JOINED));
    }
    Ok(())
}

fn answerable(plan: &Plan, state: &State, step: StepRef, attempt: u32) -> Result<(), String> {
    match state.pending.get(&step) {
        Some(Pending::Attempt(pending)) if pending.number == attempt || planted::has(Bug::StaleResultTaken) => Ok(()),
        Some(_) | None => {
            Err(format!("attempt {attempt} of step {} of run {} is not pending", plan.name(step.step), state.run_id))
        }
    }
}

/// Whether the event starts something, so that a run whose time stands still must not have it.
const fn moves_on(event: &Event) -> bool {
    matches!(
        event,
        Event::ConditionFalse { .. }
            | Event::FannedOut { .. }
            | Event::AttemptStarted { .. }
            | Event::AttemptReissued { .. }
            | Event::WaitStarted { .. }
            | Event::ApprovalRequested { .. }
            | Event::ApprovalExpiring { .. }
            | Event::RetryScheduled { .. }
            | Event::VerifyStarted
    )
}

/// Whether the run can be held by this [`Event::RunHeld`]; of any other event, whether it is held and can be released.
fn holdable(state: &State, event: &Event) -> Result<(), String> {
    let run_id = &state.run_id;
    if let Event::RunHeld { halt, .. } = event {
        if state.stopping.is_some() {
            return Err(format!("run {run_id} is stopping already"));
        }
        if !can_hold(state, halt.as_deref()) {
            return Err(format!("run {run_id} is held already"));
        }
    } else if state.held.is_none() {
        return Err(format!("run {run_id} is not held"));
    }
    Ok(())
}

/// Whether the run waits for room and for nothing else.
fn admissible(state: &State) -> Result<(), String> {
    let run_id = &state.run_id;
    if state.queued.is_none() || state.stopping.is_some() {
        return Err(format!("run {run_id} does not wait for room"));
    }
    if state.held.is_some() { Err(format!("run {run_id} is held")) } else { Ok(()) }
}

/// Whether `halt`, or a person if it is `None`, can hold the run. What a person holds, no halt takes over.
fn can_hold(state: &State, halt: Option<&str>) -> bool {
    state.held.as_ref().is_none_or(|held| held.hold.halt.is_some() && held.hold.halt.as_deref() != halt)
}

fn is_held(state: &State, step: StepRef) -> bool {
    matches!(state.pending.get(&step), Some(Pending::Held { .. })) && state.stopping.is_none()
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
        Some(Pending::Held { attempt: held, .. }) if held.number + 1 == attempt && state.stopping.is_none() => Ok(()),
        Some(Pending::Approval(question)) => approval::startable(state, question, attempt, digest),
        Some(_) | None => Err(format!("attempt {attempt} of step {step} is not due")),
    }
}

/// A step can end after a result, after a wait, after all its elements, or instead of its first attempt.
fn endable(state: &State, step: StepRef) -> Result<(), String> {
    match (state.pending.get(&step), step.item) {
        (
            Some(
                Pending::Answered(..)
                | Pending::Wait { .. }
                | Pending::Retry { .. }
                | Pending::Held { .. }
                | Pending::Approval(_),
            ),
            _,
        ) => Ok(()),
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
