//! An attempt about which nothing was done: its command is issued again, without using up an attempt.
//!
//! An attempt has one claim, whatever the number of its commands. So of two commands that both reach a worker, the second gets the stored result.

use crate::event::Event;
use crate::id::{StepRef, Token};
use crate::limit;
use crate::message::{AttemptOutcome, AttemptResult};
use crate::plan::{Plan, PlannedStep};
use crate::state::{Attempt, State};
use crate::time::Timestamp;

/// What follows from a worker's answer that it took the command too late.
pub(crate) fn late(
    plan: &Plan,
    state: &State,
    step: StepRef,
    attempt: &Attempt,
    now: Timestamp,
    entropy: u64,
) -> Event {
    let waited = now.since_ms(attempt.started_at) / 1_000;
    let reason = format!("no worker took the command in time, it waited {waited} s in the queue");
    if may_issue(plan, state, step, attempt, now) {
        return issue(state, step, attempt, reason, now, entropy);
    }
    let hours = now.since_ms(attempt.first_issued_at) / 3_600_000;
    let message = match (&state.stopping, &state.withdrawn) {
        (Some(_), _) => "nothing was done: the command waited in the queue until the run stopped".to_owned(),
        (None, Some(_)) => "nothing was done: the command waited in the queue until the alert was over".to_owned(),
        (None, None) => {
            format!("nothing was done: {} waited {hours} h in the queue for a worker", plan.name(step.step))
        }
    };
    let result = AttemptResult { not_applied: true, ..AttemptResult::new(AttemptOutcome::TimedOut { message }) };
    Event::AttemptEnded { step, attempt: attempt.number, result, started_at: None, finished_at: None }
}

/// What follows from a worker's answer that the command is halted, if the run stops: the attempt ends without an effect.
pub(crate) fn halted_at_end(step: StepRef, attempt: &Attempt) -> Event {
    let message = "nothing was done: the command was halted, and then the run stopped".to_owned();
    let result = AttemptResult { not_applied: true, ..AttemptResult::new(AttemptOutcome::TimedOut { message }) };
    Event::AttemptEnded { step, attempt: attempt.number, result, started_at: None, finished_at: None }
}

/// What follows if no worker has answered and the time for it has passed.
pub(super) fn unanswered(
    plan: &Plan,
    state: &State,
    step: StepRef,
    attempt: &Attempt,
    now: Timestamp,
    entropy: u64,
) -> Event {
    let (number, name) = (attempt.number, plan.name(step.step));
    let passed = now.since_ms(attempt.started_at) / 1_000;
    let message = match attempt.timeout_ms {
        Some(_) if may_issue(plan, state, step, attempt, now) => {
            let reason = format!("no worker has answered within {passed} s");
            return issue(state, step, attempt, reason, now, entropy);
        }
        Some(_) => {
            let hours = now.since_ms(attempt.first_issued_at) / 3_600_000;
            match hours {
                0 => format!("no result of attempt {number} of {name} within {passed} s"),
                _ => format!("no result of attempt {number} of {name} within {hours} h, in the queue or from a worker"),
            }
        }
        None => {
            let seconds = attempt.deadline.since_ms(attempt.started_at) / 1_000;
            format!("no result of attempt {number} of {name} by its deadline, {seconds} s after its start")
        }
    };
    let result = AttemptResult::new(AttemptOutcome::TimedOut { message });
    Event::AttemptEnded { step, attempt: number, result, started_at: None, finished_at: None }
}

/// The last moment to start for the first command of an attempt.
pub(super) fn first_last_start(now: Timestamp) -> Timestamp {
    now.plus_ms(limit::START_WINDOW_MS)
}

/// The last moment to start for the attempt's next command: it has twice the time of the one before, so that a queue whose delay exceeds the
/// window is not filled with commands that come too late.
fn next_last_start(attempt: &Attempt, now: Timestamp) -> Timestamp {
    let window_ms = attempt.deadline.since_ms(attempt.started_at).saturating_mul(2);
    now.plus_ms(window_ms).min(attempt.wait_ends_at())
}

/// Whether the run still wants the attempt: a run that stops wants none, a withdrawn one no change.
fn may_issue(plan: &Plan, state: &State, step: StepRef, attempt: &Attempt, now: Timestamp) -> bool {
    let is_held_back = state.withdrawn.is_some() && plan.step(step.step).is_some_and(PlannedStep::is_change);
    state.stopping.is_none() && !is_held_back && now < attempt.wait_ends_at()
}

fn issue(state: &State, step: StepRef, attempt: &Attempt, reason: String, now: Timestamp, entropy: u64) -> Event {
    Event::AttemptReissued {
        step,
        attempt: attempt.number,
        token: Token::derive(&state.run_id, step, attempt.number, entropy),
        deadline: next_last_start(attempt, now),
        reason,
    }
}
