//! The events of a run, and their explanation.

use std::sync::Arc;

use axum::extract::{Extension, State};
use axum::http::HeaderMap;
use axum::response::Response;
use heal_engine::event::{Commit, Event};
use heal_engine::{Plan, RunId, Seq, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::wait::{self, WaitQuery};
use crate::explain::{self, Told};
use crate::extract::{Parameters, RunPath};
use crate::problem::Problem;
use crate::renderer::{Key, Renderer};
use crate::request::Service;

/// One event of a run's log.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RunEvent)]
pub(crate) struct EventView {
    /// Its sequence number, from 1.
    #[schema(value_type = u64)]
    pub seq: Seq,
    /// When it happened, in milliseconds since the epoch.
    #[schema(value_type = u64)]
    at: Timestamp,
    /// Names the input that caused it.
    cause_id: String,
    /// The event, as the log keeps it: its name is in `event`.
    #[schema(value_type = Object, example = json!({"event": "run_ended", "outcome": "HEALED"}))]
    event: Event,
}

/// The newest events of a run.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct EventList {
    /// The events after the one that was asked for, in order.
    events: Vec<EventView>,
    /// Sequence number of the newest event, the next `after`.
    #[schema(value_type = u64)]
    last_seq: Seq,
    /// Whether the run has ended.
    ended: bool,
}

/// The events that `commits` have after `after`.
pub(crate) fn views(commits: Vec<Commit>, after: Seq) -> Vec<EventView> {
    let view = |Commit { first_seq, at, cause_id, events, .. }: Commit| {
        let numbered = events.into_iter().zip(first_seq..);
        numbered.map(move |(event, seq)| EventView { seq, at, cause_id: cause_id.clone(), event })
    };
    commits.into_iter().flat_map(view).filter(|event| event.seq > after).collect()
}

/// Reads the commits that have events after `after`.
pub(crate) async fn newer(service: &Service, run_id: &RunId, after: Seq) -> Result<Vec<EventView>, Problem> {
    // A commit is found by its first event, so the one that holds `after` may begin before it.
    let commits = service.runs.load(run_id, after).await?;
    let starts_behind = commits.first().is_some_and(|commit| commit.first_seq > after + 1);
    let is_cut = after > 0 && (commits.is_empty() || starts_behind);
    let commits = if is_cut { service.runs.load(run_id, 0).await? } else { commits };
    Ok(views(commits, after))
}

/// Reads the events of a run after a sequence number. With `wait`, answers once there are any, or the time is over.
#[utoipa::path(get, path = "/api/v1/runs/{id}/events", operation_id = "listEvents", tag = "runs",
    params(("id" = String, Path, description = "The run's id", example = "run-1"), WaitQuery),
    responses((status = 200, description = "The events", body = EventList)))]
pub(crate) async fn events(
    State(service): State<Arc<Service>>,
    RunPath(run_id): RunPath,
    Parameters(query): Parameters<WaitQuery>,
    Extension(renderer): Extension<Arc<Renderer>>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    wait::for_news(&service, &run_id, query).await?;
    let head = service.runs.head(&run_id).await?.ok_or_else(|| Problem::unknown_run(run_id.as_str()))?;
    let after = query.after;
    let key = Key {
        kind: "events",
        run_id: run_id.clone(),
        started_at: head.started_at,
        seq: head.last_seq,
        part: after.to_string(),
    };
    let is_newer = head.last_seq > after;
    let read = async { if is_newer { newer(&service, &run_id, after).await } else { Ok(Vec::new()) } };
    let render = move |events: Vec<EventView>| {
        let last_seq = events.last().map_or(head.last_seq, |newest| newest.seq);
        Ok(EventList { events, last_seq, ended: head.status.is_terminal() })
    };
    renderer.answer(key, read, render).await?.to_response(&headers)
}

/// Which part of a run to explain.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ExplanationQuery {
    /// Only this step.
    step: Option<String>,
}

/// Why a run did what it did.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Explanation {
    /// What happened, in order: `{sentence, decisions, notes}`.
    #[schema(value_type = Vec<Object>)]
    told: Vec<Told>,
    /// The same as lines of text.
    lines: Vec<String>,
    /// Recorded decisions.
    decisions: usize,
    /// Those of them that come out differently when they are made again from their record alone.
    different: usize,
}

/// Explains a run: what was to be done to each target, what each part of the decision said, and what happened then.
#[utoipa::path(get, path = "/api/v1/runs/{id}/explanation", operation_id = "explainRun", tag = "runs",
    params(("id" = String, Path, description = "The run's id", example = "run-1"), ExplanationQuery),
    responses((status = 200, description = "The explanation", body = Explanation)))]
pub(crate) async fn explanation(
    State(service): State<Arc<Service>>,
    RunPath(run_id): RunPath,
    Parameters(query): Parameters<ExplanationQuery>,
    Extension(renderer): Extension<Arc<Renderer>>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let head = service.runs.head(&run_id).await?.ok_or_else(|| Problem::unknown_run(run_id.as_str()))?;
    let part = query.step.clone().map_or_else(String::new, |step| format!("step {step}"));
    let key =
        Key { kind: "explanation", run_id: run_id.clone(), started_at: head.started_at, seq: head.last_seq, part };
    let read = async { Ok(service.dispatcher.read(&run_id).await?) };
    let render = move |(plan, commits): (Option<Arc<Plan>>, Vec<Commit>)| {
        explanation_of(plan.as_deref(), &commits, query.step.as_deref())
    };
    renderer.answer(key, read, render).await?.to_response(&headers)
}

fn explanation_of(plan: Option<&Plan>, commits: &[Commit], step: Option<&str>) -> Result<Explanation, Problem> {
    let find = |name: &str| {
        plan.and_then(|plan| plan.find(name)).ok_or_else(|| {
            let names: Vec<_> = plan.iter().flat_map(|plan| plan.steps().map(|(index, _)| plan.name(index))).collect();
            Problem::field("step", format!("is `{name}`, expected a step of the run: {}", names.join(", ")))
        })
    };
    let told = explain::tell(plan, commits, step.map(find).transpose()?);
    let lines = told.iter().flat_map(Told::lines).collect();
    let decisions = told.iter().map(|told| told.decisions.len()).sum();
    let different = told.iter().flat_map(|told| &told.decisions).filter(|decision| !decision.is_same()).count();
    Ok(Explanation { told, lines, decisions, different })
}
