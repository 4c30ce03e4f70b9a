//! `/api/v1/runs`: the runs, one of them, and what belongs to it.

pub(crate) mod change;
pub(crate) mod events;
pub(crate) mod filter;
pub(crate) mod reported;
pub(crate) mod stream;
pub(crate) mod wait;

use std::sync::Arc;

use axum::extract::{Extension, State};
use axum::http::HeaderMap;
use axum::response::Response;
use heal_engine::event::{RunOutcome, RunStatus};
use heal_engine::report::Report;
use heal_engine::{RunId, Timestamp};
use heal_runtime::port::{RunHead, Subject};
use serde::Serialize;
use utoipa::ToSchema;

use crate::cached::tagged;
use crate::extract::{Parameters, RunPath};
use crate::problem::Problem;
use crate::renderer::Renderer;
use crate::request::Service;
use crate::{cursor, moment};
use filter::RunQuery;
use reported::reported;
use wait::WaitQuery;

/// Pages of the store that one request reads at most: a store examines some thousand runs a page.
const PAGES: usize = 10;

/// A run as the index has it. Times are in milliseconds since the epoch.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Run)]
pub(crate) struct RunView {
    /// The run's id.
    #[schema(value_type = String)]
    run_id: RunId,
    /// The incident that started the run.
    incident_id: String,
    /// The playbook's name; null for a rejected message, which has none.
    playbook: Option<String>,
    /// `PENDING`, `AWAITING_APPROVAL`, `RUNNING`, `COMPLETED`, `FAILED`, `CANCELLED` or `TIMEOUT`.
    #[schema(value_type = String, example = "RUNNING")]
    status: RunStatus,
    /// How the run ended, such as `HEALED`; null while it is live.
    #[schema(value_type = Option<String>, example = "HEALED")]
    outcome: Option<RunOutcome>,
    /// When the run started.
    #[schema(value_type = u64)]
    started_at: Timestamp,
    /// When the run's log last grew.
    #[schema(value_type = u64)]
    updated_at: Timestamp,
    /// Sequence number of the newest event.
    last_seq: u64,
    /// Why the run stops or how it ended, as a sentence.
    reason: Option<String>,
    /// The ticket that the run is about.
    ticket_id: Option<String>,
    /// The workflow that the run is about.
    workflow_id: Option<String>,
    /// The worker that the run is about.
    worker_id: Option<String>,
    /// The incident's severity, in upper case.
    severity: Option<String>,
    /// Whether the incident asks for a person whatever becomes of the run.
    escalation_required: bool,
    /// What the run has left for people to do.
    open_follow_ups: u32,
    /// The id of a halt, or the identity of a person, that holds the run; null while nothing does.
    held_by: Option<String>,
    /// Whether a person has something to do about the run.
    needs_attention: bool,
}

impl From<RunHead> for RunView {
    fn from(head: RunHead) -> Self {
        let needs_attention = head.needs_attention();
        let Subject { ticket_id, workflow_id, worker_id, severity, escalation_required } = head.subject;
        Self {
            run_id: head.run_id,
            incident_id: head.incident_id,
            playbook: head.playbook,
            status: head.status,
            outcome: head.outcome,
            started_at: head.started_at,
            updated_at: head.updated_at,
            last_seq: head.last_seq,
            reason: head.reason,
            ticket_id,
            workflow_id,
            worker_id,
            severity,
            escalation_required,
            open_follow_ups: head.open_follow_ups,
            held_by: head.held_by,
            needs_attention,
        }
    }
}

/// One page of runs.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RunList {
    /// The runs, the newest first, or the most urgent first with `needs_attention`.
    runs: Vec<RunView>,
    /// The `cursor` of the next page; null on the last one.
    next: Option<String>,
    /// Runs that started before this time were not examined; null if the page is complete. RFC 3339.
    #[schema(example = "2026-11-23T20:21:00Z")]
    unexamined_before: Option<String>,
}

/// One run.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RunDetail {
    /// The run as lists show it.
    run: RunView,
    /// Its summary with every step, as `heal runs show --json` prints it.
    #[schema(value_type = Object)]
    report: Report,
}

/// Lists runs. Filters add up.
#[utoipa::path(get, path = "/api/v1/runs", operation_id = "listRuns", tag = "runs", params(RunQuery),
    responses((status = 200, description = "One page of runs", body = RunList)))]
pub(crate) async fn list(
    State(service): State<Arc<Service>>,
    Parameters(query): Parameters<RunQuery>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let (filter, limit) = (query.filter(service.dispatcher.now())?, query.limit()?);
    let mut cursor = query.cursor.as_deref().map(|sealed| cursor::open(&filter, sealed)).transpose()?;
    let mut listed = RunList { runs: Vec::new(), next: None, unexamined_before: None };
    for _ in 0..PAGES {
        let page = service.runs.list(&filter, limit - listed.runs.len(), cursor.as_deref()).await?;
        listed.runs.extend(page.runs.into_iter().map(RunView::from));
        listed.unexamined_before = page.unexamined_before.map(moment::rfc3339);
        cursor = page.next;
        if cursor.is_none() || listed.runs.len() >= limit {
            break;
        }
    }
    listed.next = cursor.as_deref().map(cursor::seal);
    tagged(&headers, &listed)
}

/// Shows one run with its steps. With `wait`, answers once its log has more than `after`, or the time is over.
#[utoipa::path(get, path = "/api/v1/runs/{id}", operation_id = "getRun", tag = "runs",
    params(("id" = String, Path, description = "The run's id", example = "run-1"), WaitQuery),
    responses((status = 200, description = "The run", body = RunDetail)))]
pub(crate) async fn one(
    State(service): State<Arc<Service>>,
    RunPath(run_id): RunPath,
    Parameters(query): Parameters<WaitQuery>,
    Extension(renderer): Extension<Arc<Renderer>>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    wait::for_news(&service, &run_id, query).await?;
    let show = |head: RunHead, report| RunDetail { run: head.into(), report };
    reported(&service, &renderer, "run", &run_id, show).await?.to_response(&headers)
}
