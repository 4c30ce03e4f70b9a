//! What follows from an attempt's result: the end of its step, or another attempt.

use super::approval;
use crate::catalog::Safety;
use crate::event::{Event, StepOutcome};
use crate::id::StepRef;
use crate::message::{AttemptOutcome, AttemptResult, GUARDRAILS_POLICY, Violation};
use crate::plan::{Plan, PlannedStep};
use crate::playbook::{OnUnavailable, Retry};
use crate::state::{Attempt, Pending, State};
use crate::time::{Timestamp, seconds_to_ms};

/// What a result leads to.
enum Consequence {
    /// The step ends, with a reason.
    End(StepOutcome, Option<String>),
    /// Another attempt starts, after `after_ms` milliseconds at the earliest.
    Retry { reason: String, after_ms: u64 },
    /// People are asked first.
    Ask { approvers: Vec<String>, why: String },
}

/// The event that follows from the result of the step's attempt; `None` if there is no result.
pub(super) fn next(plan: &Plan, state: &State, step: StepRef, now: Timestamp, entropy: u64) -> Option<Event> {
    let (Some(Pending::Answered(attempt, result)), Some(planned)) = (state.pending.get(&step), plan.step(step.step))
    else {
        return None;
    };
    let consequence = match judge(planned, state, step, attempt, result) {
        Consequence::Retry { reason, .. } if state.stopping.is_some() => Consequence::End(
            outcome_without_retry(result),
            Some(format!("{reason}; the run stopped before another attempt")),
        ),
        Consequence::Ask { why, .. } if state.stopping.is_some() => {
            Consequence::End(StepOutcome::Denied, Some(format!("{why}; the run stopped before anybody was asked")))
        }
        consequence @ (Consequence::End(..) | Consequence::Retry { .. } | Consequence::Ask { .. }) => consequence,
    };
    Some(match consequence {
        Consequence::End(outcome, reason) => Event::StepEnded { step, outcome, reason },
        Consequence::Ask { approvers, why } => {
            let own = planned.spec.approval.as_ref();
            approval::ask_for_policy(own, state, step, attempt, &approvers, why, now)
        }
        Consequence::Retry { reason, after_ms } => {
            let delay_ms = match &planned.spec.until {
                Some(until) => seconds_to_ms(until.every_seconds).max(after_ms),
                None => backoff_ms(planned.spec.retry, attempt.tries(), jitter(step, entropy)).max(after_ms),
            };
            let due_at = now.plus_ms(delay_ms);
            match exceeded_time(planned, state, attempt, due_at) {
                Some(limit) => end_without_retry(planned, result, step, &reason, &limit),
                None => Event::RetryScheduled { step, attempt: attempt.number + 1, due_at, reason },
            }
        }
    })
}

fn judge(
    planned: &PlannedStep,
    state: &State,
    step: StepRef,
    attempt: &Attempt,
    result: &AttemptResult,
) -> Consequence {
    let is_last = attempt.tries() >= planned.spec.retry.max_attempts && planned.spec.until.is_none();
    match &result.outcome {
        AttemptOutcome::Succeeded | AttemptOutcome::NoOp { .. } if planned.until.is_some() => {
            verify(planned, state, step)
        }
        AttemptOutcome::Succeeded => Consequence::End(StepOutcome::Succeeded, None),
        AttemptOutcome::NoOp { reason } => Consequence::End(StepOutcome::NoOp, Some(reason.clone())),
        AttemptOutcome::Denied { violations } => {
            Consequence::End(StepOutcome::Denied, Some(join_violations(violations)))
        }
        AttemptOutcome::NeedsApproval { violations, approvers } => {
            let is_guarded = !violations.is_empty() && violations.iter().all(|one| one.policy == GUARDRAILS_POLICY);
            let who = if is_guarded { "the guardrails ask" } else { "the policy asks" };
            let why = format!("{who} for an approval: {}", join_violations(violations));
            Consequence::Ask { approvers: approvers.clone(), why }
        }
        AttemptOutcome::CoolingDown { target, until, rule: None } => {
            let left = until.since_ms(attempt.started_at).div_ceil(1_000);
            Consequence::End(StepOutcome::CoolingDown, Some(format!("{target} is cooling down for another {left} s")))
        }
        AttemptOutcome::CoolingDown { target, rule: Some(rule), .. } => {
            Consequence::End(StepOutcome::CoolingDown, Some(format!("{target} is left alone: {rule}")))
        }
        AttemptOutcome::Unavailable { service, message, retry_after_ms } => {
            let reason = format!("{service} is out of reach: {message}");
            match planned.spec.on_unavailable {
                OnUnavailable::Skip if is_last => Consequence::End(StepOutcome::Skipped, Some(reason)),
                OnUnavailable::Fail if is_last => Consequence::End(StepOutcome::Failed, Some(reason)),
                OnUnavailable::Skip | OnUnavailable::Fail | OnUnavailable::Retry => {
                    Consequence::Retry { reason, after_ms: retry_after_ms.unwrap_or(0) }
                }
            }
        }
        AttemptOutcome::Failed { code, message, retryable } => {
            let reason = format!("{code}: {message}");
            if *retryable && !is_last {
                Consequence::Retry { reason, after_ms: 0 }
            } else {
                Consequence::End(StepOutcome::Failed, Some(reason))
            }
        }
        AttemptOutcome::TimedOut { message } => match planned.spec.safety {
            Safety::Unknown if !result.not_applied => Consequence::End(StepOutcome::Unknown, Some(message.clone())),
            Safety::ReadOnly | Safety::Idempotent | Safety::Probe | Safety::Unknown if is_last => {
                Consequence::End(StepOutcome::TimedOut, Some(message.clone()))
            }
            Safety::ReadOnly | Safety::Idempotent | Safety::Probe | Safety::Unknown => {
                Consequence::Retry { reason: message.clone(), after_ms: 0 }
            }
        },
        AttemptOutcome::Unknown { message } => Consequence::End(StepOutcome::Unknown, Some(message.clone())),
        AttemptOutcome::Shadowed { would, .. } => Consequence::End(StepOutcome::Shadowed, Some(would.clone())),
    }
}

/// Holds a verify entry's output against its `until`.
fn verify(planned: &PlannedStep, state: &State, step: StepRef) -> Consequence {
    let Some(until) = &planned.until else {
        return Consequence::End(StepOutcome::Succeeded, None);
    };
    match until.holds(&state.scope(step)) {
        Ok(true) => Consequence::End(StepOutcome::Succeeded, None),
        Ok(false) => Consequence::Retry { reason: "not healed yet".to_owned(), after_ms: 0 },
        Err(error) => Consequence::End(StepOutcome::Failed, Some(format!("until: {error}"))),
    }
}

/// The limit that an attempt at `due_at` would exceed, in words.
fn exceeded_time(planned: &PlannedStep, state: &State, attempt: &Attempt, due_at: Timestamp) -> Option<String> {
    let within = planned.spec.until.as_ref().map(|until| until.within_seconds);
    match within {
        // Waiting for workers does not count.
        Some(seconds)
            if due_at > attempt.first_started_at.plus_ms(seconds_to_ms(seconds)).plus_ms(attempt.waited_ms) =>
        {
            Some(format!("its {seconds} seconds have passed"))
        }
        _ if due_at >= state.deadline_at(due_at) => Some("the run times out before another attempt".to_owned()),
        Some(_) | None => None,
    }
}

fn end_without_retry(planned: &PlannedStep, result: &AttemptResult, step: StepRef, reason: &str, limit: &str) -> Event {
    let outcome = match (&result.outcome, planned.spec.on_unavailable) {
        (AttemptOutcome::Unavailable { .. }, OnUnavailable::Skip) => StepOutcome::Skipped,
        _ => outcome_without_retry(result),
    };
    Event::StepEnded { step, outcome, reason: Some(format!("{reason}; {limit}")) }
}

/// The step's outcome if its last attempt would be retried but cannot be.
const fn outcome_without_retry(result: &AttemptResult) -> StepOutcome {
    match result.outcome {
        AttemptOutcome::TimedOut { .. } => StepOutcome::TimedOut,
        AttemptOutcome::Unknown { .. } => StepOutcome::Unknown,
        AttemptOutcome::Shadowed { .. } => StepOutcome::Shadowed,
        AttemptOutcome::Succeeded
        | AttemptOutcome::NoOp { .. }
        | AttemptOutcome::Denied { .. }
        | AttemptOutcome::NeedsApproval { .. }
        | AttemptOutcome::CoolingDown { .. }
        | AttemptOutcome::Unavailable { .. }
        | AttemptOutcome::Failed { .. } => StepOutcome::Failed,
    }
}

fn join_violations(violations: &[Violation]) -> String {
    let rules: Vec<_> = violations.iter().map(|violation| format!("{} ({})", violation.rule, violation.msg)).collect();
    if rules.is_empty() { "the policy gave no reason".to_owned() } else { rules.join("; ") }
}

/// The delay after `attempt`: doubled each time, and by `jitter` between half and the whole of that, so that many runs do not retry at once.
fn backoff_ms(retry: Retry, attempt: u32, jitter: u64) -> u64 {
    let doubled = 1_u64.checked_shl(attempt.saturating_sub(1)).unwrap_or(u64::MAX);
    let seconds = retry.backoff_seconds.saturating_mul(doubled).min(retry.max_backoff_seconds);
    let whole = seconds_to_ms(seconds);
    whole / 2 + jitter % (whole / 2 + 1)
}

/// Derives a number for each step from the turn's entropy (the multiplier is that of splitmix64).
fn jitter(step: StepRef, entropy: u64) -> u64 {
    let salt = u64::from(step.step) << 32 | u64::from(step.item.unwrap_or(u32::MAX));
    (entropy ^ salt).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 17
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_backoff_doubles_up_to_its_bound_and_has_between_half_and_the_whole_of_that() {
        let retry = Retry { max_attempts: 9, backoff_seconds: 2, max_backoff_seconds: 60 };
        for (attempt, seconds) in [(1, 2), (2, 4), (3, 8), (5, 32), (6, 60), (99, 60)] {
            let whole = seconds * 1_000;
            for (jitter, expected) in
                [(0, whole / 2), (1, whole / 2 + 1), (whole / 2, whole), (whole / 2 + 1, whole / 2)]
            {
                assert_eq!(backoff_ms(retry, attempt, jitter), expected, "attempt {attempt}, jitter {jitter}");
            }
        }
    }

    #[test]
    fn steps_elements_and_turns_retry_at_different_moments() {
        let moments =
            |jitters: Vec<u64>| jitters.into_iter().map(|jitter| jitter % 1_001).collect::<BTreeSet<_>>().len();
        // Of 1,000 random numbers up to 1,000, some 640 differ.
        assert!(moments((0..1_000).map(|step| jitter(StepRef::whole(step), 7)).collect()) > 500);
        assert!(moments((0..1_000).map(|item| jitter(StepRef::item(3, item), 7)).collect()) > 500);
        assert!(moments((0..1_000).map(|entropy| jitter(StepRef::whole(3), entropy)).collect()) > 500);
    }
}
