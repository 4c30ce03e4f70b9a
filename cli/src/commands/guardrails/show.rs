//! `heal guardrails show`: what is in force, every default filled in.

use anyhow::bail;
use heal_engine::catalog::{ActionSpec, Safety};
use heal_guard::{Budget, Guardrails, Selector, StormRule};
use owo_colors::OwoColorize as _;
use serde_json::{Value, json};

use super::Files;
use crate::exit::Exit;
use crate::guardrails::{self, Loaded};
use crate::playbooks::diagnostics;
use crate::{actions, out};

/// Shows the guardrails that are in force, every default filled in, with their digest
///
/// Without a file, these are the defaults.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    pub files: Files,
    /// One JSON object
    #[arg(long)]
    pub json: bool,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<Exit> {
    let loaded = load(&args.files)?;
    if args.json {
        out::json(&to_json(&loaded))?;
    } else {
        lines(&loaded).into_iter().try_for_each(out::line)?;
    }
    Ok(Exit::Success)
}

/// A file with an error is not shown: it is not in force anywhere.
fn load(files: &Files) -> anyhow::Result<Loaded> {
    let folder = files.playbooks.first().cloned().unwrap_or_default();
    let Some(file) = guardrails::file(files.file.as_deref(), &folder)? else { return Ok(Loaded::default()) };
    let source = guardrails::read(&file, files.known_playbooks()?.as_deref())?;
    diagnostics::print_errors([source.faults()].into_iter());
    match source.reading.guardrails {
        Some(guardrails) => Ok(Loaded { guardrails: guardrails.into(), file: Some(file) }),
        None => bail!("{} cannot be used", file.display()),
    }
}

/// The actions that change something, each with its cooldown in seconds; 0: none.
fn cooldowns(guardrails: &Guardrails) -> Vec<(ActionSpec, u64)> {
    let changing = actions::catalog();
    let changing = changing.iter().filter(|spec| spec.safety != Safety::ReadOnly);
    let seconds = |spec: &ActionSpec| guardrails.cooldown_ms(spec.name, actions::own_cooldown_ms(spec.name));
    changing.map(|spec| (spec.clone(), seconds(spec).unwrap_or_default() / 1_000)).collect()
}

fn is_set(guardrails: &Guardrails, action: &str) -> bool {
    guardrails.cooldowns.iter().any(|rule| rule.action == action)
}

fn to_json(loaded: &Loaded) -> Value {
    let Loaded { guardrails, file } = loaded;
    let cooldowns = cooldowns(guardrails).into_iter().map(|(spec, seconds)| {
        json!({"action": spec.name, "service": spec.service, "seconds": seconds, "is_default": !is_set(guardrails, spec.name)})
    });
    json!({
        "file": file,
        "digest": guardrails.digest(),
        "cooldowns": cooldowns.collect::<Vec<_>>(),
        "budgets": guardrails.budgets,
        "repeats": guardrails.repeats,
        "approvals": guardrails.approvals,
        "autonomy": guardrails.autonomy,
        "storms": guardrails.storms,
    })
}

fn lines(loaded: &Loaded) -> Vec<String> {
    let guardrails = &loaded.guardrails;
    let mut lines = vec![
        format!("{}  {}", "guardrails".bold(), out::text(&loaded.origin())),
        format!("  {:<16} {}", "digest".dimmed(), guardrails.digest()),
    ];
    lines.push("cooldowns per target".bold().to_string());
    lines.extend(cooldowns(guardrails).into_iter().map(|(spec, seconds)| {
        let origin = if is_set(guardrails, spec.name) { "set" } else { "default" };
        let seconds = if seconds == 0 { "none".to_owned() } else { format!("{seconds} s") };
        format!("  {:<24} {seconds:<10} {}", spec.name.green(), origin.dimmed())
    }));
    lines.push("budgets".bold().to_string());
    lines.extend(guardrails.budgets.iter().map(budget));
    if guardrails.budgets.is_empty() {
        lines.push("  none".to_owned());
    }
    let repeats = guardrails.repeats;
    lines.push("repeats".bold().to_string());
    lines.push(format!(
        "  run {} of one playbook on one target within {} s goes to a person",
        repeats.escalate_at, repeats.window_seconds
    ));
    if !guardrails.approvals.groups.is_empty() {
        lines.push("approvers".bold().to_string());
        let groups = guardrails.approvals.groups.iter();
        lines.extend(groups.map(|(name, who)| format!("  {:<24} {}", name.green(), out::text(&who.join(", ")))));
    }
    lines.push("storms".bold().to_string());
    lines.extend(guardrails.storms.active().map(|rule| {
        let StormRule { service, targets, window_seconds, quiet_seconds, trickle, actions: _ } = rule;
        format!(
            "  {:<24} {targets} targets within {window_seconds} s; then {trickle} effects in {window_seconds} s until {quiet_seconds} s \
             without a new target",
            service.green()
        )
    }));
    if guardrails.storms.active().next().is_none() {
        lines.push("  none".to_owned());
    }
    lines.push("autonomy".bold().to_string());
    let rules = guardrails.autonomy.iter();
    lines.extend(rules.map(|rule| format!("  {:<24} {}", out::text(&rule.playbook).green(), rule.level.as_str())));
    lines.push(format!("  {:<24} auto", "any other playbook"));
    lines
}

fn budget(budget: &Budget) -> String {
    let Budget { name, applies_to, key, max, window_seconds } = budget;
    let per = if key.is_empty() { String::new() } else { format!(" per {}", out::text(key)) };
    let bound = format!("at most {max} in {window_seconds} s{per}");
    format!("  {:<24} {bound} {}", name.green(), counted(applies_to))
}

/// The effects that a budget counts.
fn counted(selector: &Selector) -> String {
    let Selector { actions, playbooks, services } = selector;
    let part = |of: &str, names: &[String]| (!names.is_empty()).then(|| format!("{of}{}", names.join(", ")));
    let parts = [part("of ", actions), part("in ", playbooks), part("on ", services)];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    if parts.is_empty() { "of every action".to_owned() } else { out::text(&parts.join(" ")) }
}
