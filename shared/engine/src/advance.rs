//! What follows from the state without anything new from outside: the next fact to write down.

use crate::event::{Event, RunOutcome, StepOutcome, StopCause};
use crate::id::StepRef;
use crate::limit;
use crate::message::{AttemptOutcome, AttemptResult};
use crate::plan::Plan;
use crate::state::{Pending, Phase, State, StepState};
use crate::time::Timestamp;

mod judge;
mod start;

/// The next event that follows, or none where the run waits for an answer or for a later moment.
///
/// `entropy` makes tokens and backoff jitter; the same arguments give the same event.
pub fn next(plan: &Plan, state: &State, now: Timestamp, entropy: u64) -> Option<Event> {
    if state.is_ended() {
        return None;
    }
    if let Some(step) = state.answered.first() {
        return judge::answer(plan, state, *step, now, entropy);
    }
    if let Some(stopping) = stopping(plan, state, now) {
        return Some(stopping);
    }
    if let Some(event) = due(plan, state, now, entropy) {
        return Some(event);
    }
    if state.stopping.is_some() {
        return (state.in_flight == 0).then(|| ended(state));
    }
    match state.phase {
        Phase::AwaitingApproval | Phase::Ended(_) => None,
        Phase::Acting | Phase::Verifying => {
            fan_end(state).or_else(|| start::any(plan, state, now, entropy)).or_else(|| phase_end(plan, state))
        }
    }
}

/// The reason to start nothing more, once.
fn stopping(plan: &Plan, state: &State, now: Timestamp) -> Option<Event> {
    if state.stopping.is_some() {
        return None;
    }
    if let Some(failure) = &state.failure {
        return Some(Event::Stopping { cause: failure.cause, reason: failure.reason.clone() });
    }
    if let Some(reason) = state.used_up() {
        return Some(Event::Stopping { cause: StopCause::Failed, reason });
    }
    if now < state.deadline {
        return None;
    }
    let (cause, reason) = match state.phase {
        Phase::AwaitingApproval => {
            (StopCause::Cancelled, format!("nobody approved it within {} seconds", limit::APPROVAL_SECONDS))
        }
        Phase::Acting | Phase::Verifying | Phase::Ended(_) => {
            (StopCause::Timeout, format!("the run's {} seconds are over", plan.playbook.timeout_seconds))
        }
    };
    Some(Event::Stopping { cause, reason })
}

/// What time alone has settled: an attempt without an answer, a retry, a wait.
fn due(plan: &Plan, state: &State, now: Timestamp, entropy: u64) -> Option<Event> {
    let (at, step) = *state.timers.first()?;
    if at > now {
        return None;
    }
    match state.pending.get(&step)? {
        Pending::Attempt(attempt) => {
            let message = format!(
                "no answer to attempt {} of {} by its deadline, {} s after its start",
                attempt.number,
                plan.name(step.step),
                attempt.deadline.since_ms(attempt.started_at) / 1_000
            );
            let result = AttemptResult::new(AttemptOutcome::TimedOut { message });
            Some(Event::AttemptEnded { step, attempt: attempt.number, result })
        }
        Pending::Retry { .. } | Pending::Wait { .. } if state.stopping.is_some() => {
            let reason = Some("the run stopped before it was due".to_owned());
            Some(Event::StepEnded { step, outcome: StepOutcome::Failed, reason })
        }
        Pending::Retry { attempt, .. } => Some(start::again(plan, state, step, attempt, now, entropy)),
        Pending::Wait { .. } => Some(Event::StepEnded { step, outcome: StepOutcome::Succeeded, reason: None }),
        Pending::Answered(..) => None,
    }
}

/// A step that fans out has no element left to wait for.
fn fan_end(state: &State) -> Option<Event> {
    let over =
        state.fanning.iter().find_map(|step| state.fan(*step).filter(|fan| fan.is_over()).map(|fan| (*step, fan)));
    let (step, fan) = over?;
    let well: u32 = fan
        .tally
        .iter()
        .filter(|(name, _)| StepOutcome::ALL.iter().any(|o| o.is_well() && o.as_str() == **name))
        .map(|(_, n)| n)
        .sum();
    let (outcome, reason) = match &fan.first_failure {
        None if fan.items.is_empty() => (StepOutcome::NoOp, Some("there is no element to do it for".to_owned())),
        None if fan.tally.get(StepOutcome::Skipped.as_str()) == Some(&well) => {
            (StepOutcome::Skipped, Some("every element was skipped".to_owned()))
        }
        None => (StepOutcome::Succeeded, None),
        Some((first, why)) => {
            let ended: u32 = fan.tally.values().sum();
            let reason = format!(
                "{} of {} elements ended badly ({} not started), the first: {why}",
                ended - well,
                fan.items.len(),
                fan.items.len() - ended as usize
            );
            (*first, Some(reason))
        }
    };
    Some(Event::StepEnded { step: StepRef::whole(step), outcome, reason })
}

fn phase_end(plan: &Plan, state: &State) -> Option<Event> {
    if state.unended > 0 {
        return None;
    }
    match state.phase {
        Phase::Acting if plan.playbook.verify.is_empty() => Some(ended(state)),
        Phase::Acting => Some(Event::VerifyStarted),
        Phase::Verifying => Some(ended(state)),
        Phase::AwaitingApproval | Phase::Ended(_) => None,
    }
}

/// The run's end, from why it stops or from what its verification saw.
fn ended(state: &State) -> Event {
    let (outcome, reason) = match &state.stopping {
        Some(stop) => {
            let outcome = match stop.cause {
                StopCause::Failed => RunOutcome::Failed,
                StopCause::Denied => RunOutcome::Denied,
                StopCause::NotHealed => RunOutcome::NotHealed,
                StopCause::Timeout => RunOutcome::Timeout,
                StopCause::Cancelled => RunOutcome::Cancelled,
            };
            (outcome, Some(stop.reason.clone()))
        }
        None => well_ended(state),
    };
    Event::RunEnded { outcome, reason }
}

fn well_ended(state: &State) -> (RunOutcome, Option<String>) {
    if state.phase != Phase::Verifying {
        return (RunOutcome::Completed, None);
    }
    let looked = |step: &StepState| matches!(step, StepState::Ended(StepOutcome::Succeeded | StepOutcome::NoOp));
    let verify = state.steps.iter().skip(state.first_verify);
    if verify.clone().all(looked) {
        (RunOutcome::Healed, None)
    } else {
        (RunOutcome::Completed, Some("the verification could not look at everything".to_owned()))
    }
}
