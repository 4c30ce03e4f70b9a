//! The guardrails: how much of each budget is left, which targets are left alone, how far playbooks may go, and everything else that holds.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Html;
use heal_engine::Timestamp;
use heal_engine::text::printable;
use maud::{Markup, html};

use super::Shown;
use super::page::{self, Frame, Tone, badge, json, time};
use crate::guardrails::{BudgetView, CooldownView, CounterView, GuardrailsView, standing};
use crate::moment;
use crate::request::Service;

/// Rows that one table shows.
const ROWS: usize = 50;

pub(super) async fn guardrails(State(service): State<Arc<Service>>, frame: Frame) -> Result<Html<String>, Shown> {
    let guardrails = service.dispatcher.guardrails();
    let settings = service.autonomy.settings().await?;
    let GuardrailsView { digest, budgets, cooldowns, runs_read, .. } = standing(&service).await?;
    let content = html! {
        p.quiet { "How it stands now; counters and targets are those that the latest runs used (" (runs_read) " were read)." }
        h2 { "How much is left" }
        @if budgets.is_empty() { p { "No budget is set: only the cooldowns below bound how often something is touched." } }
        @for budget in &budgets { (budget_card(budget)) }
        h2 { "Targets that are left alone" }
        (cooldown_table(&cooldowns))
        h2 { "Autonomy" }
        p { "How far the engine may go alone with a playbook; the stricter of the file and what people set counts." }
        div.scroll tabindex="0" role="region" aria-label="Autonomy" { table.wrap {
            thead { tr { th scope="col" { "Playbook" } th scope="col" { "In the file" } th scope="col" { "Set by people" } } }
            tbody { @for name in service.dispatcher.library().names() { tr {
                td data-name="Playbook" { (printable(name)) }
                td data-name="In the file" { (guardrails.autonomy.iter().find(|rule| rule.playbook == name).map_or("auto", |rule| rule.level.as_str())) }
                td data-name="Set by people" { @match settings.iter().find(|setting| setting.playbook == name) {
                    Some(setting) => { (setting.level.as_str()) " by " (printable(&setting.by)) ", " (time(setting.since)) ": " (printable(&setting.reason)) },
                    None => "–",
                } }
            } } }
        } }
        h2 { "Everything that holds" }
        dl.facts { dt { "Digest" } dd { code { (digest) } } }
        pre tabindex="0" { (json(&**guardrails)) }
    };
    Ok(page::page("Guardrails", "/guardrails", &frame, &content))
}

fn budget_card(budget: &BudgetView) -> Markup {
    let BudgetView { name, max, max_percent, window_seconds, counters } = budget;
    html! {
        section.card {
            h3 { (printable(name)) " "
                @if counters.iter().any(|counter| counter.left == 0) { (badge(Tone::Bad, "full")) } @else { (badge(Tone::Good, "free")) }
            }
            p.quiet { "at most " (max) @if let Some(percent) = max_percent { " or " (percent) " % of the population" }
                @match window_seconds { Some(seconds) => { " in " (moment::duration(seconds.saturating_mul(1_000))) }, None => " at any one time" } }
            @if counters.is_empty() { p { "No run has used it lately: all " (max) " are left." } }
            ul.counters { @for counter in counters.iter().take(ROWS) { (counter_line(counter, *max)) } }
            @if counters.len() > ROWS { p.quiet { "and " (counters.len() - ROWS) " more, with more left" } }
        }
    }
}

fn counter_line(counter: &CounterView, max: u32) -> Markup {
    let CounterView { key, used, left, .. } = counter;
    let said = format!("{used} of {max} used, {left} left");
    html! {
        li {
            @if !key.is_empty() { (printable(key)) ": " }
            meter min="0" max=(max) value=(used) aria-label=(said) {} " " (said)
            @if let Some(until) = counter.full_until() { "; the next place is free at " (time(until)) }
        }
    }
}

fn cooldown_table(cooldowns: &[CooldownView]) -> Markup {
    html! {
        @if cooldowns.is_empty() { p { "None: everything may be touched." } } @else {
            div.scroll tabindex="0" role="region" aria-label="Targets that are left alone" { table.wrap {
                thead { tr { th scope="col" { "Target" } th scope="col" { "Action" } th scope="col" { "Touched" } th scope="col" { "Free again" } } }
                tbody { @for CooldownView { action, target, since, until } in cooldowns.iter().take(ROWS) { tr {
                    td data-name="Target" { (printable(target)) }
                    td data-name="Action" { (printable(action)) }
                    td data-name="Touched" { (time(Timestamp(*since))) }
                    td data-name="Free again" { (time(Timestamp(*until))) }
                } } }
            } }
            @if cooldowns.len() > ROWS { p.quiet { "and " (cooldowns.len() - ROWS) " more, which end sooner" } }
        }
    }
}
