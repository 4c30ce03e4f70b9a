//! Folding an event into the state.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::event::{Event, StepOutcome, StopCause};
use crate::id::{Seq, StepIndex, StepRef};
use crate::message::AttemptResult;
use crate::plan::Plan;
use crate::state::{Attempt, Fan, Pending, Phase, State, StepState, Stop};
use crate::time::{Timestamp, seconds_to_ms};
use crate::{Map, limit};

mod ending;
mod legal;

/// Why an event does not fold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ApplyError {
    /// It is about something that is over: drop it.
    #[error("event {event} comes too late for {what}")]
    Stale { event: &'static str, what: String },
    /// It cannot happen in this state: the log is damaged, or the engine is wrong. Stop, and keep everything.
    #[error("event {event} cannot happen here: {why}")]
    Illegal { event: &'static str, why: String },
    #[error("the run has {observed} events, the limit is {}", limit::EVENTS)]
    TooManyEvents { observed: Seq },
}

/// Changes `state` to the one after `event`, which happened at `at`. Total: no panic, no I/O, no clock.
///
/// # Guarantees
/// On an error the state is as it was.
pub fn apply(plan: &Plan, state: &mut State, event: &Event, at: Timestamp) -> Result<(), ApplyError> {
    legal::check(plan, state, event)?;
    state.seq += 1;
    match event {
        // Both are first events: `legal` has refused them.
        Event::RunStarted(_) | Event::IncidentRejected { .. } => {}
        Event::IncidentJoined { incident_id } => join(state, incident_id),
        Event::Approved { .. } => {
            state.enter(plan, Phase::Acting);
            state.deadline = at.plus_ms(seconds_to_ms(plan.playbook.timeout_seconds));
        }
        Event::CancelRequested { by } => {
            state.stopping = Some(Stop { cause: StopCause::Cancelled, reason: format!("cancelled by {by}") });
        }
        Event::ConditionFalse { step } => ending::end(plan, state, *step, StepOutcome::ConditionFalse, None),
        Event::FannedOut { step, items } => {
            state.begun.insert(*step, at);
            fan_out(plan, state, *step, items);
        }
        Event::AttemptStarted { step, attempt, token, parameters, parameters_digest, deadline } => {
            state.hops += 1;
            let first_started_at = first_start(state, *step).unwrap_or(at);
            let attempt = Attempt {
                since: state.seq,
                number: *attempt,
                token: token.clone(),
                parameters: parameters.clone(),
                digest: parameters_digest.clone(),
                started_at: at,
                deadline: *deadline,
                first_started_at,
                hop: state.hops,
            };
            begin(state, *step);
            state.begun.entry(step.step).or_insert(at);
            state.in_flight += 1;
            expect(state, *step, Pending::Attempt(Box::new(attempt)));
        }
        Event::WaitStarted { step, until } => {
            begin(state, *step);
            state.begun.entry(step.step).or_insert(at);
            let since = state.seq;
            expect(state, *step, Pending::Wait { since, until: *until });
        }
        Event::AttemptEnded { step, result, .. } => attempt_ended(plan, state, *step, result),
        Event::RetryScheduled { step, due_at, reason, .. } => retry(state, *step, *due_at, reason),
        Event::StepEnded { step, outcome, reason } => ending::end(plan, state, *step, *outcome, reason.as_deref()),
        Event::VerifyStarted => state.enter(plan, Phase::Verifying),
        Event::Stopping { cause, reason } => state.stopping = Some(Stop { cause: *cause, reason: reason.clone() }),
        Event::RunEnded { outcome, .. } => end_run(state, *outcome),
    }
    Ok(())
}

fn join(state: &mut State, incident_id: &str) {
    state.joined.insert(incident_id.to_owned());
}

/// The step, or the element, is no longer one that could be started.
fn begin(state: &mut State, step: StepRef) {
    match (state.steps.get_mut(step.step as usize), step.item) {
        (Some(StepState::FannedOut(fan)), Some(item)) if fan.next == item => {
            fan.next += 1;
            fan.running += 1;
            if !fan.has_room() {
                state.fanning.remove(&step.step);
            }
        }
        (Some(whole @ StepState::Ready), None) => {
            *whole = StepState::Running;
            state.ready.remove(&step.step);
        }
        // A further attempt of what has begun already.
        (_, _) => {}
    }
}

fn fan_out(plan: &Plan, state: &mut State, step: StepIndex, items: &[Value]) {
    let max_parallel = plan.step(step).and_then(|step| step.spec.for_each.as_ref()).map_or(1, |each| each.max_parallel);
    let fan = Fan {
        items: Arc::new(items.to_vec()),
        next: 0,
        running: 0,
        max_parallel,
        halted: false,
        tally: std::collections::BTreeMap::new(),
        first_failure: None,
    };
    state.ready.remove(&step);
    state.fanning.insert(step);
    if let Some(slot) = state.steps.get_mut(step as usize) {
        *slot = StepState::FannedOut(Box::new(fan));
    }
}

fn first_start(state: &State, step: StepRef) -> Option<Timestamp> {
    match state.pending.get(&step)? {
        Pending::Retry { attempt, .. } => Some(attempt.first_started_at),
        Pending::Attempt(_) | Pending::Answered(..) | Pending::Wait { .. } => None,
    }
}

/// Puts `pending` in the place of what was expected for `step` before, its timer included.
fn expect(state: &mut State, step: StepRef, pending: Pending) {
    forget(state, step);
    state.timers.insert((pending.due_at(), step));
    state.pending.insert(step, pending);
}

fn forget(state: &mut State, step: StepRef) -> Option<Pending> {
    let before = state.pending.remove(&step)?;
    state.timers.remove(&(before.due_at(), step));
    state.answered.remove(&step);
    Some(before)
}

fn attempt_ended(plan: &Plan, state: &mut State, step: StepRef, result: &AttemptResult) {
    if let Some(Pending::Attempt(attempt)) = forget(state, step) {
        state.in_flight -= 1;
        state.answered.insert(step);
        // No timer: it is judged in the same turn.
        state.pending.insert(step, Pending::Answered(attempt, Box::new(result.clone())));
    }
    if let (Some(planned), None) = (plan.step(step.step), step.item)
        && ending::gave_output(result)
    {
        Arc::make_mut(&mut state.variables).step_gave(&planned.spec.name, planned.kept(&result.output));
    }
}

fn retry(state: &mut State, step: StepRef, due_at: Timestamp, reason: &str) {
    let since = state.seq;
    if let Some(Pending::Answered(attempt, _)) = forget(state, step) {
        expect(state, step, Pending::Retry { since, due_at, attempt, reason: reason.to_owned() });
    }
}

fn end_run(state: &mut State, outcome: crate::event::RunOutcome) {
    state.phase = Phase::Ended(outcome);
    state.ready.clear();
    state.fanning.clear();
    state.pending.clear();
    state.timers.clear();
    state.answered.clear();
}

/// What a step that fanned out tells later steps: how many elements ended how.
fn counts(fan: &Fan) -> Map {
    let mut counts = Map::new();
    counts.insert("count".to_owned(), json!(fan.items.len()));
    for outcome in StepOutcome::ALL {
        let count = fan.tally.get(outcome.as_str()).copied().unwrap_or(0);
        counts.insert(outcome.as_str().to_owned(), json!(count));
    }
    counts
}
