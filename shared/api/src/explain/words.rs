//! The words for single events, safe to print: text from outside is escaped.

use heal_engine::event::Event;
use heal_engine::id::StepRef;
use heal_engine::message::AttemptOutcome;
use heal_engine::{Map, Plan, Timestamp};
use heal_telemetry::text::{printable, printable_json};
use serde_json::Value;

use super::plural;
use crate::moment;

/// Characters of parameters or outputs in one line; the run's events have all of them.
pub const DATA_CHARACTERS: usize = 400;

/// Escapes text from outside for use inside a line.
pub(super) fn safe(text: &str) -> String {
    printable(text).into_owned()
}

/// `parameters {…}`, cut to [`DATA_CHARACTERS`].
pub fn data(what: &str, fields: &Map) -> String {
    format!("{what} {}", short(&printable_json(&Value::Object(fields.clone())), DATA_CHARACTERS))
}

/// The step's name, with the item's number if it fans out.
pub fn name(plan: Option<&Plan>, step: StepRef) -> String {
    let name = plan.map_or("?", |plan| plan.name(step.step));
    match step.item {
        Some(item) => format!("{name}[{item}]"),
        None => name.to_owned(),
    }
}

/// How an attempt ended, as a part of a sentence.
pub fn attempt_text(outcome: &AttemptOutcome, at: Timestamp) -> String {
    match outcome {
        AttemptOutcome::Succeeded => "succeeded".to_owned(),
        AttemptOutcome::NoOp { reason } => format!("nothing to do: {}", safe(reason)),
        AttemptOutcome::Denied { violations } => {
            format!("denied by the policy ({})", plural(violations.len(), "violation"))
        }
        AttemptOutcome::NeedsApproval { violations, .. } => {
            format!("nothing was done, the policy asks for an approval ({})", plural(violations.len(), "rule"))
        }
        AttemptOutcome::CoolingDown { target, rule: Some(rule), .. } => {
            format!("{} is left alone: {}", safe(target), safe(rule))
        }
        AttemptOutcome::CoolingDown { target, until, rule: None } => {
            format!("{} cools down for another {}", safe(target), moment::duration(until.since_ms(at)))
        }
        AttemptOutcome::Unavailable { service, message, .. } => {
            format!("{} is unreachable: {}", safe(service), safe(message))
        }
        AttemptOutcome::Failed { code, message, retryable } => {
            let again = if *retryable { ", may be retried" } else { "" };
            format!("failed, {}: {}{again}", safe(code), safe(message))
        }
        AttemptOutcome::Shadowed { would, .. } => safe(would),
        AttemptOutcome::TimedOut { message } => format!("timed out: {}", safe(message)),
        AttemptOutcome::Unknown { message } => format!("unknown whether it was applied: {}", safe(message)),
    }
}

/// `text`, escaped and cut to `characters`.
pub fn short(text: &str, characters: usize) -> String {
    let safe = safe(text);
    match safe.char_indices().nth(characters) {
        Some((end, _)) => format!("{}…", safe.get(..end).unwrap_or_default()),
        None => safe,
    }
}

/// The event as a sentence; `None` if it is not about an approval.
pub fn describe_approval(plan: Option<&Plan>, event: &Event) -> Option<String> {
    asked(plan, event).or_else(|| answered(plan, event))
}

fn asked(plan: Option<&Plan>, event: &Event) -> Option<String> {
    if let Event::ApprovalRequested { step, min, until, why, .. } = event {
        let people = if *min == 1 { String::new() } else { format!(" of {min} people") };
        let (name, until) = (name(plan, *step), moment::rfc3339(*until));
        return Some(format!("{name} awaits approval{people} until {until}: {}", safe(why)));
    }
    let Event::ApprovalExpiring { step, percent, until } = event else { return None };
    let what = step.map_or_else(String::new, |step| format!("{} ", name(plan, step)));
    let until = moment::rfc3339(*until);
    Some(format!("{what}awaits approval until {until}, {percent} % of the time are over"))
}

fn answered(plan: Option<&Plan>, event: &Event) -> Option<String> {
    if let Event::Approved { by, .. } = event {
        return Some(format!("approved by {}", safe(by)));
    }
    if let Event::StepApproved { step, by, .. } = event {
        return Some(format!("{} approved by {}", name(plan, *step), safe(by)));
    }
    if let Event::Rejected { by, reason } = event {
        return Some(format!("rejected by {}{}", safe(by), because(reason)));
    }
    let Event::StepRejected { step, by, reason, .. } = event else { return None };
    Some(format!("{} rejected by {}{}", name(plan, *step), safe(by), because(reason)))
}

fn because(reason: &str) -> String {
    if reason.is_empty() { String::new() } else { format!(": {}", safe(reason)) }
}
