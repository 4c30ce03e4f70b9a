//! `/api/v1/approvals`, `/api/v1/follow-ups` and `/api/v1/escalations`: what waits for people.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use heal_engine::RunId;
use heal_engine::event::RunOutcome;
use heal_engine::state::follow_up::{ESCALATION, parse_id};
use heal_runtime::message::Inbound;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::cached::tagged;
use crate::caller::Caller;
use crate::extract::{NamePath, OptionalBody, Parameters, RunPath, text};
use crate::problem::Problem;
use crate::request::{Service, run_id};
use crate::runs::change::{self, Changed};
use crate::runs::filter::since;
use crate::worklist::{Approval, Escalation, FollowUpEntry, FollowUpFilter, Listing};

/// What waits for an approval.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ApprovalList {
    /// The open approvals, what ends first at the top: run, step, parameters, who may answer, and the digest that an answer repeats.
    #[schema(value_type = Vec<Object>)]
    approvals: Vec<Approval>,
    /// Whether there may be more than were read.
    has_more: bool,
}

/// Which approvals to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ApprovalQuery {
    /// Only those of this run.
    run: Option<String>,
}

/// Lists what waits for the approval of a person.
#[utoipa::path(get, path = "/api/v1/approvals", operation_id = "listApprovals", tag = "people", params(ApprovalQuery),
    responses((status = 200, description = "The open approvals", body = ApprovalList),
        (status = 404, description = "The run does not exist",
            body = crate::problem::ProblemBody, content_type = "application/problem+json")))]
pub(crate) async fn approvals(
    State(service): State<Arc<Service>>,
    Parameters(query): Parameters<ApprovalQuery>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let Listing { entries, has_more } = match query.run {
        Some(id) => Listing { entries: service.worklist().approvals_of(&run_id(&id)?).await?, has_more: false },
        None => service.worklist().approvals().await?,
    };
    tagged(&headers, &ApprovalList { approvals: entries, has_more })
}

/// What runs have left for people to do.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FollowUpList {
    /// The follow-ups, those of the most severe incidents first, then the oldest first.
    #[schema(value_type = Vec<Object>)]
    follow_ups: Vec<FollowUpEntry>,
    /// Whether there may be more than were read.
    has_more: bool,
}

/// Which follow-ups to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct FollowUpQuery {
    /// Also those that are done.
    #[serde(default)]
    all: bool,
    /// Only of runs for this incident.
    incident: Option<String>,
    /// Only of this run.
    run: Option<String>,
    /// Only of runs started since then: `90s`, `15m`, `2h`, `7d`, or a time such as 2026-11-23T20:21:00Z.
    since: Option<String>,
}

/// Lists what runs have left for people to do.
#[utoipa::path(get, path = "/api/v1/follow-ups", operation_id = "listFollowUps", tag = "people", params(FollowUpQuery),
    responses((status = 200, description = "The follow-ups", body = FollowUpList),
        (status = 404, description = "The run does not exist",
            body = crate::problem::ProblemBody, content_type = "application/problem+json")))]
pub(crate) async fn follow_ups(
    State(service): State<Arc<Service>>,
    Parameters(query): Parameters<FollowUpQuery>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let filter = FollowUpFilter {
        all: query.all,
        incident_id: query.incident,
        run_id: query.run.as_deref().map(run_id).transpose()?,
        since: since(query.since.as_deref(), service.dispatcher.now())?,
    };
    let Listing { entries, has_more } = service.worklist().follow_ups(&filter).await?;
    tagged(&headers, &FollowUpList { follow_ups: entries, has_more })
}

/// What a person adds.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Note {
    /// What else the run records.
    note: Option<String>,
}

/// Reports a follow-up as done, also of a run that has ended.
#[utoipa::path(post, path = "/api/v1/follow-ups/{id}/done", operation_id = "completeFollowUp", tag = "people",
    params(("id" = String, Path, description = "The follow-up's id: the run's, a dot and its own")), request_body = Option<Note>,
    responses((status = 200, description = "Done, now or before", body = Changed),
        (status = 202, description = "Sent, and not in the run's log yet", body = Changed)))]
pub(crate) async fn done(
    State(service): State<Arc<Service>>,
    caller: Caller,
    NamePath(full_id): NamePath,
    OptionalBody(Note { note }): OptionalBody<Note>,
) -> Result<Response, Problem> {
    let unknown = || Problem::not_found(format!("there is no follow-up `{full_id}`"));
    let (run_id, id) = parse_id(&full_id).ok_or_else(unknown)?;
    let of_run = service.worklist().follow_ups_of(&run_id).await?;
    of_run.iter().find(|entry| entry.follow_up.id == full_id).ok_or_else(unknown)?;
    finish(&service, caller, run_id, id, note).await
}

/// Which escalations to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct EscalationQuery {
    /// Also those that are acknowledged, the newest first.
    #[serde(default)]
    all: bool,
}

/// Runs that were handed to people.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct EscalationList {
    /// The escalated runs, those of the most severe incidents first.
    escalations: Vec<Escalation>,
    /// Whether there may be more than were read.
    has_more: bool,
}

/// Lists runs that were handed to people.
#[utoipa::path(get, path = "/api/v1/escalations", operation_id = "listEscalations", tag = "people", params(EscalationQuery),
    responses((status = 200, description = "The escalated runs", body = EscalationList)))]
pub(crate) async fn escalations(
    State(service): State<Arc<Service>>,
    Parameters(query): Parameters<EscalationQuery>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let Listing { entries, has_more } = service.worklist().escalations(query.all).await?;
    tagged(&headers, &EscalationList { escalations: entries, has_more })
}

/// Acknowledges an escalated run: the next incident about its target runs again.
#[utoipa::path(post, path = "/api/v1/escalations/{id}/acknowledge", operation_id = "acknowledgeEscalation", tag = "people",
    params(("id" = String, Path, description = "The run's id", example = "run-1")), request_body = Option<Note>,
    responses((status = 200, description = "Acknowledged, now or before", body = Changed),
        (status = 202, description = "Sent, and not in the run's log yet", body = Changed),
        (status = 409, description = "The run is not escalated",
            body = crate::problem::ProblemBody, content_type = "application/problem+json")))]
pub(crate) async fn acknowledge(
    State(service): State<Arc<Service>>,
    caller: Caller,
    RunPath(run_id): RunPath,
    OptionalBody(Note { note }): OptionalBody<Note>,
) -> Result<Response, Problem> {
    let head = service.runs.head(&run_id).await?.ok_or_else(|| Problem::unknown_run(run_id.as_str()))?;
    if head.outcome != Some(RunOutcome::Escalated) {
        let observed = head.outcome.map_or(head.status.as_str(), RunOutcome::as_str);
        let message = format!("run {run_id} is {observed}, expected ESCALATED");
        return Err(Problem::new(StatusCode::CONFLICT, message));
    }
    finish(&service, caller, run_id, ESCALATION, note).await
}

async fn finish(
    service: &Service,
    caller: Caller,
    run_id: RunId,
    id: &str,
    note: Option<String>,
) -> Result<Response, Problem> {
    let note = note.map(|note| text("note", &note)).transpose()?;
    let input = Inbound::FollowUpDone { run_id: run_id.clone(), id: id.to_owned(), by: caller.identity, note };
    change::make(service, run_id, input, "done").await
}
