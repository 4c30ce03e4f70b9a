//! `heal guardrails show`: what is in force, every default filled in.

use anyhow::bail;
use heal_engine::catalog::{ActionSpec, Safety};
use heal_guard::{
    Budget, Demote, DependencyRule, Guardrails, IGNORE, LiveBounds, Schedule, ScopeRule, Selector, StormRule, Weekday,
    Window,
};
use owo_colors::OwoColorize as _;
use serde_json::{Value, json};

use super::Files;
use crate::exit::Exit;
use crate::guardrails::{self, Loaded};
use crate::playbooks::diagnostics;
use crate::{actions, moment, out};

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
    match source.value {
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
        "admission": guardrails.admission,
        "windows": guardrails.windows,
        "scope": guardrails.scope,
        "storms": guardrails.storms,
        "dependencies": guardrails.dependencies,
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
    lines.push("dependencies".bold().to_string());
    lines.extend(guardrails.dependencies.iter().map(dependency));
    if guardrails.dependencies.is_empty() {
        lines.push("  none".to_owned());
    }
    lines.push("autonomy".bold().to_string());
    let rules = guardrails.autonomy.iter();
    lines.extend(rules.map(|rule| format!("  {:<24} {}", out::text(&rule.playbook).green(), rule.level.as_str())));
    lines.push(format!("  {:<24} auto", "any other playbook"));
    lines.push("demotion".bold().to_string());
    let rules = guardrails.autonomy.iter().filter(|rule| rule.demote.is_some());
    lines.extend(rules.map(|rule| demotion(&out::text(&rule.playbook), guardrails.demotion(&rule.playbook))));
    lines.push(demotion("any other playbook", Demote::default()));
    lines.push("windows".bold().to_string());
    lines.extend(guardrails.windows.iter().map(window));
    if guardrails.windows.is_empty() {
        lines.push("  none".to_owned());
    }
    lines.push("scope".bold().to_string());
    lines.push(format!("  {:<24} every target with the label, annotation or metadata {IGNORE}", "opt_out"));
    lines.extend(guardrails.scope.iter().map(scope));
    lines.extend(live_runs(&guardrails.admission.live));
    lines
}

fn live_runs(live: &LiveBounds) -> Vec<String> {
    let line = |name: &str, max: &u32| format!("  {:<24} {max}", name.green());
    let named = |(name, max): (&String, &u32)| line(&out::text(name), max);
    let mut lines = vec!["live runs, others wait".bold().to_string()];
    lines.extend(live.playbooks.iter().map(named));
    lines.push(line("each other playbook", &live.per_playbook));
    lines.extend(live.services.iter().map(named));
    lines.push(line("each other service", &live.per_service));
    lines
}

fn demotion(playbook: &str, demote: Demote) -> String {
    let Demote { below_percent, of_last } = demote;
    let when = if below_percent == 0 {
        "never".to_owned()
    } else {
        format!("one level down if fewer than {below_percent} % of the last {of_last} runs healed")
    };
    format!("  {:<24} {when}", playbook.green())
}

fn window(window: &Window) -> String {
    let Window { name, kind, applies_to, schedule, .. } = window;
    let open = match schedule {
        Schedule::Daily { days, from, to, zone } => {
            let is_on = |day: &&(&str, Weekday)| days.contains(&day.1);
            let days: Vec<&str> = Weekday::ALL.iter().filter(is_on).map(|(word, _)| *word).collect();
            let days = if days.is_empty() { "every day".to_owned() } else { days.join(", ") };
            format!("{days} {from} to {to} {}", zone.name())
        }
        Schedule::Once { start, end } => format!("{} to {}", moment::rfc3339(*start), moment::rfc3339(*end)),
    };
    format!("  {:<24} {:<4} {open} {}", name.green(), kind.as_str(), counted(applies_to))
}

fn scope(rule: &ScopeRule) -> String {
    let ScopeRule { applies_to, opt_out, opt_in } = rule;
    let (what, mark) = if opt_in.is_some() { ("opt_in", opt_in) } else { ("opt_out", opt_out) };
    let mark = mark.as_ref().map(|mark| out::text(&mark.to_string())).unwrap_or_default();
    format!("  {what:<24} {mark} {}", counted(applies_to))
}

fn dependency(rule: &DependencyRule) -> String {
    let DependencyRule { name, breaker, check, holds } = rule;
    let sick = [
        breaker.as_ref().map(|name| format!("the breaker of {name}")),
        check.as_ref().map(|name| format!("check {name}")),
    ];
    let sick: Vec<String> = sick.into_iter().flatten().collect();
    format!(
        "  {:<24} while {} says that it is sick: effects {}",
        name.green(),
        out::text(&sick.join(" or ")),
        counted(holds)
    )
}

fn budget(budget: &Budget) -> String {
    let Budget { name, applies_to, key, max, max_percent, window_seconds, concurrent } = budget;
    let per = if key.is_empty() { String::new() } else { format!(" per {}", out::text(key)) };
    let share = max_percent.map(|percent| format!(" or {percent} % of the population")).unwrap_or_default();
    let when = if *concurrent { "at any one time".to_owned() } else { format!("in {window_seconds} s") };
    let bound = format!("at most {max}{share} {when}{per}");
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
