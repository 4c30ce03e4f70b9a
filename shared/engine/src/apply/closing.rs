//! What a run as a whole leaves for a person at its end.

use crate::event::RunOutcome;
use crate::id::StepIndex;
use crate::plan::{Plan, PlannedStep};
use crate::state::State;
use crate::state::follow_up::ESCALATION;

/// Whether a step has started that changes something.
pub(super) fn has_changed(plan: &Plan, state: &State) -> bool {
    !state.mode.is_shadow() && changes(plan).any(|(step, _)| state.step_started_at(step).is_some())
}

/// Adds the follow-ups of a run that ends with `outcome`. A shadow run leaves none: it was not to do anything.
pub(super) fn add_follow_ups(plan: &Plan, state: &mut State, outcome: RunOutcome, reason: Option<&str>) {
    if state.mode.is_shadow() {
        return;
    }
    let at = state.updated_at;
    if outcome == RunOutcome::Escalated {
        let (run_id, reason) = (&state.run_id, reason.unwrap_or("the same remedy was needed too often"));
        let text = format!(
            "find the cause, since the remedy does not last: {reason}; the engine does nothing more about it until you acknowledge: \
             heal escalations ack {run_id}"
        );
        state.follow_up.add_as(ESCALATION, text, at);
        return;
    }
    let was_withdrawn = state.withdrawn.is_some() && outcome == RunOutcome::Cancelled;
    if was_withdrawn && has_changed(plan, state) {
        let text = describe_rest(plan, state);
        state.follow_up.add(None, text, at);
    }
    // Nobody has to be called about an alert that is over.
    if state.escalation_required() && !was_withdrawn && outcome.leaves_work() {
        let severity = state.severity().map(|severity| format!(" (severity {severity})")).unwrap_or_default();
        let (incident, outcome) = (&state.incident_id, outcome.as_str());
        let text =
            format!("escalate incident {incident}{severity}: it requires escalation, and its run ended {outcome}");
        state.follow_up.add(None, text, at);
    }
}

/// What a withdrawn run had begun and what it left out.
fn describe_rest(plan: &Plan, state: &State) -> String {
    let names = |started: bool| {
        let steps = changes(plan).filter(|(step, _)| state.step_started_at(*step).is_some() == started);
        steps.map(|(_, planned)| planned.spec.name.as_str()).collect::<Vec<_>>().join(", ")
    };
    let (done, left) = (names(true), names(false));
    let incident = &state.incident_id;
    let left = if left.is_empty() { String::new() } else { format!(" and before {left}") };
    format!("check the targets of incident {incident}: its run was withdrawn after {done} had started{left}")
}

fn changes(plan: &Plan) -> impl Iterator<Item = (StepIndex, &PlannedStep)> {
    plan.steps().filter(|(_, planned)| planned.is_change())
}
