//! The summary of a run that has ended, or awaits approval.

use heal_engine::event::{RunOutcome, RunStatus};
use heal_engine::report::Report;
use owo_colors::{OwoColorize as _, Style};

use crate::{moment, out};

/// Outcome, warnings and follow-ups for a person, one line each.
pub(crate) fn lines(report: &Report) -> Vec<String> {
    let mut lines = vec![headline(report)];
    if let Some(reason) = &report.reason {
        lines.push(format!("  {}", out::text(reason)));
    }
    section(&mut lines, "warnings", &report.warnings, Style::new().yellow());
    section(&mut lines, "what is left for a person", &report.follow_up, Style::new().cyan());
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
        RunStatus::Completed => style.green(),
        RunStatus::Pending | RunStatus::AwaitingApproval | RunStatus::Running | RunStatus::Cancelled => style.yellow(),
        RunStatus::Failed | RunStatus::Timeout => style.red(),
    }
}
