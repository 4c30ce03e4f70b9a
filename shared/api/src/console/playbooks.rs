//! The playbooks: what starts each, its graph, and how it has done.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Html;
use heal_engine::Timestamp;
use heal_engine::event::RunOutcome;
use heal_engine::playbook::{Condition, Playbook};
use heal_engine::text::printable;
use heal_runtime::port::{RunFilter, RunHead};
use maud::{Markup, html};

use super::page::{self, Frame, Tone, json};
use super::{Shown, graph, run, runs};
use crate::autonomy::unknown_playbook;
use crate::extract::NamePath;
use crate::request::Service;

/// Runs that a page looks back on.
const RUNS: usize = 200;
/// Runs that it shows.
const SHOWN: usize = 10;
/// Days of the plot.
const DAYS: u64 = 14;
const DAY_MS: u64 = 86_400_000;

pub(super) async fn list(State(service): State<Arc<Service>>, frame: Frame) -> Result<Html<String>, Shown> {
    let content = html! {
        div.cards {
            @for entry in service.dispatcher.library().entries() {
                @let playbook = &entry.plan.playbook;
                section.card {
                    h2 { a href={ "/playbooks/" (super::query(&playbook.name)) } { (printable(&playbook.name)) } }
                    p { (printable(&playbook.description)) }
                    p.quiet { (playbook.actions.len()) " actions, " (playbook.verify.len()) " checks that it helped · " (triggers(playbook)) }
                }
            }
        }
    };
    Ok(page::page("Playbooks", "/playbooks", &frame, &content))
}

fn triggers(playbook: &Playbook) -> String {
    let types: Vec<_> = playbook.triggers.iter().map(|trigger| trigger.incident_type.as_str()).collect();
    if types.is_empty() { "started by name only".to_owned() } else { printable(&types.join(", ")).into_owned() }
}

pub(super) async fn one(
    State(service): State<Arc<Service>>,
    frame: Frame,
    NamePath(name): NamePath,
) -> Result<Html<String>, Shown> {
    let library = service.dispatcher.library();
    let plan =
        library.get(&name).map(|entry| Arc::clone(&entry.plan)).ok_or_else(|| unknown_playbook(&service, &name))?;
    let now = service.dispatcher.now();
    let filter = RunFilter { playbook: Some(name.clone()), ..RunFilter::default() };
    let found = service.runs.list(&filter, RUNS, None).await?.runs;
    let playbook = &plan.playbook;
    let content = html! {
        p { (printable(&playbook.description)) }
        dl.facts {
            dt { "Started by" } dd { @for trigger in &playbook.triggers {
                p { code { (printable(&trigger.incident_type)) } @if let Some(Condition::Expression(text)) = &trigger.condition { " if " code { (printable(text)) } } }
            } @if playbook.triggers.is_empty() { "its name only" } }
            dt { "Has to end within" } dd { (playbook.timeout_seconds) " s" }
            @if let Some(key) = &playbook.concurrency_key { dt { "One at a time for" } dd { code { (printable(key)) } } }
            dt { "Plan" } dd { code { (plan.digest.as_str()) } }
        }
        h2 { "Steps" }
        @if playbook.steps().count() <= graph::DRAWN_STEPS {
            (graph::svg(&run::nodes(&plan, None), &format!("The steps of {}", playbook.name), |_| "#parameters".to_owned()))
        } @else { p { (playbook.steps().count()) " steps" } }
        h2 { "How it has done" }
        (plot(&found, now))
        (runs::table(found.get(..SHOWN).unwrap_or(&found)))
        p { a href={ "/runs?playbook=" (super::query(&name)) } { "All its runs" } }
        h2 #parameters { "What an incident has to bring" }
        @match &playbook.parameters_schema { Some(schema) => pre tabindex="0" { (json(schema)) }, None => p.quiet { "Nothing in particular." } }
    };
    Ok(page::page(&name, "/playbooks", &frame, &content))
}

/// The runs of each of the last days, by how they ended.
fn plot(found: &[RunHead], now: Timestamp) -> Markup {
    let mut days = vec![[0_usize; 3]; usize::try_from(DAYS).unwrap_or_default()];
    for head in found {
        let age = usize::try_from(now.since_ms(head.started_at) / DAY_MS).unwrap_or(usize::MAX);
        let Some(outcome) = head.outcome else { continue };
        if let Some([good, left, bad]) = days.get_mut(age) {
            *match page::Tone::of_outcome(outcome) {
                Tone::Good => good,
                Tone::Left | Tone::None | Tone::Live | Tone::Waits => left,
                Tone::Bad => bad,
            } += 1;
        }
    }
    let total =
        |outcome: fn(RunOutcome) -> bool| found.iter().filter_map(|run| run.outcome).filter(|it| outcome(*it)).count();
    let (ended, good) = (total(|_| true), total(|outcome| Tone::of_outcome(outcome) == Tone::Good));
    let highest = days.iter().map(|counts| counts.iter().sum::<usize>()).max().unwrap_or_default().max(1);
    let said = format!("{good} of the last {ended} runs ended well");
    html! {
        p { (said) "." }
        svg.plot role="img" aria-label={ (said) "; runs of the last " (DAYS) " days" } viewBox={ "0 0 " (DAYS * 20) " 46" } preserveAspectRatio="none" {
            @for (age, counts) in days.iter().enumerate() {
                @let x = (usize::try_from(DAYS).unwrap_or_default() - 1 - age) * 20;
                @for (class, from, height) in stack(*counts, highest) { rect class=(class) x=(x) width="16" y=(46 - from - height) height=(height) {} }
            }
        }
        p.quiet { "The last " (DAYS) " days, today on the right; of at most " (RUNS) " runs." }
    }
}

/// The parts of one column from below, in units of a plot 46 high.
fn stack(counts: [usize; 3], highest: usize) -> Vec<(&'static str, usize, usize)> {
    let mut from = 0;
    let mut parts = Vec::new();
    for (class, count) in ["", "left", "bad"].into_iter().zip(counts) {
        let height = (count * 44).div_ceil(highest);
        if height > 0 {
            parts.push((class, from, height));
            from += height;
        }
    }
    parts
}
