//! The guide's log events of an action, each with the fields that every line of an attempt has.

use std::collections::BTreeSet;
use std::fmt::Display;

use heal_engine::message::Violation;

use super::Call;

/// Logs `event` of `call` for `target` with the fields of every line, then with its own `fields`.
macro_rules! log {
    ($level:ident, $call:expr, $event:expr, $target:expr, [$($fields:tt)*], $($message:tt)+) => {{
        let command = &$call.command;
        tracing::$level!(
            event = $event,
            run_id = %command.run_id,
            incident_id = command.context.incident_id,
            playbook = command.context.playbook,
            step = command.step,
            action = command.action,
            attempt = command.attempt,
            trace_id = command.context.trace_id(),
            target_id = $target,
            $($fields)*
            $($message)+
        );
    }};
}

/// `target` was changed or read as the command asks. `event` such as `playbook_executor.ticket_reallocated`.
pub fn done(call: &Call, event: &str, target: &str, message: &str) {
    log!(info, call, event, target, [], "{message}");
}

/// The action failed for `target`: `playbook_executor.<action>_failed`. `follow_up` is what a person has to do, if anything.
pub fn failed(call: &Call, target: &str, error: &dyn Display, follow_up: Option<&str>) {
    warn(call, &format!("playbook_executor.{}_failed", call.command.action), target, error, follow_up);
}

/// The service behind `client` is unavailable: `playbook_executor.<client>_unavailable`.
pub fn unavailable(call: &Call, client: &str, target: &str, error: &dyn Display, follow_up: Option<&str>) {
    warn(call, &format!("playbook_executor.{client}_unavailable"), target, error, follow_up);
}

/// The policy, a window or the scope denied the action for `target`.
pub(crate) fn denied(call: &Call, target: &str, violations: &[Violation]) {
    let rules: Vec<_> = violations.iter().map(|violation| violation.rule.as_str()).collect();
    let event = "playbook_executor.opa_validation_denied";
    let policies: BTreeSet<_> = violations.iter().map(|violation| violation.policy.as_str()).collect();
    let policies: Vec<_> = policies.into_iter().collect();
    log!(warn, call, event, target, [rules = rules.join(","), policies = policies.join(","),], "the action was denied");
}

fn warn(call: &Call, event: &str, target: &str, error: &dyn Display, follow_up: Option<&str>) {
    log!(warn, call, event, target, [%error, follow_up,], "{} failed", call.command.action);
}
