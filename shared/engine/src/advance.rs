//! The next event that follows from the state alone, without an input.

mod answer;
mod approval;
pub(crate) mod reissue;
mod start;
mod withdrawal;

pub(crate) use start::render_parameters;

use crate::event::{Event, RunOutcome, StepOutcome, StopCause};
use crate::id::{StepIndex, StepRef};
use crate::plan::Plan;
use crate::planted::{self, Bug};
use crate::state::{Pending, Phase, Question, State, StepState};
use crate::time::Timestamp;

/// The next event that follows; `None` if the run waits for a result or for a later moment.
///
/// `entropy` is the source of tokens and of the backoff's jitter. Equal arguments give equal events.
pub fn next(plan: &Plan, state: &State, now: Timestamp, entropy: u64) -> Option<Event> {
    following(plan, state, now, entropy).map(|event| withdrawal::hold_back(plan, state, event))
}

fn following(plan: &Plan, state: &State, now: Timestamp, entropy: u64) -> Option<Event> {
    // What a held run has to decide, it decides at its release.
    if state.is_ended() || state.stands_still() {
        return None;
    }
    if let Some(step) = state.answered.first() {
        return answer::next(plan, state, *step, now, entropy);
    }
    if let Some(event) = approval::end_rejected(state) {
        return Some(event);
    }
    if let Some(event) = stop(plan, state, now).or_else(|| end_due(plan, state, now, entropy)) {
        return Some(event);
    }
    if state.stopping.is_some() {
        return (state.in_flight == 0).then(|| end_run(plan, state));
    }
    match state.phase {
        Phase::AwaitingApproval => approval::remind(state, now),
        Phase::Ended(_) => None,
        Phase::Acting | Phase::Verifying => {
            let start = || {
                let approved = || approval::start_approved(plan, state, now, entropy);
                let next = || approved().or_else(|| start::next(plan, state, now, entropy));
                if state.is_overdue(now) { None } else { next() }
            };
            let remind = || approval::remind(state, now);
            end_fan(state).or_else(start).or_else(remind).or_else(|| end_phase(plan, state))
        }
    }
}

/// Stops the run for the first reason that there is.
fn stop(plan: &Plan, state: &State, now: Timestamp) -> Option<Event> {
    if state.stopping.is_some() {
        return None;
    }
    if let Some(reason) = state.switched_off(plan) {
        return Some(Event::Stopping { cause: StopCause::Cancelled, reason });
    }
    if let Some(failure) = &state.failure {
        return Some(Event::Stopping { cause: failure.cause, reason: failure.reason.clone() });
    }
    if let Some(reason) = state.budget_exhausted() {
        return Some(Event::Stopping { cause: StopCause::Failed, reason });
    }
    if let Some(event) = withdrawal::stop_asking(plan, state) {
        return Some(event);
    }
    if !state.is_overdue(now) || state.in_flight > 0 {
        return None;
    }
    let (cause, reason) = match state.phase {
        Phase::AwaitingApproval => {
            (StopCause::Cancelled, state.run_question().map(Question::expiry).unwrap_or_default())
        }
        Phase::Acting | Phase::Verifying | Phase::Ended(_) => (StopCause::Timeout, timeout_reason(plan, state)),
    };
    Some(Event::Stopping { cause, reason })
}

fn timeout_reason(plan: &Plan, state: &State) -> String {
    let timeout = format!("the run exceeded its timeout of {} seconds", plan.playbook.timeout_seconds);
    match state.waited_ms() / 1_000 {
        0 => timeout,
        waited => format!("{timeout}, not counting {waited} s of waiting"),
    }
}

/// What is due at `now`: the end of an attempt that has no result, a retry, the end of a wait.
fn end_due(plan: &Plan, state: &State, now: Timestamp, entropy: u64) -> Option<Event> {
    let (at, step) = *state.timers.first()?;
    if at > now {
        return None;
    }
    match state.pending.get(&step)? {
        Pending::Attempt(attempt) => Some(reissue::unanswered(plan, state, step, attempt, now, entropy)),
        Pending::Retry { .. } | Pending::Wait { .. } | Pending::Held { .. } if state.stopping.is_some() => {
            let reason = Some("the run stopped before the step was due".to_owned());
            Some(Event::StepEnded { step, outcome: StepOutcome::Failed, reason })
        }
        Pending::Retry { attempt, .. } => Some(start::retry(plan, state, step, (attempt, at), now, entropy)),
        Pending::Held { attempt, .. } => start::anew(plan, state, step, attempt, now, entropy),
        Pending::Wait { .. } => Some(Event::StepEnded { step, outcome: StepOutcome::Succeeded, reason: None }),
        Pending::Approval(question) => Some(approval::expire(step, question)),
        // It has no timer.
        Pending::Answered(..) => None,
    }
}

/// Ends a step that fans out and waits for no further element.
fn end_fan(state: &State) -> Option<Event> {
    let ended = |step: &StepIndex| state.fan(*step).filter(|fan| fan.has_ended()).map(|fan| (*step, fan));
    let (step, fan) = state.fanning.iter().find_map(ended)?;
    let count = |outcome: StepOutcome| fan.tally.get(outcome.as_str()).copied().unwrap_or(0);
    let ok: u32 = StepOutcome::ALL.into_iter().filter(|outcome| outcome.is_ok()).map(count).sum();
    let (outcome, reason) = match &fan.first_failure {
        None if fan.items.is_empty() => (StepOutcome::NoOp, Some("for_each has no element".to_owned())),
        None if count(StepOutcome::Skipped) == ok => {
            (StepOutcome::Skipped, Some("every element was skipped".to_owned()))
        }
        None if count(StepOutcome::Shadowed) > 0 => {
            let reason =
                format!("{} of {} elements would have been executed", count(StepOutcome::Shadowed), fan.items.len());
            (StepOutcome::Shadowed, Some(reason))
        }
        None => (StepOutcome::Succeeded, None),
        Some((first, why)) => {
            let ended: u32 = fan.tally.values().sum();
            let reason = format!(
                "{} of {} elements failed ({} not started), the first: {why}",
                ended - ok,
                fan.items.len(),
                fan.items.len() - ended as usize
            );
            (*first, Some(reason))
        }
    };
    Some(Event::StepEnded { step: StepRef::whole(step), outcome, reason })
}

/// Ends the actions, or the run, once every step of the phase has ended.
fn end_phase(plan: &Plan, state: &State) -> Option<Event> {
    let hurries =
        planted::has(Bug::VerifyBeforeEffect) && state.phase == Phase::Acting && !plan.playbook.verify.is_empty();
    if state.unended > 0 && !hurries {
        return None;
    }
    match state.phase {
        Phase::Acting if plan.playbook.verify.is_empty() => Some(end_run(plan, state)),
        Phase::Acting => Some(Event::VerifyStarted),
        Phase::Verifying => Some(end_run(plan, state)),
        Phase::AwaitingApproval | Phase::Ended(_) => None,
    }
}

/// Ends the run, with the outcome that its stop or its verification gives it.
fn end_run(plan: &Plan, state: &State) -> Event {
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
        None => unstopped_outcome(plan, state),
    };
    Event::RunEnded { outcome, reason }
}

/// The outcome of a run that nothing stopped.
fn unstopped_outcome(plan: &Plan, state: &State) -> (RunOutcome, Option<String>) {
    if state.mode.is_shadow() {
        return (RunOutcome::Shadowed, Some(state.shadow_summary(plan)));
    }
    if let Some(reason) = state.shortfall(plan) {
        return (RunOutcome::Degraded, Some(reason));
    }
    if state.phase != Phase::Verifying {
        return (RunOutcome::Completed, None);
    }
    let has_passed = |step: &StepState| matches!(step, StepState::Ended(StepOutcome::Succeeded | StepOutcome::NoOp));
    if state.steps.iter().skip(state.first_verify).all(has_passed) {
        (RunOutcome::Healed, None)
    } else {
        (RunOutcome::Completed, Some("a condition left out a part of the verification".to_owned()))
    }
}
