//! Now: what needs a person, what runs, what is halted, and the one switch that stops everything.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Html;
use heal_engine::event::RunStatus;
use heal_engine::report::FollowUp;
use heal_engine::text::printable;
use heal_guard::Halt;
use heal_runtime::port::RunFilter;
use maud::{Markup, html};

use super::page::{self, Frame, Tone, badge, run_link, time};
use super::{Shown, runs};
use crate::request::Service;
use crate::worklist::{Approval, Escalation, FollowUpEntry, FollowUpFilter, Listing, approval_name};

/// Live runs that the page shows.
const LIVE: usize = 30;
/// Entries of each list that the page shows.
const ENTRIES: usize = 20;

pub(super) async fn now(State(service): State<Arc<Service>>, frame: Frame) -> Result<Html<String>, Shown> {
    let content = html! {
        p { a href="#halts" { "Stop everything, or a part" } }
        div #now hx-get="/now" hx-trigger="every 5s, changed from:body" hx-swap="innerHTML" { (lists(&service).await?) }
        (switch(&frame.halts))
    };
    Ok(page::page("Now", "/", &frame, &content))
}

/// The part that changes.
pub(super) async fn news(State(service): State<Arc<Service>>) -> Result<Html<String>, Shown> {
    Ok(Html(lists(&service).await?.into_string()))
}

async fn lists(service: &Service) -> Result<Markup, Shown> {
    let worklist = service.worklist();
    let approvals = worklist.approvals().await?;
    let escalations = worklist.escalations(false).await?;
    let follow_ups = worklist.follow_ups(&FollowUpFilter::default()).await?;
    let live = |status| RunFilter { status: Some(status), ..RunFilter::default() };
    let running = service.runs.list(&live(RunStatus::Running), LIVE, None).await?.runs;
    let pending = service.runs.list(&live(RunStatus::Pending), LIVE, None).await?.runs;
    let is_calm = approvals.entries.is_empty() && escalations.entries.is_empty() && follow_ups.entries.is_empty();
    Ok(html! {
        h2 { "What needs you" }
        @if is_calm { p { (badge(Tone::Good, "nothing")) " Nothing waits for a person." } }
        div.cards {
            @for approval in approvals.entries.iter().take(ENTRIES) { (approval_card(approval)) }
            @for escalation in escalations.entries.iter().take(ENTRIES) { (escalation_card(escalation)) }
            @for entry in follow_ups.entries.iter().take(ENTRIES) { (follow_up_card(entry)) }
        }
        (more(&approvals, "approvals")) (more(&escalations, "escalations")) (more(&follow_ups, "follow-ups"))
        h2 { "What runs" }
        (runs::table(&running))
        @if !pending.is_empty() { h2 { "What waits for room" } (runs::table(&pending)) }
    })
}

fn more<T>(listing: &Listing<T>, what: &str) -> Markup {
    html! {
        @if listing.has_more || listing.entries.len() > ENTRIES {
            p { a href="/runs?needs_attention=true" { "There are more " (what) } }
        }
    }
}

fn approval_card(Approval { run_id, playbook, incident_id, approval }: &Approval) -> Markup {
    html! {
        section.card {
            h3 { (badge(Tone::Waits, "approval")) " " (printable(playbook)) ": " (printable(&approval_name(approval))) }
            p { (printable(&approval.why)) }
            p.quiet { "until " (time(approval.until)) " · incident " (printable(incident_id)) }
            p { a href={ "/runs/" (run_id.as_str()) } { "Look, and answer" } }
        }
    }
}

fn escalation_card(escalation: &Escalation) -> Markup {
    let id = escalation.run_id.as_str();
    html! {
        section.card {
            h3 { (badge(Tone::Left, "escalated")) " " (printable(escalation.playbook.as_deref().unwrap_or("?"))) }
            p { (printable(escalation.reason.as_deref().unwrap_or("the remedy does not help"))) }
            p.quiet { "since " (time(escalation.at)) " · " (escalation.joined.len()) " incidents since · " (run_link(id)) }
            form data-url={ "/api/v1/escalations/" (id) "/acknowledge" } {
                label.wide { "What you found" input name="note" required maxlength="500"; }
                button { "Acknowledge: the engine may act on it again" }
            }
        }
    }
}

fn follow_up_card(entry: &FollowUpEntry) -> Markup {
    html! {
        section.card {
            h3 { (badge(Tone::Left, "left to do")) " " (printable(entry.playbook.as_deref().unwrap_or("rejected message"))) @if let Some(severity) = &entry.severity { " · " (printable(severity)) } }
            (follow_up(&entry.follow_up))
            p.quiet { "since " (time(entry.follow_up.at)) " · incident " (printable(&entry.incident_id)) " · " (run_link(entry.run_id.as_str())) }
        }
    }
}

/// One thing that is left, and the form that ticks it off.
pub(super) fn follow_up(follow_up: &FollowUp) -> Markup {
    html! {
        p { (printable(&follow_up.text)) }
        @match (&follow_up.done_by, follow_up.done_at) {
            (Some(by), Some(at)) => p.quiet { "done by " (printable(by)) ", " (time(at)) @if let Some(note) = &follow_up.note { ": " (printable(note)) } },
            _ => form data-url={ "/api/v1/follow-ups/" (super::query(&follow_up.id)) "/done" } {
                label.wide { "Note" input name="note" maxlength="500"; }
                button { "Done" }
            },
        }
    }
}

/// The kill switch, with what lasts.
fn switch(halts: &[Halt]) -> Markup {
    html! {
        h2 #halts { "Stop" }
        @for halt in halts {
            div.card {
                p { (badge(Tone::Bad, "halted")) " " (printable(&halt.scope.to_string())) " until " (time(halt.until)) ", by " (printable(&halt.by)) ": " (printable(&halt.reason)) }
                form data-url={ "/api/v1/halts/" (super::query(&halt.id)) } data-method="DELETE" data-next="/" data-ask="Resume? Held runs go on within seconds." { button.yes { "Resume" } }
            }
        }
        form.card data-url="/api/v1/halts" data-next="/" data-ask="Halt? Nothing that it names changes anything until it ends or somebody resumes." {
            label { "What" select name="scope" {
                option value="all" { "everything" } option value="playbook" { "a playbook" } option value="action" { "an action" }
                option value="service" { "a service" } option value="target" { "a target" }
            } }
            label { "Its name, unless everything" input name="name" maxlength="200"; }
            label { "For" select name="for_seconds" data-number {
                option value="900" { "15 minutes" } option value="3600" { "1 hour" } option value="7200" selected { "2 hours" } option value="28800" { "8 hours" } option value="86400" { "a day" }
            } }
            label.wide { "Reason" input name="reason" required maxlength="500"; }
            button.no { "Halt" }
        }
    }
}
