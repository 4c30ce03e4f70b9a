//! Starts the first step that is ready: its condition, its elements, its parameters.

use std::time::Duration;

use serde_json::Value;

use super::approval;
use super::reissue::first_last_start;
use crate::autonomy::RunMode;
use crate::catalog::WAIT;
use crate::event::{Event, StepOutcome};
use crate::id::{StepIndex, StepRef, Token};
use crate::message::{digest_parameters, digest_shadowed};
use crate::plan::{Plan, PlannedStep};
use crate::state::{Attempt, State};
use crate::template::{TemplateError, Test, Tree, brief};
use crate::time::{Timestamp, seconds_to_ms};
use crate::{Map, limit};

/// Starts one step or one element, or ends it if it cannot start.
pub(super) fn next(plan: &Plan, state: &State, now: Timestamp, entropy: u64) -> Option<Event> {
    if state.in_flight >= limit::IN_FLIGHT {
        return None;
    }
    let element =
        |step: &StepIndex| state.fan(*step).filter(|fan| fan.has_room()).map(|fan| StepRef::item(*step, fan.next));
    let whole = || state.ready.first().copied().map(StepRef::whole);
    let step = state.fanning.iter().find_map(element).or_else(whole)?;
    let planned = plan.step(step.step)?;
    if state.mode.is_shadow() && plan.is_verify(step.step) {
        return Some(shadowed(step, "nothing was done, so there is nothing to verify".to_owned()));
    }
    if let Some(event) = check_condition(planned, state, step) {
        return Some(event);
    }
    Some(match (&planned.items, step.item) {
        (Some(items), None) => fan_out(planned, items, state, step),
        (Some(_), Some(_)) | (None, _) => begin(planned, state, step, now, entropy),
    })
}

/// Starts the attempt after a backoff, with the same parameters and a new token. It has the time that was left when it was due at `due_at`.
pub(super) fn retry(
    plan: &Plan,
    state: &State,
    step: StepRef,
    (last, due_at): (&Attempt, Timestamp),
    now: Timestamp,
    entropy: u64,
) -> Event {
    let timeout_seconds = plan.step(step.step).map_or(1, |planned| planned.spec.timeout_seconds);
    let timeout_ms = time_of_attempt(timeout_seconds, state.deadline_at(due_at).since_ms(due_at));
    start_attempt(state, step, last.number + 1, last.parameters.clone(), timeout_ms, now, entropy)
}

/// Starts a held attempt anew: nothing was done about it, and the facts may have changed since. It has the next number, since
/// the claim of the earlier one is closed.
pub(super) fn anew(
    plan: &Plan,
    state: &State,
    step: StepRef,
    held: &Attempt,
    now: Timestamp,
    entropy: u64,
) -> Option<Event> {
    let planned = plan.step(step.step)?;
    if let Some(event) = planned.condition.as_ref().and_then(|condition| unless_true(planned, condition, state, step)) {
        return Some(event);
    }
    Some(match prepare(planned, state, step) {
        Ok(parameters) => start_unless_asked(planned, state, step, Some(held), parameters, now, entropy),
        Err(event) => *event,
    })
}

/// Starts the first attempt of a step, or the one after a held one; asks people first if the step wants that and they have not approved exactly
/// this.
fn start_unless_asked(
    planned: &PlannedStep,
    state: &State,
    step: StepRef,
    held: Option<&Attempt>,
    parameters: Map,
    now: Timestamp,
    entropy: u64,
) -> Event {
    let asks = match &planned.approval_when {
        Some(when) => when.holds(&state.scope(step)),
        None => Ok(true),
    };
    let given = held.and_then(|held| held.approved.as_ref());
    let given = given.filter(|given| given.digest == digest_parameters(&parameters));
    match (&planned.spec.approval, asks) {
        (Some(approval), Ok(true))
            if !state.mode.is_shadow() && !given.is_some_and(|given| approval.is_met_by(given)) =>
        {
            let why = format!("step {} asks for an approval", planned.spec.name);
            approval::ask(state, step, parameters, approval, why, now)
        }
        (Some(_), Err(error)) => cannot_start(planned, state, step, "approval.when", &error),
        (Some(_), Ok(_)) | (None, _) => {
            let timeout_ms = time_of_attempt(planned.spec.timeout_seconds, state.deadline_at(now).since_ms(now));
            let number = held.map_or(1, |held| held.number + 1);
            start_attempt(state, step, number, parameters, timeout_ms, now, entropy)
        }
    }
}

/// Ends the step, or the element, if its condition is false or cannot be evaluated.
///
/// A condition that reads `item` is checked for each element of a step that fans out, any other once for the step.
pub(super) fn check_condition(planned: &PlannedStep, state: &State, step: StepRef) -> Option<Event> {
    let condition = planned.condition.as_ref()?;
    let reads_item = || condition.names().iter().any(|name| name.split('.').next() == Some("item"));
    let is_per_item = planned.items.is_some() && reads_item();
    if is_per_item != step.item.is_some() {
        return None;
    }
    unless_true(planned, condition, state, step)
}

fn unless_true(planned: &PlannedStep, condition: &Test, state: &State, step: StepRef) -> Option<Event> {
    match condition.holds(&state.scope(step)) {
        Ok(true) => None,
        Ok(false) => Some(Event::ConditionFalse { step }),
        Err(error) => Some(cannot_start(planned, state, step, "condition", &error)),
    }
}

fn fan_out(planned: &PlannedStep, items: &Tree, state: &State, step: StepRef) -> Event {
    let rendered = match items.render(&state.scope(step)) {
        Ok(rendered) => rendered,
        Err((path, error)) => {
            return cannot_start(planned, state, step, &format!("for_each{path}"), &error);
        }
    };
    let Value::Array(items) = rendered else {
        return failed(step, format!("for_each gave {}, a list is needed", brief(&rendered)));
    };
    if items.len() > limit::FAN_OUT_ITEMS {
        return failed(step, format!("for_each has {} elements, the limit is {}", items.len(), limit::FAN_OUT_ITEMS));
    }
    let bytes: usize = items.iter().map(|item| item.to_string().len() + 1).sum();
    if bytes > limit::FAN_OUT_BYTES {
        return failed(
            step,
            format!("the elements of for_each have {bytes} bytes, the limit is {} bytes", limit::FAN_OUT_BYTES),
        );
    }
    Event::FannedOut { step: step.step, items }
}

/// Starts the first attempt, or the wait.
fn begin(planned: &PlannedStep, state: &State, step: StepRef, now: Timestamp, entropy: u64) -> Event {
    let parameters = match prepare(planned, state, step) {
        Ok(parameters) => parameters,
        Err(event) => return *event,
    };
    if planned.spec.kind == WAIT {
        return start_wait(state, step, &parameters, now);
    }
    start_unless_asked(planned, state, step, None, parameters, now, entropy)
}

/// The rendered parameters of a step, or its end if it has none that it could start with.
pub(super) fn prepare(planned: &PlannedStep, state: &State, step: StepRef) -> Result<Map, Box<Event>> {
    let parameters = render_parameters(planned, state, step)
        .map_err(|(path, error)| Box::new(cannot_start(planned, state, step, &format!("parameters.{path}"), &error)))?;
    let bytes = Value::Object(parameters.clone()).to_string().len();
    if bytes > limit::PARAMETER_BYTES {
        let reason = format!("the parameters have {bytes} bytes, the limit is {} bytes", limit::PARAMETER_BYTES);
        return Err(Box::new(failed(step, reason)));
    }
    Ok(parameters)
}

pub(crate) fn render_parameters(
    planned: &PlannedStep,
    state: &State,
    step: StepRef,
) -> Result<Map, (String, TemplateError)> {
    let scope = state.scope(step);
    let rendered = planned.parameters.render(&scope)?;
    let mut parameters = match rendered {
        Value::Object(parameters) => parameters,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => Map::new(),
    };
    for name in &planned.spec.inherits {
        if let (None, Some(value)) = (parameters.get(name), state.variable(name)) {
            parameters.insert(name.clone(), value);
        }
    }
    Ok(parameters)
}

fn start_wait(state: &State, step: StepRef, parameters: &Map, now: Timestamp) -> Event {
    let observed = parameters.get("seconds");
    let Some(length) = observed.and_then(Value::as_f64).and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
    else {
        let observed = observed.map_or_else(|| "nothing".to_owned(), brief);
        return failed(step, format!("parameters.seconds is {observed}, a number of seconds is needed"));
    };
    let seconds = length.as_secs_f64();
    if length > Duration::from_secs(limit::DURATION_SECONDS) {
        return failed(
            step,
            format!("parameters.seconds is {seconds}, the limit is {} seconds", limit::DURATION_SECONDS),
        );
    }
    if state.mode.is_shadow() {
        return shadowed(step, format!("would wait {seconds} s"));
    }
    let until = now.plus_ms(u64::try_from(length.as_millis()).unwrap_or(u64::MAX));
    if until >= state.deadline_at(until) {
        return failed(step, format!("a wait of {seconds} s ends after the run's deadline"));
    }
    Event::WaitStarted { step, until }
}

pub(super) fn start_attempt(
    state: &State,
    step: StepRef,
    number: u32,
    parameters: Map,
    timeout_ms: u64,
    now: Timestamp,
    entropy: u64,
) -> Event {
    Event::AttemptStarted {
        step,
        attempt: number,
        token: Token::derive(&state.run_id, step, number, entropy),
        parameters_digest: match state.mode {
            RunMode::Live => digest_parameters(&parameters),
            RunMode::Shadow => digest_shadowed(&parameters),
        },
        parameters,
        deadline: first_last_start(now),
        timeout_ms: Some(timeout_ms),
    }
}

/// Milliseconds of an attempt: the step's timeout, or what is left of the run's.
pub(super) fn time_of_attempt(timeout_seconds: u64, left_ms: u64) -> u64 {
    seconds_to_ms(timeout_seconds).min(left_ms.max(limit::SHORTEST_ATTEMPT_MS))
}

/// Ends a step that has a fault before its first attempt.
///
/// A step that reads an output of a skipped step is skipped too: the guide rules that a playbook goes on if a service is unavailable. Just so,
/// a step that reads an output of a shadowed step is shadowed.
fn cannot_start(planned: &PlannedStep, state: &State, step: StepRef, field: &str, error: &TemplateError) -> Event {
    if let TemplateError::Undefined { name } = error
        && let Some((producer, outcome)) = state.absent_producer(name)
    {
        let reason = format!("{field} needs `{name}`, an output of step {producer}, which was {}", outcome.as_str());
        return Event::StepEnded { step, outcome, reason: Some(reason) };
    }
    failed(step, format!("{field} of step {}: {error}", planned.spec.name))
}

fn shadowed(step: StepRef, reason: String) -> Event {
    Event::StepEnded { step, outcome: StepOutcome::Shadowed, reason: Some(reason) }
}

fn failed(step: StepRef, reason: String) -> Event {
    Event::StepEnded { step, outcome: StepOutcome::Failed, reason: Some(reason) }
}
