//! The rest of a home: checks, dead letters, and the form that raises an incident or tries one.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Html;
use heal_engine::check;
use heal_engine::text::printable;
use maud::{Markup, html};

use super::Shown;
use super::page::{self, Frame, Tone, badge, time};
use crate::request::Service;

/// Dead letters that the page shows.
const LETTERS: usize = 50;
/// Bytes of a dead letter that it shows.
const LETTER_BYTES: usize = 4_000;

const EXAMPLE: &str = r#"{
  "incident_id": "inc-1",
  "incident_type": "WORKER_FAILURE",
  "severity": "HIGH",
  "worker_id": "worker-1"
}"#;

pub(super) async fn new_incident(State(service): State<Arc<Service>>, frame: Frame) -> Result<Html<String>, Shown> {
    let content = html! {
        p { "An incident in any shape that the queue takes: JSON with an " code { "incident_id" } ", which starts one run however often it is sent." }
        form #raise data-url="/api/v1/incidents" data-next="/runs?incident={incident_id}" {
            label.wide { "Incident" textarea name="incident" data-json required spellcheck="false" { (EXAMPLE) } }
            button.yes { "Raise it" }
        }
        h2 { "What would this incident do?" }
        form data-url="/api/v1/incidents?dry_run=true" data-show="would" {
            label.wide { "Incident to try" textarea name="incident" data-json required spellcheck="false" { (EXAMPLE) } }
            button { "Try it: nothing is started" }
        }
        pre #would tabindex="0" { "" }
        p { "Types that start a playbook: "
            @for entry in service.dispatcher.library().entries() { @for trigger in &entry.plan.playbook.triggers {
                code { (printable(&trigger.incident_type)) } " (" (printable(&entry.plan.playbook.name)) ") "
            } }
        }
    };
    Ok(page::page("New incident", "/incidents/new", &frame, &content))
}

pub(super) async fn checks(State(service): State<Arc<Service>>, frame: Frame) -> Result<Html<String>, Shown> {
    let mut cards = Vec::new();
    for check in &service.checks {
        let stored = service.check_store.load(&check.name).await?;
        let state = stored.map(|(_, text)| check::State::parse(&text));
        cards.push(check_card(check, state.as_ref()));
    }
    let content = html! {
        @if cards.is_empty() { p.quiet { "This home has no scheduled checks." } }
        div.cards { @for card in &cards { (card) } }
    };
    Ok(page::page("Checks", "/checks", &frame, &content))
}

fn check_card(check: &check::Check, state: Option<&Result<check::State, heal_engine::format::Error>>) -> Markup {
    html! {
        section.card {
            h2 { (printable(&check.name)) " "
                @match state {
                    None => (badge(Tone::None, "not yet probed")),
                    Some(Err(_)) => (badge(Tone::Bad, "unreadable")),
                    Some(Ok(state)) if state.problem.is_some() => (badge(Tone::Left, "no answer")),
                    Some(Ok(state)) if state.targets.values().any(|target| target.failures > 0) => (badge(Tone::Bad, "failing")),
                    Some(Ok(_)) => (badge(Tone::Good, "well")),
                }
            }
            p { (printable(&check.description)) }
            p.quiet { "every " (check.every_seconds) " s; raises after " (check.failures) " in a row" }
            @if let Some(Ok(state)) = state {
                @if let Some(at) = state.looked_at { p.quiet { "last probe " (time(at)) } }
                @if let Some(problem) = &state.problem { p { (printable(problem)) } }
                ul { @for (name, target) in state.targets.iter().filter(|(_, target)| target.failures > 0).take(20) {
                    li { (printable(name)) ": " (target.failures) " in a row, since " (time(target.since)) }
                } }
            }
        }
    }
}

pub(super) async fn dead_letters(State(service): State<Arc<Service>>, frame: Frame) -> Result<Html<String>, Shown> {
    let letters = service.dead_letters.list(LETTERS).await?;
    let content = html! {
        p { "Messages that could not be processed. Each is kept with the reason until somebody puts it back." }
        @if letters.is_empty() { p { (badge(Tone::Good, "none")) } }
        @for letter in &letters {
            section.card {
                h2 { (printable(&letter.queue.to_string())) " · " (time(letter.sent_at)) }
                p { (printable(&letter.reason)) }
                p.quiet { "delivered " (letter.receive_count) " times" }
                details { summary { "The message" } pre tabindex="0" { (printable(cut(&letter.body))) } }
                form data-url={ "/api/v1/dead-letters/" (super::query(&letter.message_id)) "/redrive" } data-next="/dead-letters" { button { "Put it back on its queue" } }
            }
        }
        @if letters.len() == LETTERS { p.quiet { "The oldest " (LETTERS) " are shown." } }
    };
    Ok(page::page("Dead letters", "/dead-letters", &frame, &content))
}

fn cut(text: &str) -> &str {
    text.get(..text.floor_char_boundary(LETTER_BYTES.min(text.len()))).unwrap_or_default()
}
