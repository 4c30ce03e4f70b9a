//! Lines of a timeline that belong to no step.

use heal_engine::RunId;
use heal_engine::autonomy::{Autonomy, RunMode};
use heal_engine::event::RunStarted;
use owo_colors::OwoColorize as _;

use crate::out;

pub(super) fn head(run_id: &RunId, started: &RunStarted) -> String {
    let kind = started.incident_type.as_deref().map(|kind| format!(" ({})", out::text(kind))).unwrap_or_default();
    format!(
        "{}  incident {}{kind}  playbook {}{}",
        run_id.bold(),
        out::text(&started.incident_id),
        started.playbook,
        kind_of_start(started)
    )
}

/// What is special about the run: `, awaits approval`, `, shadow: nothing is changed`, and who has set the playbook's level of autonomy.
pub(super) fn kind_of_start(started: &RunStarted) -> String {
    let kind = match started.mode {
        RunMode::Shadow => ", shadow: nothing is changed",
        RunMode::Live if started.approval => ", awaits approval",
        RunMode::Live => "",
    };
    let level = started.autonomy.as_ref().map(|Autonomy { level, by, reason }| {
        format!(" (autonomy {level}, set by {}: {})", out::text(by), out::text(reason))
    });
    format!("{kind}{}", level.unwrap_or_default())
}

pub(super) fn rejected(run_id: &RunId, incident_id: &str, reason: &str) -> String {
    format!("{}  incident {}  rejected: {}", run_id.bold(), out::text(incident_id), out::text(reason))
}

pub(super) fn remark(mark: &str, text: &str) -> String {
    format!("  {} {text}", mark.dimmed())
}
