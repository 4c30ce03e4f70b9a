//! What the answer to an attempt means: the step's end, or another attempt.

use crate::catalog::Safety;
use crate::event::{Event, StepOutcome};
use crate::id::StepRef;
use crate::message::{AttemptOutcome, AttemptResult, Violation};
use crate::plan::{Plan, PlannedStep};
use crate::playbook::{OnUnavailable, Retry};
use crate::state::{Attempt, Pending, State};
use crate::time::{Timestamp, seconds_to_ms};

/// What follows from an attempt's answer.
enum Verdict {
    End(StepOutcome, Option<String>),
    /// Try again, not before so many milliseconds.
    Again {
        reason: String,
        after_ms: u64,
    },
}

pub(super) fn answer(plan: &Plan, state: &State, step: StepRef, now: Timestamp, entropy: u64) -> Option<Event> {
    let (Some(Pending::Answered(attempt, result)), Some(planned)) = (state.pending.get(&step), plan.step(step.step))
    else {
        return None;
    };
    let verdict = match verdict(planned, state, step, attempt, result) {
        Verdict::Again { reason, .. } if state.stopping.is_some() => {
            Verdict::End(given_up(result), Some(format!("{reason}; the run stopped before another attempt")))
        }
        verdict @ (Verdict::End(..) | Verdict::Again { .. }) => verdict,
    };
    Some(match verdict {
        Verdict::End(outcome, reason) => Event::StepEnded { step, outcome, reason },
        Verdict::Again { reason, after_ms } => {
            let delay_ms = match &planned.spec.until {
                Some(until) => seconds_to_ms(until.every_seconds).max(after_ms),
                None => backoff_ms(planned.spec.retry, attempt.number, jitter(step, entropy)).max(after_ms),
            };
            let due_at = now.plus_ms(delay_ms);
            match out_of_time(planned, state, attempt, due_at) {
                Some(limit) => end_of_time(planned, result, step, &reason, &limit),
                None => Event::RetryScheduled { step, attempt: attempt.number + 1, due_at, reason },
            }
        }
    })
}

fn verdict(planned: &PlannedStep, state: &State, step: StepRef, attempt: &Attempt, result: &AttemptResult) -> Verdict {
    let used_up = attempt.number >= planned.spec.retry.max_attempts && planned.spec.until.is_none();
    match &result.outcome {
        AttemptOutcome::Succeeded | AttemptOutcome::NoOp { .. } if planned.until.is_some() => {
            looked(planned, state, step)
        }
        AttemptOutcome::Succeeded => Verdict::End(StepOutcome::Succeeded, None),
        AttemptOutcome::NoOp { reason } => Verdict::End(StepOutcome::NoOp, Some(reason.clone())),
        AttemptOutcome::Denied { violations } => Verdict::End(StepOutcome::Denied, Some(refusal(violations))),
        AttemptOutcome::CoolingDown { target, until } => {
            let left = until.since_ms(attempt.started_at).div_ceil(1_000);
            Verdict::End(
                StepOutcome::CoolingDown,
                Some(format!("{target} was touched a short while ago, it cools down for another {left} s")),
            )
        }
        AttemptOutcome::Unavailable { service, message, retry_after_ms } => {
            let reason = format!("{service} is out of reach: {message}");
            match planned.spec.on_unavailable {
                OnUnavailable::Skip if used_up => Verdict::End(StepOutcome::Skipped, Some(reason)),
                OnUnavailable::Fail if used_up => Verdict::End(StepOutcome::Failed, Some(reason)),
                OnUnavailable::Skip | OnUnavailable::Fail | OnUnavailable::Retry => {
                    Verdict::Again { reason, after_ms: retry_after_ms.unwrap_or(0) }
                }
            }
        }
        AttemptOutcome::Failed { code, message, retryable } => {
            let reason = format!("{code}: {message}");
            if *retryable && !used_up {
                Verdict::Again { reason, after_ms: 0 }
            } else {
                Verdict::End(StepOutcome::Failed, Some(reason))
            }
        }
        AttemptOutcome::TimedOut { message } => match planned.spec.safety {
            Safety::Unknown => Verdict::End(StepOutcome::Unknown, Some(message.clone())),
            Safety::ReadOnly | Safety::Idempotent | Safety::Probe if used_up => {
                Verdict::End(StepOutcome::TimedOut, Some(message.clone()))
            }
            Safety::ReadOnly | Safety::Idempotent | Safety::Probe => {
                Verdict::Again { reason: message.clone(), after_ms: 0 }
            }
        },
        AttemptOutcome::Unknown { message } => Verdict::End(StepOutcome::Unknown, Some(message.clone())),
    }
}

/// A verify entry has an answer: is it the one that was hoped for?
fn looked(planned: &PlannedStep, state: &State, step: StepRef) -> Verdict {
    let Some(until) = &planned.until else {
        return Verdict::End(StepOutcome::Succeeded, None);
    };
    match until.holds(&state.scope(step)) {
        Ok(true) => Verdict::End(StepOutcome::Succeeded, None),
        Ok(false) => Verdict::Again { reason: "not healed yet".to_owned(), after_ms: 0 },
        Err(error) => Verdict::End(StepOutcome::Failed, Some(format!("until: {error}"))),
    }
}

/// The limit that a start at `due_at` would break, in words.
fn out_of_time(planned: &PlannedStep, state: &State, attempt: &Attempt, due_at: Timestamp) -> Option<String> {
    let within = planned.spec.until.as_ref().map(|until| until.within_seconds);
    match within {
        Some(seconds) if due_at > attempt.first_started_at.plus_ms(seconds_to_ms(seconds)) => {
            Some(format!("its {seconds} seconds are over"))
        }
        _ if due_at >= state.deadline => Some("the run's time is over before another attempt".to_owned()),
        Some(_) | None => None,
    }
}

fn end_of_time(planned: &PlannedStep, result: &AttemptResult, step: StepRef, reason: &str, limit: &str) -> Event {
    let outcome = match (&result.outcome, planned.spec.on_unavailable) {
        (AttemptOutcome::Unavailable { .. }, OnUnavailable::Skip) => StepOutcome::Skipped,
        _ => given_up(result),
    };
    Event::StepEnded { step, outcome, reason: Some(format!("{reason}; {limit}")) }
}

const fn given_up(result: &AttemptResult) -> StepOutcome {
    match result.outcome {
        AttemptOutcome::TimedOut { .. } => StepOutcome::TimedOut,
        AttemptOutcome::Unknown { .. } => StepOutcome::Unknown,
        AttemptOutcome::Succeeded
        | AttemptOutcome::NoOp { .. }
        | AttemptOutcome::Denied { .. }
        | AttemptOutcome::CoolingDown { .. }
        | AttemptOutcome::Unavailable { .. }
        | AttemptOutcome::Failed { .. } => StepOutcome::Failed,
    }
}

fn refusal(violations: &[Violation]) -> String {
    let rules: Vec<_> = violations.iter().map(|violation| format!("{} ({})", violation.rule, violation.msg)).collect();
    if rules.is_empty() { "the policy refused, without a reason".to_owned() } else { rules.join("; ") }
}

/// Before the attempt after `attempt`: doubled each time, between half and the whole of it by `jitter`, so that many runs do not come back at once.
fn backoff_ms(retry: Retry, attempt: u32, jitter: u64) -> u64 {
    let doubled = 1_u64.checked_shl(attempt.saturating_sub(1)).unwrap_or(u64::MAX);
    let seconds = retry.backoff_seconds.saturating_mul(doubled).min(retry.max_backoff_seconds);
    let whole = seconds_to_ms(seconds);
    whole / 2 + jitter % (whole / 2 + 1)
}

/// Spreads one turn's entropy over the steps that it schedules (the multiplier is that of splitmix64).
fn jitter(step: StepRef, entropy: u64) -> u64 {
    let salt = u64::from(step.step) << 32 | u64::from(step.item.unwrap_or(u32::MAX));
    (entropy ^ salt).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 17
}
