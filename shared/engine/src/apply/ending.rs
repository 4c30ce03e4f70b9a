//! Ends a step: what that means for the steps that need it, and for the person who reads the summary.

use std::sync::Arc;

use serde_json::json;

use super::attempt::end_timer;
use super::{clear_pending, mark_started};
use crate::Map;
use crate::event::{StepOutcome, StopCause};
use crate::id::{StepIndex, StepRef};
use crate::message::{AttemptOutcome, AttemptResult};
use crate::plan::{Plan, PlannedStep};
use crate::playbook::OnFailure;
use crate::state::{Fan, Pending, State, StepState, Stop};

/// Whether the attempt's output counts as the step's output.
pub(super) const fn has_output(result: &AttemptResult) -> bool {
    match result.outcome {
        AttemptOutcome::Succeeded | AttemptOutcome::NoOp { .. } => true,
        AttemptOutcome::Denied { .. }
        | AttemptOutcome::NeedsApproval { .. }
        | AttemptOutcome::CoolingDown { .. }
        | AttemptOutcome::Unavailable { .. }
        | AttemptOutcome::Failed { .. }
        | AttemptOutcome::TimedOut { .. }
        | AttemptOutcome::Unknown { .. }
        | AttemptOutcome::Shadowed { .. } => false,
    }
}

/// Ends a step, or one element of a step that fans out.
pub(super) fn end(plan: &Plan, state: &mut State, step: StepRef, outcome: StepOutcome, reason: Option<&str>) {
    end_timer(state, step);
    let last = clear_pending(state, step);
    let Some(planned) = plan.step(step.step) else {
        return;
    };
    let follow_ups = state.follow_up.len();
    note(planned, state, step, outcome, reason, last.as_ref());
    let has_follow_up = state.follow_up.len() > follow_ups;
    if has_follow_up || outcome == StepOutcome::Skipped || !outcome.is_ok() {
        record_shortfall(state, step, outcome);
    }
    match step.item {
        Some(_) => end_item(planned, state, step, last.is_some(), outcome, reason),
        None => end_whole(planned, state, step.step, outcome, reason),
    }
}

/// Of the elements of a fan-out the first counts, unless the step as a whole falls short.
fn record_shortfall(state: &mut State, step: StepRef, outcome: StepOutcome) {
    if step.item.is_none() {
        state.shortfalls.insert(step.step, outcome);
    } else {
        state.shortfalls.entry(step.step).or_insert(outcome);
    }
}

fn end_item(
    planned: &PlannedStep,
    state: &mut State,
    step: StepRef,
    had_started: bool,
    outcome: StepOutcome,
    reason: Option<&str>,
) {
    if !had_started {
        mark_started(state, step);
    }
    let Some(StepState::FannedOut(fan)) = state.steps.get_mut(step.step as usize) else {
        return;
    };
    fan.running = fan.running.saturating_sub(1);
    *fan.tally.entry(outcome.as_str()).or_default() += 1;
    if !outcome.is_ok() {
        fan.first_failure.get_or_insert_with(|| (outcome, reason.unwrap_or(outcome.as_str()).to_owned()));
        fan.halted |= planned.spec.on_failure == OnFailure::Stop;
    }
    // A step whose elements have all ended stays in the set, because its own end has to be recorded.
    if fan.has_room() || fan.has_ended() {
        state.fanning.insert(step.step);
    } else {
        state.fanning.remove(&step.step);
    }
}

fn end_whole(planned: &PlannedStep, state: &mut State, step: StepIndex, outcome: StepOutcome, reason: Option<&str>) {
    if let Some(fan) = state.fan(step) {
        let counts = planned.kept(&count_elements(fan));
        Arc::make_mut(&mut state.variables).set_fan_counts(&planned.spec.name, counts);
    }
    let ending = planned.kept(&ending_fields(outcome, state.fan(step).is_some()));
    Arc::make_mut(&mut state.variables).end_step(&planned.spec.name, ending);
    state.ready.remove(&step);
    state.fanning.remove(&step);
    state.unended = state.unended.saturating_sub(1);
    if let Some(slot) = state.steps.get_mut(step as usize) {
        *slot = StepState::Ended(outcome);
    }
    if matches!(outcome, StepOutcome::Skipped | StepOutcome::Shadowed) {
        let producer = (planned.spec.name.clone(), outcome);
        let outputs = planned.spec.outputs.iter().map(|output| (output.clone(), producer.clone()));
        state.absent_outputs.extend(outputs);
    }
    if outcome.is_ok() || planned.spec.on_failure == OnFailure::Continue {
        release(state, planned);
    } else if state.failure.is_none() {
        state.failure = Some(stop(planned, outcome, reason));
    }
}

/// Makes those steps ready that waited for no other step.
fn release(state: &mut State, planned: &PlannedStep) {
    for dependent in &planned.dependents {
        if let Some(StepState::Waiting { unmet }) = state.steps.get_mut(*dependent as usize) {
            *unmet -= 1;
            if *unmet == 0 {
                if let Some(slot) = state.steps.get_mut(*dependent as usize) {
                    *slot = StepState::Ready;
                }
                state.ready.insert(*dependent);
            }
        }
    }
}

fn stop(planned: &PlannedStep, outcome: StepOutcome, reason: Option<&str>) -> Stop {
    let name = &planned.spec.name;
    let cause = match outcome {
        _ if planned.spec.until.is_some() => StopCause::NotHealed,
        StepOutcome::Denied | StepOutcome::CoolingDown => StopCause::Denied,
        StepOutcome::Succeeded
        | StepOutcome::Skipped
        | StepOutcome::NoOp
        | StepOutcome::ConditionFalse
        | StepOutcome::Failed
        | StepOutcome::TimedOut
        | StepOutcome::Unknown
        | StepOutcome::Shadowed => StopCause::Failed,
    };
    Stop { cause, reason: format!("step {name}: {}", reason.unwrap_or(outcome.as_str())) }
}

/// Adds the step to the run's warnings and follow-ups: with the action's own words, or with the engine's if the action has none.
fn note(
    planned: &PlannedStep,
    state: &mut State,
    step: StepRef,
    outcome: StepOutcome,
    reason: Option<&str>,
    last: Option<&Pending>,
) {
    let name = match step.item {
        Some(item) => format!("{}[{item}]", planned.spec.name),
        None => planned.spec.name.clone(),
    };
    let why = reason.unwrap_or(outcome.as_str());
    let result = result_of(last);
    for warning in result.iter().flat_map(|result| &result.warnings) {
        state.warnings.add(format!("{name}: {warning}"));
    }
    // The elements of a step that fans out have added theirs one by one.
    let is_fan = step.item.is_none() && state.fan(step.step).is_some();
    let has_own = result.is_some_and(|result| !result.follow_up.is_empty());
    // A shadow run was not to do anything, so it leaves nothing to do.
    let is_live = !state.mode.is_shadow();
    let mut add = |text: String| {
        if is_live {
            state.follow_up.add(Some(name.clone()), text, state.updated_at);
        }
    };
    for entry in result.iter().flat_map(|result| &result.follow_up) {
        add(format!("{name}: {entry}"));
    }
    match outcome {
        StepOutcome::Succeeded | StepOutcome::NoOp | StepOutcome::ConditionFalse | StepOutcome::Shadowed => {}
        StepOutcome::Skipped => {
            state.warnings.add(format!("{name} was skipped: {why}"));
            if !has_own && !is_fan {
                add(format!(
                    "{name}: do manually what {} would have done, or run the playbook again",
                    planned.spec.kind
                ));
            }
        }
        StepOutcome::Denied
        | StepOutcome::CoolingDown
        | StepOutcome::Failed
        | StepOutcome::TimedOut
        | StepOutcome::Unknown => {
            if !is_fan && planned.spec.on_failure == OnFailure::Continue {
                state.warnings.add(format!("{name} ended {}: {why}", outcome.as_str()));
            }
            if has_own || is_fan {
                return;
            }
            if outcome == StepOutcome::Unknown {
                add(format!("{name}: check whether {} took effect before you retry it: {why}", planned.spec.kind));
            } else {
                add(format!("{name} ended {}: {why}", outcome.as_str()));
            }
        }
    }
}

fn result_of(last: Option<&Pending>) -> Option<&AttemptResult> {
    match last? {
        Pending::Answered(_, result) => Some(result),
        Pending::Attempt(_)
        | Pending::Retry { .. }
        | Pending::Wait { .. }
        | Pending::Held { .. }
        | Pending::Approval(_) => None,
    }
}

/// The fields of `steps.NAME` that the engine sets; see [`STEP_FIELDS`](crate::catalog::STEP_FIELDS).
fn ending_fields(outcome: StepOutcome, has_counts: bool) -> Map {
    let mut fields = Map::from_iter([("outcome".to_owned(), json!(outcome.as_str()))]);
    // A step that fanned out has a count of this name.
    if !has_counts {
        fields.insert("skipped".to_owned(), json!(outcome == StepOutcome::Skipped));
    }
    fields
}

/// The outputs of a step that fanned out: how many elements ended with which outcome.
fn count_elements(fan: &Fan) -> Map {
    let tallied = StepOutcome::ALL.map(|outcome| {
        let count = fan.tally.get(outcome.as_str()).copied().unwrap_or(0);
        (outcome.as_str().to_owned(), json!(count))
    });
    std::iter::once(("count".to_owned(), json!(fan.items.len()))).chain(tallied).collect()
}
