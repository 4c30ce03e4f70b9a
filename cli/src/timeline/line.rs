//! Lines of a timeline that belong to no step.

use heal_engine::RunId;
use heal_engine::event::RunStarted;
use owo_colors::OwoColorize as _;

use crate::out;

pub(super) fn head(run_id: &RunId, started: &RunStarted) -> String {
    let kind = started.incident_type.as_deref().map(|kind| format!(" ({})", out::text(kind))).unwrap_or_default();
    let approval = if started.approval { ", awaits approval" } else { "" };
    format!(
        "{}  incident {}{kind}  playbook {}{approval}",
        run_id.bold(),
        out::text(&started.incident_id),
        started.playbook
    )
}

pub(super) fn rejected(run_id: &RunId, incident_id: &str, reason: &str) -> String {
    format!("{}  incident {}  rejected: {}", run_id.bold(), out::text(incident_id), out::text(reason))
}

pub(super) fn remark(mark: &str, text: &str) -> String {
    format!("  {} {text}", mark.dimmed())
}

/// `text`, escaped and cut to `characters`.
pub(super) fn short(text: &str, characters: usize) -> String {
    let safe = out::text(text);
    match safe.char_indices().nth(characters) {
        Some((end, _)) => format!("{}…", safe.get(..end).unwrap_or_default()),
        None => safe,
    }
}
