//! Asks people, reminds them, and goes on with their answer.

use super::start;
use crate::event::{Event, StepOutcome};
use crate::id::StepRef;
use crate::message::digest_parameters;
use crate::plan::Plan;
use crate::playbook::Approval;
use crate::state::{Attempt, Question, State};
use crate::time::{Timestamp, seconds_to_ms};
use crate::{Map, limit};

/// The reminder that is due, if there is one. A question whose time is over has ended before.
pub(super) fn remind(state: &State, now: Timestamp) -> Option<Event> {
    let due = |(step, question): (Option<StepRef>, &Question)| {
        let percent = question.due_reminder(now)?;
        Some(Event::ApprovalExpiring { step, percent, until: question.until })
    };
    state.open_questions().find_map(due)
}

/// Ends the first step that people have rejected.
pub(super) fn end_rejected(state: &State) -> Option<Event> {
    let rejected = |step: &StepRef| {
        let reason = state.step_question(*step)?.rejection.clone()?;
        Some(Event::StepEnded { step: *step, outcome: StepOutcome::Denied, reason: Some(reason) })
    };
    state.decided.iter().find_map(rejected)
}

/// Ends a step that was not approved in time.
pub(super) fn expire(step: StepRef, question: &Question) -> Event {
    Event::StepEnded { step, outcome: StepOutcome::Denied, reason: Some(question.expiry()) }
}

/// Starts the first step that people have approved, if it would still do what they were asked about; otherwise they are asked again.
pub(super) fn start_approved(plan: &Plan, state: &State, now: Timestamp, entropy: u64) -> Option<Event> {
    let is_approved = |step: &&StepRef| state.step_question(**step).is_some_and(Question::is_approved);
    let step = *state.decided.iter().find(is_approved)?;
    if state.in_flight >= limit::IN_FLIGHT {
        return None;
    }
    let (planned, question) = (plan.step(step.step)?, state.step_question(step)?);
    if let Some(event) = start::check_condition(planned, state, step) {
        return Some(event);
    }
    let parameters = match start::prepare(planned, state, step) {
        Ok(parameters) => parameters,
        Err(event) => return Some(*event),
    };
    Some(if digest_parameters(&parameters) == question.digest {
        let timeout_ms = start::time_of_attempt(planned.spec.timeout_seconds, state.deadline_at(now).since_ms(now));
        start::start_attempt(state, step, question.next_attempt(), parameters, timeout_ms, now, entropy)
    } else {
        let why = format!("what was approved has changed; {}", question.why);
        ask(state, step, parameters, &asked_anew(question), why, now)
    })
}

/// The question again, with its own bounds.
fn asked_anew(question: &Question) -> Approval {
    Approval {
        when: None,
        approvers: question.approvers.clone(),
        min: question.min,
        expires_seconds: question.until.since_ms(question.at) / 1_000,
        reminder: question.reminds,
    }
}

/// Asks for the approval that the policy wants for an attempt which did nothing.
pub(super) fn ask_for_policy(
    own: Option<&Approval>,
    state: &State,
    step: StepRef,
    attempt: &Attempt,
    approvers: &[String],
    why: String,
    now: Timestamp,
) -> Event {
    let own = own.cloned().unwrap_or_default();
    let approval = Approval { approvers: approvers.to_vec(), min: 1, ..own };
    ask(state, step, attempt.parameters.clone(), &approval, why, now)
}

/// The question whether the step may do this. Its time is no longer than the run may still wait.
pub(super) fn ask(
    state: &State,
    step: StepRef,
    parameters: Map,
    approval: &Approval,
    why: String,
    now: Timestamp,
) -> Event {
    let left_ms = limit::WAIT_MS.saturating_sub(state.waited_ms());
    Event::ApprovalRequested {
        step,
        digest: digest_parameters(&parameters),
        parameters,
        approvers: approval.approvers.clone(),
        min: approval.min,
        until: now.plus_ms(seconds_to_ms(approval.expires_seconds).min(left_ms)),
        why,
        reminder: approval.reminder,
    }
}
