//! `heal playbook show`: one playbook in its resolved form.

use anyhow::bail;
use heal_engine::plan::Plan;
use heal_engine::playbook::{Condition, OnFailure, OnUnavailable, Step, Trigger};
use heal_telemetry::text::printable_json;
use owo_colors::OwoColorize as _;
use serde_json::Value;

use crate::args::PlaybookDir;
use crate::exit::Exit;
use crate::{actions, out, playbooks, source};

/// Shows one playbook in its resolved form: every default filled in, every step with its needs and outputs
///
/// Errors in other files of the folder are printed to standard error; they do not change the exit status.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Name of the playbook
    pub name: String,
    #[command(flatten)]
    pub playbooks: PlaybookDir,
    /// The canonical JSON that a run pins, one line
    #[arg(long)]
    pub json: bool,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<Exit> {
    let (library, wrong) = playbooks::usable(&args.playbooks.playbooks, &actions::catalog())?;
    let Some(entry) = library.get(&args.name) else {
        if let Some(file) = wrong.iter().find(|file| source::stem(file) == args.name) {
            bail!("playbook `{}` cannot be used: {} has errors", args.name, file.display());
        }
        let known: Vec<_> = library.names().collect();
        bail!("there is no playbook `{}`; known are: {}", args.name, known.join(", "));
    };
    if args.json {
        out::json(&entry.plan.playbook)?;
    } else {
        for line in lines(&entry.plan) {
            out::line(line)?;
        }
    }
    Ok(Exit::Success)
}

fn lines(plan: &Plan) -> Vec<String> {
    let playbook = &plan.playbook;
    let mut lines = vec![format!("{}  {}", playbook.name.bold(), out::text(&playbook.description))];
    let mut field = |name: &str, value: String| lines.push(format!("  {:<16} {value}", name.dimmed()));
    field("digest", plan.digest.to_string());
    field("timeout", format!("{} s", playbook.timeout_seconds));
    for trigger in &playbook.triggers {
        field("trigger", trigger_text(trigger));
    }
    if let Some(key) = &playbook.concurrency_key {
        field("one run per", out::text(key));
    }
    if let Some(schema) = &playbook.parameters_schema {
        field("variables", printable_json(schema));
    }
    for (title, steps) in [("actions", &playbook.actions), ("verify", &playbook.verify)] {
        if !steps.is_empty() {
            lines.push(title.bold().to_string());
            lines.extend(steps.iter().flat_map(step));
        }
    }
    lines
}

fn trigger_text(trigger: &Trigger) -> String {
    match &trigger.condition {
        Some(condition) => format!("{} if {}", out::text(&trigger.incident_type), condition_text(condition)),
        None => out::text(&trigger.incident_type),
    }
}

fn step(step: &Step) -> Vec<String> {
    let kind = if step.kind == step.name { String::new() } else { format!("  {}", step.kind) };
    let mut lines = vec![format!("  {}{kind}", step.name.green())];
    let mut field = |name: &str, value: String| lines.push(format!("      {:<12} {value}", name.dimmed()));
    let needs = if step.needs.is_empty() { "nothing".to_owned() } else { step.needs.join(", ") };
    field("needs", needs);
    if let Some(condition) = &step.condition {
        field("only if", condition_text(condition));
    }
    if let Some(each) = &step.for_each {
        field("for each", format!("{}, {} at a time", printable_json(&each.items), each.max_parallel));
    }
    field("parameters", printable_json(&Value::Object(step.parameters.clone())));
    if !step.inherits.is_empty() {
        field("inherits", step.inherits.join(", "));
    }
    if let Some(until) = &step.until {
        let (within, every) = (until.within_seconds, until.every_seconds);
        field("until", format!("{} within {within} s, probed every {every} s", condition_text(&until.condition)));
    }
    field("timeout", format!("{} s an attempt", step.timeout_seconds));
    let retry = step.retry;
    field(
        "attempts",
        match retry.max_attempts {
            1 => "1".to_owned(),
            count => format!("{count}, {} s to {} s apart", retry.backoff_seconds, retry.max_backoff_seconds),
        },
    );
    field("on failure", on_failure(step.on_failure).to_owned());
    field("on outage", on_unavailable(step.on_unavailable).to_owned());
    if !step.outputs.is_empty() {
        field("outputs", step.outputs.join(", "));
    }
    lines
}

fn condition_text(condition: &Condition) -> String {
    match condition {
        Condition::Fixed(value) => value.to_string(),
        Condition::Expression(text) => out::text(text),
    }
}

const fn on_failure(rule: OnFailure) -> &'static str {
    match rule {
        OnFailure::Stop => "the run stops",
        OnFailure::Continue => "the run continues",
    }
}

const fn on_unavailable(rule: OnUnavailable) -> &'static str {
    match rule {
        OnUnavailable::Skip => "skipped, with a warning and a follow-up",
        OnUnavailable::Fail => "failed",
        OnUnavailable::Retry => "retried until the timeout",
    }
}
