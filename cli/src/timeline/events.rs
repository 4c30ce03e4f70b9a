//! Every event of a run, one line each, with the reason of each decision.

use heal_api::explain::words::{self, DATA_CHARACTERS, attempt_text, describe_approval, name, short};
use heal_engine::event::{Commit, Event};
use heal_engine::id::StepRef;
use heal_engine::message::{AttemptOutcome, AttemptResult, Violation};
use heal_engine::{Map, Plan, Timestamp};
use owo_colors::OwoColorize as _;

use super::line::kind_of_start;
use crate::{moment, out};

/// The lines of a commit: `+1.25 s  attempt_ended  check attempt 1: succeeded`. Times are from the run's start.
pub(crate) fn lines(plan: Option<&Plan>, commit: &Commit, started_at: Timestamp) -> Vec<String> {
    let mut lines = Vec::new();
    for event in &commit.events {
        let at = format!("+{}", moment::duration(commit.at.since_ms(started_at)));
        lines.push(format!("{:>12}  {:<16}  {}", at.dimmed(), event.name(), describe(plan, event, commit.at)));
        let notes = notes(event).into_iter().map(|note| format!("{:>32}{note}", ""));
        lines.extend(notes);
    }
    lines
}

fn describe(plan: Option<&Plan>, event: &Event, at: Timestamp) -> String {
    let name = |step: &StepRef| name(plan, *step);
    match event {
        Event::RunStarted(started) => format!(
            "playbook {} for incident {}{}",
            started.playbook,
            out::text(&started.incident_id),
            kind_of_start(started)
        ),
        Event::IncidentRejected { reason, .. } => out::text(reason),
        Event::IncidentJoined { incident_id } => format!("incident {}", out::text(incident_id)),
        Event::Approved { .. }
        | Event::Rejected { .. }
        | Event::ApprovalRequested { .. }
        | Event::StepApproved { .. }
        | Event::StepRejected { .. }
        | Event::ApprovalExpiring { .. } => describe_approval(plan, event).unwrap_or_default(),
        Event::RunWithdrawn { reason } => format!("no longer needed: {}", out::text(reason)),
        Event::RunHeld { by, reason, until, .. } => {
            let until = until.map(|until| format!(" until {}", moment::rfc3339(until))).unwrap_or_default();
            format!("by {}{until}, because {}", out::text(by), out::text(reason))
        }
        Event::RunReleased { by, reason } => format!("by {}, because {}", out::text(by), out::text(reason)),
        Event::RunQueued => "as many runs are live as may be; the run's time stands still".to_owned(),
        Event::RunAdmitted => "there is room for the run".to_owned(),
        Event::AttemptHeld { step, attempt, reason, .. } => {
            format!("{} attempt {attempt}, nothing was done, because {}", name(step), out::text(reason))
        }
        Event::FollowUpDone { id, by, note } => {
            let note = note.as_deref().map(|note| format!(": {}", out::text(note)));
            format!("{} by {}{}", out::text(id), out::text(by), note.unwrap_or_default())
        }
        Event::CancelRequested { by } => format!("by {}", out::text(by)),
        Event::ConditionFalse { step } => name(step),
        Event::FannedOut { step, items } => format!("{} over {} items", name(&StepRef::whole(*step)), items.len()),
        Event::AttemptStarted { step, attempt, deadline, timeout_ms, .. } => {
            let time = moment::duration(timeout_ms.unwrap_or(deadline.since_ms(at)));
            format!("{} attempt {attempt}, {time} once a worker takes it", name(step))
        }
        Event::AttemptReissued { step, attempt, reason, .. } => {
            format!("{} attempt {attempt}, because {}", name(step), out::text(reason))
        }
        Event::WaitStarted { step, until } => format!("{} for {}", name(step), moment::duration(until.since_ms(at))),
        Event::AttemptEnded { step, attempt, result, .. } => {
            format!("{} attempt {attempt}: {}", name(step), attempt_text(&result.outcome, at))
        }
        Event::RetryScheduled { step, attempt, due_at, reason } => format!(
            "{} attempt {attempt} in {}, because {}",
            name(step),
            moment::duration(due_at.since_ms(at)),
            out::text(reason)
        ),
        Event::StepEnded { step, outcome, reason } => {
            let reason = reason.as_deref().map(|reason| format!(", because {}", out::text(reason)));
            format!("{} {}{}", name(step), outcome.as_str().bold(), reason.unwrap_or_default())
        }
        Event::VerifyStarted => String::new(),
        Event::Stopping { reason, .. } => out::text(reason),
        Event::RunEnded { outcome, reason } => {
            let reason = reason.as_deref().map(|reason| format!(", because {}", out::text(reason)));
            format!("{}{}", outcome.as_str().bold(), reason.unwrap_or_default())
        }
    }
}

/// The lines below an event: data, violations, warnings.
fn notes(event: &Event) -> Vec<String> {
    match event {
        Event::RunStarted(started) => {
            let trace_id = started.traceparent.as_deref().and_then(heal_telemetry::trace::trace_id);
            let trace = trace_id.map(|trace_id| format!("trace {}", out::text(trace_id)));
            trace.into_iter().chain([data("variables", &started.variables)]).collect()
        }
        Event::AttemptStarted { parameters, .. } | Event::ApprovalRequested { parameters, .. } => {
            vec![data("parameters", parameters)]
        }
        Event::AttemptEnded { result, .. } => result_notes(result),
        Event::IncidentRejected { message, .. } => vec![format!("message {}", short(message, DATA_CHARACTERS))],
        Event::IncidentJoined { .. }
        | Event::ApprovalExpiring { .. }
        | Event::Approved { .. }
        | Event::Rejected { .. }
        | Event::StepApproved { .. }
        | Event::StepRejected { .. }
        | Event::CancelRequested { .. }
        | Event::RunWithdrawn { .. }
        | Event::RunHeld { .. }
        | Event::RunReleased { .. }
        | Event::RunQueued
        | Event::RunAdmitted
        | Event::AttemptHeld { .. }
        | Event::FollowUpDone { .. }
        | Event::ConditionFalse { .. }
        | Event::FannedOut { .. }
        | Event::AttemptReissued { .. }
        | Event::WaitStarted { .. }
        | Event::RetryScheduled { .. }
        | Event::StepEnded { .. }
        | Event::VerifyStarted
        | Event::Stopping { .. }
        | Event::RunEnded { .. } => Vec::new(),
    }
}

fn result_notes(result: &AttemptResult) -> Vec<String> {
    let violations: &[Violation] = match &result.outcome {
        AttemptOutcome::Denied { violations } | AttemptOutcome::NeedsApproval { violations, .. } => violations,
        AttemptOutcome::Succeeded
        | AttemptOutcome::NoOp { .. }
        | AttemptOutcome::CoolingDown { .. }
        | AttemptOutcome::Unavailable { .. }
        | AttemptOutcome::Failed { .. }
        | AttemptOutcome::TimedOut { .. }
        | AttemptOutcome::Unknown { .. }
        | AttemptOutcome::Shadowed { .. } => &[],
    };
    let violations = violations.iter().map(|violation| {
        let Violation { policy, rule, msg, severity } = violation;
        format!("violation {} ({}, {}): {}", out::text(rule), out::text(policy), out::text(severity), out::text(msg))
    });
    let output = (!result.output.is_empty()).then(|| data("output", &result.output));
    let warnings = result.warnings.iter().map(|warning| format!("warning {}", out::text(warning)));
    let follow_up = result.follow_up.iter().map(|entry| format!("follow up {}", out::text(entry)));
    output.into_iter().chain(violations).chain(warnings).chain(follow_up).collect()
}

fn data(what: &str, fields: &Map) -> String {
    words::data(what, fields).dimmed().to_string()
}
