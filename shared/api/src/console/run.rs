//! One run: what needs a person, the graph, the timeline, every decision in sentences, and the log.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse as _, Response};
use heal_engine::event::Commit;
use heal_engine::report::{self, OpenStatus, Report, StepReport, StepStatus};
use heal_engine::text::printable;
use heal_engine::{Plan, RunId, Seq};
use heal_runtime::dispatcher::DispatchError;
use heal_runtime::port::RunHead;
use maud::{Markup, html};
use serde::Deserialize;

use super::graph::{self, Node};
use super::page::{self, Frame, Room, Tone, badge, standing, time};
use super::question::questions;
use super::timeline::timeline;
use super::{Shown, steps};
use crate::explain;
use crate::extract::{Parameters, RunPath};
use crate::moment;
use crate::problem::Problem;
use crate::renderer;
use crate::request::Service;

/// Sentences of one page; the explanation of the API has all of them.
const SENTENCES: usize = 200;
/// All sentences.
const STORY: Room = Room(18 * 1_024);
/// What is left for people.
const FOLLOW_UPS: Room = Room(6 * 1_024);
/// Warnings of the run.
const WARNINGS: Room = Room(4 * 1_024);

/// What a page has seen.
#[derive(Debug, Deserialize)]
pub(super) struct Seen {
    #[serde(default)]
    after: Seq,
}

/// A run, read.
pub(super) struct Read {
    head: RunHead,
    plan: Option<Arc<Plan>>,
    commits: Vec<Commit>,
    report: Report,
}

pub(super) async fn whole(
    State(service): State<Arc<Service>>,
    frame: Frame,
    RunPath(run_id): RunPath,
) -> Result<Html<String>, Shown> {
    let shown = Arc::clone(&service);
    let render = move |log: Log| {
        let run = log.report()?;
        let title = format!("{} · {}", run.report.playbook.as_deref().unwrap_or("rejected message"), run.head.run_id);
        Ok(page::page(&title, "/runs", &frame, &live(&shown, &run)))
    };
    Ok(renderer::apart(Log::read(&service, &run_id), render).await?)
}

/// The part that changes; 204 while the log has nothing new, and 286, which ends the asking, once the run has ended.
pub(super) async fn news(
    State(service): State<Arc<Service>>,
    RunPath(run_id): RunPath,
    Parameters(Seen { after }): Parameters<Seen>,
) -> Result<Response, Shown> {
    let head = service.runs.head(&run_id).await?.ok_or_else(|| Problem::unknown_run(run_id.as_str()))?;
    if head.last_seq <= after {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let shown = Arc::clone(&service);
    let render = move |log: Log| {
        let run = log.report()?;
        Ok((run.head.status.is_terminal(), live(&shown, &run).into_string()))
    };
    let (ended, text) = renderer::apart(Log::read(&service, &run_id), render).await?;
    let status = if ended { StatusCode::from_u16(286).unwrap_or(StatusCode::OK) } else { StatusCode::OK };
    Ok((status, Html(text)).into_response())
}

/// A run's log, not yet folded.
struct Log {
    head: RunHead,
    plan: Option<Arc<Plan>>,
    commits: Vec<Commit>,
}

impl Log {
    async fn read(service: &Service, run_id: &RunId) -> Result<Self, Problem> {
        let head = service.runs.head(run_id).await?.ok_or_else(|| Problem::unknown_run(run_id.as_str()))?;
        let (plan, commits) = service.dispatcher.read(run_id).await?;
        Ok(Self { head, plan, commits })
    }

    fn report(self) -> Result<Read, Problem> {
        let Self { head, plan, commits } = self;
        let report = report::report(plan.as_deref(), &head.run_id, &commits)
            .map_err(|cause| DispatchError::Log { run_id: head.run_id.clone(), cause })?;
        Ok(Read { head, plan, commits, report })
    }
}

fn live(service: &Service, run: &Read) -> Markup {
    let id = run.head.run_id.as_str();
    let is_live = !run.head.status.is_terminal();
    let news = format!("/runs/{id}/news?after={}", run.head.last_seq);
    let stream =
        (is_live && service.waiting.streams).then(|| format!("/api/v1/runs/{id}/stream?after={}", run.head.last_seq));
    html! {
        div #run hx-get=[is_live.then_some(news)] hx-trigger=[is_live.then_some("every 3s, changed from:body, news from:body")] hx-swap="outerHTML" data-stream=[stream] {
            (facts(run))
            @if is_live { p { a href="#change" { "Hold or cancel this run" } } }
            (questions(id, &run.report.approvals))
            (follow_ups(run))
            @if let Some(plan) = &run.plan {
                h2 #graph { "Steps" }
                (graph(plan, &run.report))
                h2 { "Timeline" }
                (timeline(plan, &run.commits, service.dispatcher.now()))
                h2 { "Each step" }
                (steps::table(plan, run))
            }
            h2 { "What happened, and why" }
            (story(run))
            (changes(id, run))
        }
    }
}

fn facts(run: &Read) -> Markup {
    let (head, report) = (&run.head, &run.report);
    html! {
        dl.facts {
            dt { "State" } dd { (standing(head.status, head.outcome, head.held_by.is_some())) @if report.mode.is_shadow() { " " (badge(Tone::Left, "SHADOW")) } }
            @if let Some(reason) = &report.reason { dt { "Why" } dd { (printable(reason)) } }
            @if let Some(held) = &report.held { dt { "Held" } dd { "since " (time(held.since)) " by " (printable(&held.hold.by)) ": " (printable(&held.hold.reason)) } }
            dt { "Incident" } dd { a href={ "/runs?incident=" (super::query(&head.incident_id)) } { (printable(&head.incident_id)) } @if let Some(severity) = &report.severity { " · " (printable(severity)) } @if report.escalation_required { " · " (badge(Tone::Left, "call a person")) } }
            @if let Some(playbook) = &report.playbook { dt { "Playbook" } dd { a href={ "/playbooks/" (super::query(playbook)) } { (printable(playbook)) } } }
            dt { "Started" } dd { (time(report.started_at)) }
            @if let Some(ended) = report.ended_at { dt { "Ended" } dd { (time(ended)) ", after " (moment::duration(ended.since_ms(report.started_at))) } }
            @if report.waited_ms > 0 { dt { "In queues" } dd { (moment::duration(report.waited_ms)) } }
            @if !report.joined.is_empty() { dt { "Joined by" } dd { (report.joined.len()) " incidents: " (printable(&report.joined.iter().take(5).cloned().collect::<Vec<_>>().join(", "))) } }
            @if let Some(trace) = report.traceparent.as_deref().and_then(|text| text.split('-').nth(1)) { dt { "Trace" } dd { code { (printable(trace)) } } }
        }
        @let warnings = WARNINGS.fill(report.warnings.iter().map(|warning| html! { p { (badge(Tone::Left, "warning")) " " (printable(warning)) } }));
        @for warning in &warnings { (warning) }
        @if warnings.len() < report.warnings.len() { p.quiet { "and " (report.warnings.len() - warnings.len()) " more warnings" } }
    }
}

fn follow_ups(run: &Read) -> Markup {
    let all = &run.report.follow_ups;
    let shown = FOLLOW_UPS.fill(all.iter().map(|follow_up| html! { li { (super::now::follow_up(follow_up)) } }));
    html! {
        @if !all.is_empty() {
            h2 { "Left for a person" }
            ul { @for follow_up in &shown { (follow_up) } }
            @if shown.len() < all.len() {
                p { "and " (all.len() - shown.len()) " more: " a href={ "/api/v1/follow-ups?run=" (run.head.run_id.as_str()) } { "all of them" } }
            }
        }
    }
}

fn graph(plan: &Plan, report: &Report) -> Markup {
    if report.steps.len() > graph::DRAWN_STEPS {
        return tallies(report);
    }
    let label = format!("The steps of {}, from top to bottom", plan.playbook.name);
    graph::svg(&nodes(plan, Some(report)), &label, |node| format!("#step-{}", node.name))
}

/// The steps of a plan, with their states if `report` has them. The verification comes after everything else.
pub(super) fn nodes(plan: &Plan, report: Option<&Report>) -> Vec<Node> {
    let actions = plan.steps().filter(|(index, _)| !plan.is_verify(*index)).count();
    let last: Vec<usize> = plan
        .steps()
        .filter(|(index, step)| !plan.is_verify(*index) && step.dependents.iter().all(|other| plan.is_verify(*other)))
        .map(|(index, _)| index as usize)
        .collect();
    let node = |(index, step): (u32, &heal_engine::plan::PlannedStep)| {
        let state = report.and_then(|report| report.steps.get(index as usize)).map(|step| step.status);
        let mut needs: Vec<usize> = step.needs.iter().map(|need| *need as usize).collect();
        if plan.is_verify(index) && needs.iter().all(|need| *need < actions) {
            needs.clone_from(&last);
        }
        Node {
            name: step.spec.name.clone(),
            kind: if plan.is_verify(index) { format!("verify: {}", step.spec.kind) } else { step.spec.kind.clone() },
            state: state.map(|state| state.as_str().replace('_', " ")).unwrap_or_default(),
            tone: state.map_or(Tone::None, tone),
            needs,
        }
    };
    plan.steps().map(node).collect()
}

/// A run of many steps, by state: nobody reads a graph of a thousand boxes.
fn tallies(report: &Report) -> Markup {
    let mut counts = std::collections::BTreeMap::<&str, (usize, Tone)>::new();
    for step in &report.steps {
        counts.entry(step.status.as_str()).or_insert((0, tone(step.status))).0 += 1;
    }
    html! {
        p { (report.steps.len()) " steps: " @for (word, (count, tone)) in counts { (badge(tone, &format!("{count} {}", word.replace('_', " ")))) " " } }
    }
}

pub(super) const fn tone(status: StepStatus) -> Tone {
    use heal_engine::event::StepOutcome;
    match status {
        StepStatus::Ended(outcome) => match outcome {
            StepOutcome::Succeeded | StepOutcome::NoOp | StepOutcome::Shadowed => Tone::Good,
            StepOutcome::ConditionFalse => Tone::None,
            StepOutcome::Skipped | StepOutcome::CoolingDown => Tone::Left,
            StepOutcome::Denied | StepOutcome::Failed | StepOutcome::TimedOut | StepOutcome::Unknown => Tone::Bad,
        },
        StepStatus::Open(OpenStatus::NotRun) => Tone::None,
        StepStatus::Open(OpenStatus::Running) => Tone::Live,
        StepStatus::Open(OpenStatus::Waiting | OpenStatus::AwaitingApproval) => Tone::Waits,
    }
}

fn story(run: &Read) -> Markup {
    let told = explain::tell(run.plan.as_deref(), &run.commits, None);
    let all = told.len();
    let entry = |entry: &explain::Told| {
        let lines = entry.lines();
        html! {
            li {
                (printable(lines.first().map_or("", String::as_str)))
                @if lines.len() > 1 { ul { @for line in lines.iter().skip(1) { li { (printable(line.trim())) } } } }
            }
        }
    };
    // The latest ones, in their order.
    let mut shown = STORY.fill(told.iter().rev().take(SENTENCES).map(entry));
    shown.reverse();
    let left_out = all - shown.len();
    html! {
        @if left_out > 0 {
            p.quiet { "The first " (left_out) " of " (all) " entries are in the " a href={ "/api/v1/runs/" (run.head.run_id.as_str()) "/explanation" } { "whole explanation" } "." }
        }
        ol.story start=(left_out + 1) {
            @for entry in &shown { (entry) }
        }
    }
}

fn changes(run_id: &str, run: &Read) -> Markup {
    let post = |change: &str| format!("/api/v1/runs/{run_id}/{change}");
    html! {
        @if !run.head.status.is_terminal() {
            h2 #change { "Change this run" }
            div.actions {
                @if run.head.held_by_halt().is_none() {
                    @let (change, word) = if run.head.held_by.is_some() { ("release", "Release") } else { ("hold", "Hold") };
                    form data-url=(post(change)) { label.wide { "Reason" input name="reason" required maxlength="500"; } button { (word) } }
                }
                form data-url=(post("cancel")) data-ask="Cancel this run? What is in flight is waited for; nothing new starts." {
                    label.wide { "Reason" input name="reason" maxlength="500"; }
                    button.no { "Cancel" }
                }
            }
        }
        p { a href={ "/api/v1/runs/" (run_id) "/events" } { "The log as JSON" } }
    }
}

impl Read {
    pub(super) fn steps(&self) -> &[StepReport] {
        &self.report.steps
    }
}
