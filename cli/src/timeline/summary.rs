//! The summary of a run that has ended, or awaits approval.

use heal_engine::event::{RunOutcome, RunStatus};
use heal_engine::report::{FollowUp, Report};
use heal_engine::state::OpenApproval;
use owo_colors::{OwoColorize as _, Style};

use crate::{moment, out};

/// Outcome, warnings and follow-ups for a person, one line each.
pub(crate) fn lines(report: &Report) -> Vec<String> {
    let mut lines = vec![headline(report)];
    if let Some(reason) = &report.reason {
        lines.push(format!("  {}", out::text(reason)));
    }
    if let Some(held) = &report.held {
        let until = held.hold.until.map(|until| format!(" until {}", moment::rfc3339(until))).unwrap_or_default();
        let (by, reason) = (out::text(&held.hold.by), out::text(&held.hold.reason));
        lines.push(format!("  held since {}{until} by {by}: {reason}", moment::rfc3339(held.since)));
    }
    if let Some(since) = report.queued_since {
        lines.push(format!("  waits for room since {}", moment::rfc3339(since)));
    }
    let approvals: Vec<_> = report.approvals.iter().map(approval).collect();
    section(&mut lines, "what waits for an approval", &approvals, Style::new().yellow());
    section(&mut lines, "warnings", &report.warnings, Style::new().yellow());
    let follow_ups: Vec<_> = report.follow_ups.iter().map(follow_up).collect();
    section(&mut lines, "what is left for a person", &follow_ups, Style::new().cyan());
    lines
}

fn headline(report: &Report) -> String {
    let word = report.outcome.map_or(report.status.as_str(), RunOutcome::as_str);
    let playbook = report.playbook.as_deref().unwrap_or("no playbook");
    let took = match report.ended_at {
        Some(ended) => format!(" in {}", moment::duration(ended.since_ms(report.started_at))),
        None => String::new(),
    };
    format!("{}  {playbook}{took}  {}", word.style(style(report)), report.run_id.dimmed())
}

/// `restart_pod[2] until 2026-11-23T20:21:00Z, 1 of 2 given: the policy asks for an approval: …`
fn approval(open: &OpenApproval) -> String {
    let name = open.step.as_deref().unwrap_or("the run");
    let item = open.item.map(|item| format!("[{item}]")).unwrap_or_default();
    let until = match open.held_since {
        None => format!("until {}", moment::rfc3339(open.until)),
        Some(since) => format!("held, {} left", moment::duration(open.until.since_ms(since) / 1_000 * 1_000)),
    };
    let given = open.approved_by.len();
    format!("{name}{item} {until}, {given} of {} given: {}", open.min, open.why)
}

/// The text, with who has done it.
fn follow_up(entry: &FollowUp) -> String {
    match &entry.done_by {
        Some(by) => format!("{} (done by {by})", entry.text),
        None => entry.text.clone(),
    }
}

fn section(lines: &mut Vec<String>, title: &str, entries: &[String], style: Style) {
    if entries.is_empty() {
        return;
    }
    lines.push(format!("  {}", title.style(style)));
    lines.extend(entries.iter().map(|entry| format!("    - {}", out::text(entry))));
}

const fn style(report: &Report) -> Style {
    let style = Style::new().bold();
    match report.status {
        RunStatus::Completed if matches!(report.outcome, Some(RunOutcome::Degraded)) => style.yellow(),
        RunStatus::Completed => style.green(),
        RunStatus::Pending | RunStatus::AwaitingApproval | RunStatus::Running | RunStatus::Cancelled => style.yellow(),
        RunStatus::Failed | RunStatus::Timeout => style.red(),
    }
}
