//! What actions say in the log: the guide's events, each with the fields that every line of an attempt has.

use std::fmt::Display;

use super::Call;

/// `target` was touched as it was asked for, or looked at. `event` such as `playbook_executor.ticket_reallocated`.
pub fn done(call: &Call, event: &str, target: &str, what: &str) {
    let command = &call.command;
    tracing::info!(
        event,
        run_id = %command.run_id,
        incident_id = command.context.incident_id,
        playbook = command.context.playbook,
        step = command.step,
        action = command.action,
        attempt = command.attempt,
        trace_id = command.context.trace_id(),
        target_id = target,
        "{what}"
    );
}

/// It did not work, and what that leaves for a person to do.
pub fn failed(call: &Call, event: &str, target: &str, error: &dyn Display, follow_up: Option<&str>) {
    let command = &call.command;
    tracing::warn!(
        event,
        run_id = %command.run_id,
        incident_id = command.context.incident_id,
        playbook = command.context.playbook,
        step = command.step,
        action = command.action,
        attempt = command.attempt,
        trace_id = command.context.trace_id(),
        target_id = target,
        %error,
        follow_up,
        "{} did not work", command.action
    );
}
