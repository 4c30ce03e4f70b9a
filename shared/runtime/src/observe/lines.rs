//! The log lines of a run: its start, what it waits for, its end. The span around them has the run, the incident and the playbook.

use heal_engine::event::RunOutcome;
use heal_engine::id::StepRef;
use heal_engine::state::Phase;
use heal_engine::{Plan, State, Timestamp};
use heal_telemetry::logs::rfc3339;

/// A run started, and waits for a person if `approval`.
pub(super) fn started(state: &State, approval: bool) {
    let (severity, escalation_required) = (state.severity(), state.escalation_required());
    let autonomy = state.autonomy.as_ref();
    let (level, set_by) = (autonomy.map(|autonomy| autonomy.level.as_str()), autonomy.map(|autonomy| &*autonomy.by));
    let shadow = state.mode.is_shadow();
    tracing::info!(severity, escalation_required, shadow, autonomy = level, autonomy_by = set_by, "run.started");
    if approval {
        let (until, approve) = (rfc3339(state.deadline.0), how_to_approve(state));
        tracing::warn!(
            event = "approval.requested",
            severity,
            escalation_required,
            until,
            approve,
            "a run awaits approval"
        );
    }
}

/// People are asked whether `step` may do what it is about to do.
pub(super) fn approval_requested(state: &State, step: &str, until: Timestamp, why: &str) {
    tracing::warn!(
        event = "approval.requested",
        severity = state.severity(),
        escalation_required = state.escalation_required(),
        step,
        why,
        until = rfc3339(until.0),
        approve = how_to_approve(state),
        "a step awaits approval"
    );
}

/// A person approved; without a `step` the run as a whole.
pub(super) fn approved(step: Option<&str>, by: &str) {
    tracing::info!(event = "approval.approved", step, by, "a person approved");
}

/// A person rejected; without a `step` the run as a whole.
pub(super) fn rejected(step: Option<&str>, by: &str, reason: &str) {
    tracing::info!(event = "approval.rejected", step, by, reason, "a person rejected");
}

/// Nobody has approved the run, or the step, yet, and `percent` of the time are over.
pub(super) fn approval_expiring(state: &State, step: Option<&str>, percent: u32, until: Timestamp) {
    tracing::warn!(
        event = "approval.expiring",
        step,
        severity = state.severity(),
        escalation_required = state.escalation_required(),
        percent,
        until = rfc3339(until.0),
        approve = how_to_approve(state),
        "a run awaits approval, and its time is running out"
    );
}

/// The alert of the run is over.
pub(super) fn withdrawn(state: &State, reason: &str) {
    tracing::info!(event = "run.withdrawn", severity = state.severity(), reason, "a run is no longer needed");
}

/// The run is held.
pub(super) fn held(by: &str, reason: &str, halt: Option<&str>, until: Option<Timestamp>) {
    let until = until.map(|until| rfc3339(until.0));
    tracing::info!(event = "run.held", by, halt, reason, until, "a run is held");
}

/// The run waits for room among the live runs.
pub(super) fn queued(state: &State) {
    tracing::info!(event = "run.queued", severity = state.severity(), "a run waits for room");
}

/// There is room for the run.
pub(super) fn admitted(state: &State, at: Timestamp) {
    let age_ms = at.since_ms(state.started_at);
    tracing::info!(
        event = "run.admitted",
        severity = state.severity(),
        age_ms,
        "there is room for a run, which goes on"
    );
}

/// A person did what the run had left.
pub(super) fn follow_up_done(state: &State, id: &str, by: &str) {
    tracing::info!(
        event = "follow_up.done",
        follow_up_id = id,
        by,
        open = state.follow_up.open(),
        "a follow-up is done"
    );
}

/// The run ended. A line of level WARN is one that a person should read.
pub(super) fn ended(state: &State, outcome: RunOutcome, reason: Option<&str>) {
    let (severity, escalation_required) = (state.severity(), state.escalation_required());
    let word = outcome.as_str();
    if escalation_required && outcome.leaves_work() && !state.mode.is_shadow() {
        tracing::warn!(outcome = word, reason, severity, escalation_required, "run.ended");
    } else {
        tracing::info!(outcome = word, reason, severity, escalation_required, "run.ended");
    }
    if outcome == RunOutcome::Escalated {
        escalated(state, reason);
    }
    if outcome == RunOutcome::Degraded {
        // Its status is `COMPLETED`, like that of a run that leaves nothing.
        let follow_up = state.follow_up.to_vec().join("; ");
        tracing::warn!(reason, follow_up, severity, escalation_required, "run.degraded");
    }
}

/// The same remedy was needed too often. The record that notifies people: one for each escalated run, whatever joins it.
fn escalated(state: &State, reason: Option<&str>) {
    tracing::warn!(
        event = "run.escalated",
        severity = state.severity(),
        escalation_required = state.escalation_required(),
        reason,
        acknowledge = format!("heal escalations ack {}", state.run_id),
        "a person has to find the cause: the same remedy does not last"
    );
}

/// `name`, or `name[item]` for an element of a step that fans out.
pub(super) fn step_name(plan: &Plan, step: StepRef) -> String {
    let name = plan.name(step.step);
    step.item.map_or_else(|| name.to_owned(), |item| format!("{name}[{item}]"))
}

/// The run as a whole has the command of old; a step is read before it is approved.
fn how_to_approve(state: &State) -> String {
    match state.phase {
        Phase::AwaitingApproval => format!("heal runs approve {}", state.run_id),
        Phase::Acting | Phase::Verifying | Phase::Ended(_) => format!("heal approvals show {}", state.run_id),
    }
}
