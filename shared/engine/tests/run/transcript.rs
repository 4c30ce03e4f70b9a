//! Events as short lines, so that a case can list a whole log.

use heal_engine::event::Event;
use heal_engine::{Plan, StepRef};

/// `attempt_started check#1 {"worker_id":"w"}`, `step_ended check succeeded`, `run_ended HEALED`, …
pub fn line(plan: &Plan, event: &Event) -> String {
    let name = event.name();
    match event {
        Event::RunStarted(_) | Event::VerifyStarted | Event::RunQueued | Event::RunAdmitted => name.to_owned(),
        Event::IncidentRejected { reason, .. } => format!("{name} {reason}"),
        Event::IncidentJoined { incident_id } => format!("{name} {incident_id}"),
        Event::ApprovalExpiring { step, percent, until } => {
            let name = step.map_or_else(|| name.to_owned(), |step| format!("{name} {}", step_name(plan, step)));
            format!("{name} {percent} % of the time until {}", until.0 - 1_000_000)
        }
        Event::RunWithdrawn { reason } => format!("{name}: {reason}"),
        Event::RunHeld { by, reason, until, .. } => {
            let until = until.map(|until| format!(" until {}", until.0 - 1_000_000)).unwrap_or_default();
            format!("{name} by {by}{until}: {reason}")
        }
        Event::RunReleased { by, reason } => format!("{name} by {by}: {reason}"),
        Event::AttemptHeld { step, attempt, reason, .. } => {
            format!("{name} {}#{attempt}: {reason}", step_name(plan, *step))
        }
        Event::FollowUpDone { by, note, .. } => format!("{name} by {by}{}", because(note.as_deref())),
        Event::Approved { by, .. } | Event::CancelRequested { by } => format!("{name} {by}"),
        Event::Rejected { by, reason } => format!("{name} {by}: {reason}"),
        Event::ApprovalRequested { step, approvers, min, until, why, parameters, .. } => format!(
            "{name} {} of {min} from [{}] until {} for {}: {why}",
            step_name(plan, *step),
            approvers.join(", "),
            until.0 - 1_000_000,
            serde_json::Value::Object(parameters.clone())
        ),
        Event::StepApproved { step, by, .. } => format!("{name} {} {by}", step_name(plan, *step)),
        Event::StepRejected { step, by, reason, .. } => format!("{name} {} {by}: {reason}", step_name(plan, *step)),
        Event::ConditionFalse { step } => format!("{name} {}", step_name(plan, *step)),
        Event::FannedOut { step, items } => format!("{name} {} {}", plan.name(*step), items.len()),
        Event::AttemptStarted { step, attempt, parameters, .. } => {
            let parameters = if parameters.is_empty() {
                String::new()
            } else {
                format!(" {}", serde_json::to_string(parameters).unwrap())
            };
            format!("{name} {}#{attempt}{parameters}", step_name(plan, *step))
        }
        Event::AttemptReissued { step, attempt, reason, .. } => {
            format!("{name} {}#{attempt}: {reason}", step_name(plan, *step))
        }
        Event::WaitStarted { step, until } => format!("{name} {} {}", step_name(plan, *step), until.0 - 1_000_000),
        Event::AttemptEnded { step, attempt, .. } => format!("{name} {}#{attempt}", step_name(plan, *step)),
        Event::RetryScheduled { step, attempt, reason, .. } => {
            format!("{name} {}#{attempt}: {reason}", step_name(plan, *step))
        }
        Event::StepEnded { step, outcome, reason } => {
            format!("{name} {} {}{}", step_name(plan, *step), outcome.as_str(), because(reason.as_deref()))
        }
        Event::Stopping { reason, .. } => format!("{name}: {reason}"),
        Event::RunEnded { outcome, reason } => format!("{name} {}{}", outcome.as_str(), because(reason.as_deref())),
    }
}

/// Reads `name`, `name[item]`, `name#attempt` or `name[item]#attempt`.
pub fn step_of(plan: &Plan, text: &str) -> (StepRef, u32) {
    let (rest, attempt) = text.split_once('#').map_or((text, 1), |(rest, attempt)| (rest, attempt.parse().unwrap()));
    let (name, item) = rest
        .split_once('[')
        .map_or((rest, None), |(name, item)| (name, Some(item.trim_end_matches(']').parse().unwrap())));
    let step = plan.find(name).unwrap_or_else(|| panic!("the case has no step {name}"));
    (StepRef { step, item }, attempt)
}

fn step_name(plan: &Plan, step: StepRef) -> String {
    let name = plan.name(step.step);
    step.item.map_or_else(|| name.to_owned(), |item| format!("{name}[{item}]"))
}

fn because(reason: Option<&str>) -> String {
    reason.map(|reason| format!(": {reason}")).unwrap_or_default()
}
