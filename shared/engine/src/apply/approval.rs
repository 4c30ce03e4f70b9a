//! Folds what people are asked and what they answer.

use super::{clear_pending, mark_started, set_pending};
use crate::event::{Event, StopCause};
use crate::id::StepRef;
use crate::plan::Plan;
use crate::state::{Approver, Attempt, Pending, Question, State, Stop};
use crate::time::Timestamp;

/// Folds [`Event::ApprovalRequested`]; any other event changes nothing.
pub(super) fn ask(state: &mut State, event: &Event, at: Timestamp) {
    let Event::ApprovalRequested { step, digest, parameters, approvers, min, until, why, reminder } = event else {
        return;
    };
    let attempt = stopped_attempt(clear_pending(state, *step));
    mark_started(state, *step);
    let question = Question {
        since: state.seq,
        at,
        digest: digest.clone(),
        parameters: parameters.clone(),
        approvers: approvers.clone(),
        min: *min,
        until: *until,
        why: why.clone(),
        by: Vec::new(),
        rejection: None,
        reminds: *reminder,
        reminded_percent: 0,
        attempt,
    };
    set_pending(state, *step, Pending::Approval(Box::new(question)));
    state.was_asked = true;
    state.asking.insert(*step);
}

/// The attempt that the policy stopped, or that was held. It did nothing, and uses up no attempt.
fn stopped_attempt(before: Option<Pending>) -> Option<Box<Attempt>> {
    match before? {
        Pending::Answered(mut attempt, result) => {
            attempt.learn(&result);
            attempt.uncounted += 1;
            Some(attempt)
        }
        Pending::Approval(question) => question.attempt,
        Pending::Held { attempt, .. } => Some(attempt),
        Pending::Attempt(_) | Pending::Retry { .. } | Pending::Wait { .. } => None,
    }
}

/// Of the last approval that a run needs its actions start.
pub(super) fn approve_run(plan: &Plan, state: &mut State, by: Approver, at: Timestamp) {
    let Some(question) = &mut state.run_question else { return };
    question.by.push(by);
    if question.is_approved() {
        state.start_acting(plan, at);
        // In a held run the time of the actions stands still from now on.
        if let Some(held) = &mut state.held {
            held.since = at;
        }
    }
}

pub(super) fn reject_run(state: &mut State, by: &str, reason: &str) {
    state.stopping = Some(Stop { cause: StopCause::Denied, reason: rejection(by, reason) });
}

pub(super) fn approve_step(state: &mut State, step: StepRef, by: Approver, at: Timestamp) {
    answer(state, step, at, |question| question.by.push(by));
}

pub(super) fn reject_step(state: &mut State, step: StepRef, by: &str, reason: &str, at: Timestamp) {
    answer(state, step, at, |question| question.rejection = Some(rejection(by, reason)));
}

/// Once a question has its answer it has no timer: the next event follows from the answer.
fn answer(state: &mut State, step: StepRef, at: Timestamp, change: impl FnOnce(&mut Question)) {
    let Some(Pending::Approval(question)) = state.pending.get_mut(&step) else { return };
    change(question);
    if question.is_open() {
        return;
    }
    let (asked_at, until) = (question.at, question.until);
    let waited_until = state.held.as_ref().map_or(at, |held| held.since.min(at));
    if let Some(attempt) = &mut question.attempt {
        attempt.waited_ms = attempt.waited_ms.saturating_add(waited_until.since_ms(asked_at));
    }
    state.timers.remove(&(until, step));
    state.asking.remove(&step);
    state.decided.insert(step);
    state.wait_in_queues(&[(asked_at, at)]);
}

pub(super) fn remind(state: &mut State, step: Option<StepRef>, percent: u32) {
    let question = match step {
        None => state.run_question.as_deref_mut(),
        Some(step) => match state.pending.get_mut(&step) {
            Some(Pending::Approval(question)) => Some(&mut **question),
            Some(
                Pending::Attempt(_)
                | Pending::Answered(..)
                | Pending::Retry { .. }
                | Pending::Wait { .. }
                | Pending::Held { .. },
            )
            | None => None,
        },
    };
    if let Some(question) = question {
        question.reminded_percent = percent;
    }
}

fn rejection(by: &str, reason: &str) -> String {
    if reason.is_empty() { format!("rejected by {by}") } else { format!("rejected by {by}: {reason}") }
}
