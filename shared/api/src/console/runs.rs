//! Lists of runs, with their filters in the address.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Html;
use heal_engine::event::{RunOutcome, RunStatus};
use heal_engine::text::printable;
use heal_runtime::port::RunHead;
use maud::{Markup, html};

use super::Shown;
use super::page::{self, Frame, run_link, standing, time};
use crate::cursor;
use crate::extract::Parameters;
use crate::request::Service;
use crate::runs::filter::RunQuery;

/// How a run can end, as the filter offers it.
const OUTCOMES: [RunOutcome; 10] = [
    RunOutcome::Healed,
    RunOutcome::Completed,
    RunOutcome::Degraded,
    RunOutcome::NotHealed,
    RunOutcome::Failed,
    RunOutcome::Denied,
    RunOutcome::Escalated,
    RunOutcome::Timeout,
    RunOutcome::Cancelled,
    RunOutcome::Shadowed,
];

pub(super) async fn list(
    State(service): State<Arc<Service>>,
    frame: Frame,
    Parameters(query): Parameters<RunQuery>,
) -> Result<Html<String>, Shown> {
    let query = query.without_blanks();
    let filter = query.filter(service.dispatcher.now())?;
    let cursor = query.cursor.as_deref().map(|sealed| cursor::open(&filter, sealed)).transpose()?;
    let found = service.runs.list(&filter, query.limit()?, cursor.as_deref()).await?;
    let here = format!("/runs?{}", address(&query, query.cursor.as_deref()));
    let next = found.next.as_deref().map(|cursor| format!("/runs?{}", address(&query, Some(&cursor::seal(cursor)))));
    let names: Vec<_> = service.dispatcher.library().names().collect();
    let content = html! {
        (filters(&query, &names))
        // The same page again, of which the list is taken: what arrives meanwhile shows by itself.
        div #list hx-get=(here) hx-select="#list" hx-trigger="every 3s" hx-swap="outerHTML" { (table(&found.runs)) }
        @if let Some(next) = next { p { a href=(next) rel="next" { "Older runs" } } }
        @if let Some(before) = found.unexamined_before { p.quiet { "Runs from before " (time(before)) " were not examined." } }
    };
    Ok(page::page("Runs", "/runs", &frame, &content))
}

fn filters(query: &RunQuery, playbooks: &[&str]) -> Markup {
    let text = |name: &str, label: &str, value: &Option<String>| {
        html! { label { (label) input name=(name) value=[value.as_deref()]; } }
    };
    html! {
        form method="get" action="/runs" role="search" aria-label="Filter the runs" {
            label { "Status" (choice("status", query.status.as_deref(), &RunStatus::ALL.map(RunStatus::as_str))) }
            label { "Outcome" (choice("outcome", query.outcome.as_deref(), &OUTCOMES.map(RunOutcome::as_str))) }
            label { "Playbook" (choice("playbook", query.playbook.as_deref(), playbooks)) }
            (text("incident", "Incident", &query.incident)) (text("worker", "Worker", &query.worker)) (text("ticket", "Ticket", &query.ticket))
            (text("workflow", "Workflow", &query.workflow)) (text("severity", "Severity", &query.severity)) (text("since", "Since (2h, 7d)", &query.since))
            label { "Order" select name="needs_attention" {
                option value="false" { "newest first" }
                option value="true" selected[query.needs_attention] { "only what needs a person" }
            } }
            button { "Filter" }
            a href="/runs" { "all" }
        }
    }
}

fn choice(name: &str, chosen: Option<&str>, words: &[&str]) -> Markup {
    let is_chosen = |word: &str| chosen.is_some_and(|chosen| chosen.eq_ignore_ascii_case(word));
    html! {
        select name=(name) {
            option value="" { "any" }
            @for word in words { option value=(word) selected[is_chosen(word)] { (printable(word)) } }
        }
    }
}

/// The query of a page of this listing.
fn address(query: &RunQuery, cursor: Option<&str>) -> String {
    let texts = [
        ("status", &query.status),
        ("outcome", &query.outcome),
        ("severity", &query.severity),
        ("playbook", &query.playbook),
        ("incident", &query.incident),
        ("ticket", &query.ticket),
        ("workflow", &query.workflow),
        ("worker", &query.worker),
        ("since", &query.since),
    ];
    let texts =
        texts.into_iter().filter_map(|(name, value)| Some((name, value.as_deref().filter(|it| !it.is_empty())?)));
    let attention = query.needs_attention.then_some(("needs_attention", "true"));
    let all = texts.chain(attention).chain(cursor.map(|cursor| ("cursor", cursor)));
    all.map(|(name, value)| format!("{name}={}", super::query(value))).collect::<Vec<_>>().join("&")
}

pub(super) fn table(runs: &[RunHead]) -> Markup {
    html! {
        @if runs.is_empty() { p.quiet { "No run." } } @else {
            div.scroll tabindex="0" role="region" aria-label="Runs" {
                table.wrap {
                    thead { tr { th scope="col" { "State" } th scope="col" { "Playbook" } th scope="col" { "About" } th scope="col" { "Started" } th scope="col" { "Run" } th scope="col" { "Why" } } }
                    tbody { @for run in runs { tr {
                        td data-name="State" { (standing(run.status, run.outcome, run.held_by.is_some())) }
                        td data-name="Playbook" { (printable(run.playbook.as_deref().unwrap_or("–"))) }
                        td data-name="About" { (about(run)) }
                        td data-name="Started" { (time(run.started_at)) }
                        td data-name="Run" { (run_link(run.run_id.as_str())) }
                        td data-name="Why" { (printable(run.reason.as_deref().unwrap_or(""))) @if run.open_follow_ups > 0 { " " strong { (run.open_follow_ups) " left to do" } } }
                    } } }
                }
            }
        }
    }
}

fn about(run: &RunHead) -> String {
    let subject = &run.subject;
    let named = [("worker", &subject.worker_id), ("ticket", &subject.ticket_id), ("workflow", &subject.workflow_id)];
    let mut parts: Vec<_> =
        named.into_iter().filter_map(|(what, name)| Some(format!("{what} {}", printable(name.as_deref()?)))).collect();
    parts.extend(subject.severity.as_deref().map(|severity| printable(severity).into_owned()));
    parts.join(" · ")
}
