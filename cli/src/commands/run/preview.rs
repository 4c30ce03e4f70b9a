//! The steps of a run, as far as they are known before the first one.

use heal_api::preview::{Known, Preview, Step};
use heal_runtime::dispatcher::Prepared;
use heal_telemetry::text::printable_json;
use owo_colors::OwoColorize as _;
use serde_json::Value;

use crate::out;

/// # Errors
/// Standard output cannot be written.
pub(super) fn show(prepared: &Prepared, json: bool) -> std::io::Result<()> {
    let preview = Preview::new(prepared);
    if json { out::json(&preview) } else { lines(&preview).iter().try_for_each(out::line) }
}

fn lines(preview: &Preview) -> Vec<String> {
    let mut lines = vec![format!(
        "playbook {} for incident {}, at most {} s; {}",
        preview.playbook.bold(),
        out::text(&preview.incident_id),
        preview.timeout_seconds,
        "nothing is executed".green()
    )];
    if preview.awaits_approval {
        lines.push("  a live run awaits approval first (--approve)".yellow().to_string());
    }
    if preview.asks_approval {
        lines.push("  the playbook asks for the approval of another person first".yellow().to_string());
    }
    if let [first, others @ ..] = preview.tickets.as_slice() {
        let others = others.iter().map(|ticket| out::text(ticket)).collect::<Vec<_>>().join(", ");
        lines.push(format!("  one run for each ticket: this is that of {}, then {others}", out::text(first)));
    }
    if let Some(key) = &preview.concurrency_key {
        lines.push(format!("  one live run per {}", out::text(key)));
    }
    lines.extend(preview.steps.iter().zip(1..).flat_map(|(step, place)| step_lines(step, place)));
    lines
}

fn step_lines(step: &Step, place: usize) -> Vec<String> {
    let role = if step.verify { "verify" } else { "action" };
    let kind = if step.kind == step.name { String::new() } else { format!(" ({})", step.kind) };
    let after = if step.needs.is_empty() { String::new() } else { format!(", after {}", step.needs.join(" and ")) };
    let mut lines = vec![format!("  {place:>2}  {role} {}{kind}{after}", step.name.bold())];
    let mut field = |name: &str, known: &Known| lines.push(format!("        {name:<14} {}", display_text(known)));
    if let Some(condition) = &step.condition {
        field(if step.verify { "until" } else { "only if" }, condition);
    }
    if let Some(items) = &step.for_each {
        field("for each", items);
    }
    step.parameters.iter().for_each(|(name, known)| field(name, known));
    lines
}

fn display_text(known: &Known) -> String {
    match known {
        Known::Now(Value::String(text)) => out::text(text),
        Known::Now(value) => printable_json(value),
        Known::Later(source) => format!("{}  {}", out::text(source), "known later".dimmed()),
    }
}
