//! What the lines look like.

use heal_engine::event::{RunStarted, StepOutcome};
use heal_engine::{Map, RunId, Timestamp};
use owo_colors::{OwoColorize as _, Style};
use serde_json::Value;

use super::{Items, Seen};
use crate::{moment, out};

/// Characters of a reason or of outputs that one line shows; `heal runs show` has all of it.
const DETAIL_CHARACTERS: usize = 160;
/// Outputs that one line shows.
const OUTPUTS: usize = 4;

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

/// `✓ check_worker_health  succeeded  14 ms  attempt 1  healthy=true`
pub(super) fn step(name: &str, seen: &Seen, outcome: StepOutcome, reason: Option<&str>, at: Timestamp) -> String {
    let (mark, style) = mark(outcome);
    let took = seen.started_at.map_or_else(String::new, |started| moment::duration(at.since_ms(started)));
    let attempts = match (seen.attempts, &seen.items) {
        (0, _) => String::new(),
        (count, Some(_)) => format!("{count} attempts"),
        (count, None) => format!("attempt {count}"),
    };
    let outcome = format!("{:<15}", outcome.as_str());
    let line = format!("  {} {name}  {}  {took:>10}", mark.style(style), outcome.style(style));
    match (attempts, detail(seen, reason)) {
        (attempts, detail) if attempts.is_empty() && detail.is_empty() => line,
        (attempts, detail) if detail.is_empty() => format!("{line}  {attempts}"),
        (attempts, detail) => format!("{line}  {attempts:<11}  {}", detail.dimmed()),
    }
}

const fn mark(outcome: StepOutcome) -> (&'static str, Style) {
    let style = Style::new();
    match outcome {
        StepOutcome::Succeeded => ("✓", style.green()),
        StepOutcome::NoOp | StepOutcome::ConditionFalse => ("○", style.dimmed()),
        StepOutcome::Skipped => ("!", style.yellow()),
        StepOutcome::Denied | StepOutcome::CoolingDown => ("✗", style.yellow()),
        StepOutcome::Failed | StepOutcome::TimedOut => ("✗", style.red()),
        StepOutcome::Unknown => ("?", style.red()),
    }
}

/// The reason where there is one; else counts, else the first outputs, and in any case the warnings.
fn detail(seen: &Seen, reason: Option<&str>) -> String {
    let said = match (reason, &seen.items) {
        (Some(reason), _) => reason.to_owned(),
        (None, Some(items)) => counts(items),
        (None, None) => outputs(&seen.output),
    };
    let warnings = seen.warnings.iter().map(|warning| format!("warning: {warning}"));
    let parts: Vec<_> = std::iter::once(said).chain(warnings).filter(|part| !part.is_empty()).collect();
    short(&parts.join("; "), DETAIL_CHARACTERS)
}

fn counts(items: &Items) -> String {
    let ended: Vec<_> = items.ended.iter().map(|(outcome, count)| format!("{count} {outcome}")).collect();
    format!("{} items: {}", items.total, ended.join(", "))
}

/// Outputs that fit on a line: plain values, the first few by name.
fn outputs(output: &Map) -> String {
    let plain = output.iter().filter_map(|(name, value)| match value {
        Value::Bool(_) | Value::Number(_) => Some(format!("{name}={value}")),
        Value::String(text) if !text.is_empty() => Some(format!("{name}={text}")),
        Value::Array(items) => Some(format!("{name}={}", items.len())),
        Value::String(_) | Value::Null | Value::Object(_) => None,
    });
    plain.take(OUTPUTS).collect::<Vec<_>>().join(" ")
}

/// `text`, safe to print, cut to `characters`.
pub(super) fn short(text: &str, characters: usize) -> String {
    let safe = out::text(text);
    match safe.char_indices().nth(characters) {
        Some((end, _)) => format!("{}…", safe.get(..end).unwrap_or_default()),
        None => safe,
    }
}
