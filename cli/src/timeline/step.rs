//! The progress of one step, and the line about it.

use std::collections::BTreeMap;

use heal_api::explain::words::short;
use heal_engine::event::StepOutcome;
use heal_engine::{Map, Timestamp};
use owo_colors::{OwoColorize as _, Style};
use serde_json::Value;

use crate::moment;

/// Characters of a reason or of outputs in one line; `heal runs show` shows all of them.
const DETAIL_CHARACTERS: usize = 160;
/// Outputs in one line.
const OUTPUTS: usize = 4;

/// What the commits so far say about a step.
#[derive(Debug, Default)]
pub(super) struct StepProgress {
    pub started_at: Option<Timestamp>,
    pub attempts: u32,
    pub output: Map,
    pub warnings: Vec<String>,
    pub items: Option<Items>,
    /// When the next attempt or the end of a `wait` is due.
    pub waits_until: Option<Timestamp>,
    /// Reason of the last retry; a repeated reason is not printed again.
    pub retry_reason: Option<String>,
    pub ended: bool,
}

/// Elements of a step that fans out.
#[derive(Debug, Default)]
pub(super) struct Items {
    pub total: usize,
    /// Ended elements by outcome.
    pub ended: BTreeMap<&'static str, usize>,
}

impl StepProgress {
    /// `✓ check_worker_health  succeeded  14 ms  attempt 1  healthy=true`
    pub(super) fn ended_line(&self, name: &str, outcome: StepOutcome, reason: Option<&str>, at: Timestamp) -> String {
        let (mark, style) = mark(outcome);
        let took = self.started_at.map_or_else(String::new, |started| moment::duration(at.since_ms(started)));
        let attempts = match (self.attempts, &self.items) {
            (0, _) => String::new(),
            (count, Some(_)) => format!("{count} attempts"),
            (count, None) => format!("attempt {count}"),
        };
        let outcome = format!("{:<15}", outcome.as_str());
        let line = format!("  {} {name}  {}  {took:>10}", mark.style(style), outcome.style(style));
        match (attempts, self.detail(reason)) {
            (attempts, detail) if attempts.is_empty() && detail.is_empty() => line,
            (attempts, detail) if detail.is_empty() => format!("{line}  {attempts}"),
            (attempts, detail) => format!("{line}  {attempts:<11}  {}", detail.dimmed()),
        }
    }

    /// The step's progress at `now`: how long it runs, or until when it waits.
    pub(super) fn progress(&self, name: &str, now: Timestamp) -> String {
        let since = self.started_at.map_or(0, |started| now.since_ms(started));
        let left = self.waits_until.map(|until| until.since_ms(now)).filter(|left| *left > 0);
        match (&self.items, left) {
            (Some(items), _) => {
                let ended: usize = items.ended.values().sum();
                format!("{name} {ended}/{}", items.total)
            }
            (None, Some(left)) if self.attempts > 0 => {
                format!("{name} attempt {} in {}", self.attempts + 1, countdown(left))
            }
            (None, Some(left)) => format!("{name} {} left", countdown(left)),
            (None, None) => format!("{name} attempt {} for {}", self.attempts.max(1), moment::duration(since)),
        }
    }

    /// The reason if there is one, else the counts of items, else the first outputs; and always the warnings.
    fn detail(&self, reason: Option<&str>) -> String {
        let result = match (reason, &self.items) {
            (Some(reason), _) => reason.to_owned(),
            (None, Some(items)) => counts(items),
            (None, None) => outputs(&self.output),
        };
        let warnings = self.warnings.iter().map(|warning| format!("warning: {warning}"));
        let parts: Vec<_> = std::iter::once(result).chain(warnings).filter(|part| !part.is_empty()).collect();
        short(&parts.join("; "), DETAIL_CHARACTERS)
    }
}

fn counts(items: &Items) -> String {
    let ended: Vec<_> = items.ended.iter().map(|(outcome, count)| format!("{count} {outcome}")).collect();
    format!("{} items: {}", items.total, ended.join(", "))
}

const fn mark(outcome: StepOutcome) -> (&'static str, Style) {
    let style = Style::new();
    match outcome {
        StepOutcome::Succeeded => ("✓", style.green()),
        StepOutcome::NoOp | StepOutcome::ConditionFalse => ("○", style.dimmed()),
        StepOutcome::Skipped => ("!", style.yellow()),
        StepOutcome::Shadowed => ("◌", style.cyan()),
        StepOutcome::Denied | StepOutcome::CoolingDown => ("✗", style.yellow()),
        StepOutcome::Failed | StepOutcome::TimedOut => ("✗", style.red()),
        StepOutcome::Unknown => ("?", style.red()),
    }
}

/// The first few outputs with plain values.
fn outputs(output: &Map) -> String {
    let plain = output.iter().filter_map(|(name, value)| match value {
        Value::Bool(_) | Value::Number(_) => Some(format!("{name}={value}")),
        Value::String(text) if !text.is_empty() => Some(format!("{name}={text}")),
        Value::Array(items) => Some(format!("{name}={}", items.len())),
        Value::String(_) | Value::Null | Value::Object(_) => None,
    });
    plain.take(OUTPUTS).collect::<Vec<_>>().join(" ")
}

/// Whole seconds, because tenths would flicker.
fn countdown(ms: u64) -> String {
    match ms.div_ceil(1_000) {
        seconds @ 0..60 => format!("{seconds} s"),
        seconds => moment::duration(seconds * 1_000),
    }
}
