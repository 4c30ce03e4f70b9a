//! The guide's log events of an action, each with the fields that every line of an attempt has.

use std::fmt::Display;

use super::Call;

/// `target` was changed or read as the command asks. `event` such as `playbook_executor.ticket_reallocated`.
pub fn done(call: &Call, event: &str, target: &str, message: &str) {
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
        "{message}"
    );
}

/// The action failed for `target`: `playbook_executor.<action>_failed`. `follow_up` is what a person has to do, if anything.
pub fn failed(call: &Call, target: &str, error: &dyn Display, follow_up: Option<&str>) {
    warn(call, &format!("playbook_executor.{}_failed", call.command.action), target, error, follow_up);
}

/// The service behind `client` is unavailable: `playbook_executor.<client>_unavailable`.
pub fn unavailable(call: &Call, client: &str, target: &str, error: &dyn Display, follow_up: Option<&str>) {
    warn(call, &format!("playbook_executor.{client}_unavailable"), target, error, follow_up);
}

fn warn(call: &Call, event: &str, target: &str, error: &dyn Display, follow_up: Option<&str>) {
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
        "{} failed", command.action
    );
}
