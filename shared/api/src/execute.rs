//! `POST /api/v1/remediation/execute`: starts a run of a playbook.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::{Extension, Json};
use heal_engine::event::{Event, RunStatus};
use heal_engine::incident::{Intake, Shape, Via};
use heal_engine::state::approval::ANONYMOUS;
use heal_engine::{Map, RunId, incident};
use heal_runtime::dispatcher::{IntakeOutcome, Prepared};
use serde::Serialize;
use serde_json::{Map as JsonMap, Value};
use utoipa::ToSchema;

use crate::caller::Caller;
use crate::changes::{StartOutcome, StartRequest};
use crate::extract::JsonText;
use crate::idempotency::{self, IdempotencyKey};
use crate::moment;
use crate::problem::Problem;
use crate::request::{Service, traceparent};

/// Hexadecimal digits of a run's id that is derived from a key.
const KEY_DIGITS: usize = 32;

/// A remediation request; other fields are ignored.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RemediationRequest {
    /// The run's id: 1 to 128 letters, digits, `-`, `_`, `.` or `:`. Absent: it gets one.
    remediation_id: Option<String>,
    /// The incident's id.
    incident_id: String,
    /// The playbook's name; `playbook_id` means the same.
    playbook_name: String,
    /// The variables of the playbook.
    #[schema(value_type = Option<Object>)]
    parameters: Option<Value>,
    /// `AUTOMATIC`, or `MANUAL_APPROVAL` if a person has to approve first.
    execution_mode: Option<String>,
}

/// A run, in the form of the remediation API.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Remediation)]
pub(crate) struct Summary {
    /// The run's id.
    remediation_id: String,
    /// `PENDING`, `AWAITING_APPROVAL`, `RUNNING`, `COMPLETED`, `FAILED`, `CANCELLED` or `TIMEOUT`.
    #[schema(value_type = String, example = "RUNNING")]
    status: RunStatus,
    /// When the run started, in RFC 3339.
    #[schema(example = "2026-11-23T20:21:00Z")]
    started_at: String,
    /// What became of the request, as a sentence.
    pub message: String,
    /// The runs of a request about several tickets, one each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub remediation_ids: Vec<String>,
}

/// Starts a run of a playbook: answers once the run is stored. A repeated request gets the same run.
#[utoipa::path(post, path = "/api/v1/remediation/execute", operation_id = "executeRemediation", tag = "remediation",
    params(("Idempotency-Key" = Option<String>, Header, description = "The same key again starts no second run; not with `remediation_id`")),
    request_body(content = RemediationRequest, description = "A remediation request",
        example = json!({"incident_id": "inc-1", "playbook_name": "workflow_restart", "parameters": {"workflow_id": "wf-1"},
            "execution_mode": "AUTOMATIC"})),
    responses((status = 202, description = "The run", body = Summary),
        (status = 404, description = "There is no such playbook", body = crate::problem::ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "The key or the `remediation_id` was used for another request",
            body = crate::problem::ProblemBody, content_type = "application/problem+json")))]
pub(crate) async fn execute(
    State(service): State<Arc<Service>>,
    caller: Option<Extension<Caller>>,
    headers: HeaderMap,
    JsonText(text): JsonText,
) -> Result<(StatusCode, Json<Summary>), Problem> {
    let identity = caller.as_ref().map_or(ANONYMOUS, |caller| caller.identity.as_str());
    let key = IdempotencyKey::read(&headers, identity)?;
    check_request(&incident::read(&text)?, &text)?;
    let text = match &key {
        Some(key) => named(&text, key)?,
        None => text,
    };
    let prepared = service.dispatcher.prepare(&text)?;
    let asked = Asked::new(&prepared, key.is_some());
    asked.check(&service).await?;
    let requested_by = caller.as_ref().and_then(|caller| caller.requester());
    let traceparent = traceparent(&headers);
    let request = StartRequest { prepared, text, traceparent, requested_by };
    let mut runs = Vec::new();
    let is_own = match service.changes.start(request).await? {
        StartOutcome::Taken(accepted) => {
            let is_own = matches!(accepted, IntakeOutcome::Started { .. });
            runs_of(accepted, &mut runs)?;
            is_own
        }
        StartOutcome::Sent { run_id } => return Ok((StatusCode::ACCEPTED, Json(sent(&service, &run_id)))),
        StartOutcome::SeveralTickets => {
            let message =
                "has several tickets, and this home starts one run for one request; send one request for each ticket";
            return Err(Problem::field("parameters.affected_tickets", message));
        }
    };
    let Some((first, message)) = runs.first() else {
        return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "no run was started"));
    };
    // Another request with this id may have come meanwhile.
    if !is_own {
        asked.check(&service).await?;
    }
    let mut answer = run_summary(&service, first, message).await?;
    if runs.len() > 1 {
        answer.message = format!("{} runs, one for each ticket", runs.len());
        answer.remediation_ids = runs.iter().map(|(run_id, _)| run_id.to_string()).collect();
    }
    Ok((StatusCode::ACCEPTED, Json(answer)))
}

/// The request with the id that its key gives it.
///
/// # Errors
/// 422 if it has an id already.
fn named(text: &str, key: &IdempotencyKey) -> Result<String, Problem> {
    let mut fields: JsonMap<String, Value> =
        serde_json::from_str(text).map_err(|error| Problem::field("body", format!("is not a JSON object: {error}")))?;
    if fields.contains_key("remediation_id") {
        let message = "goes without the header Idempotency-Key: the id is the key of the request";
        return Err(Problem::field("remediation_id", message));
    }
    fields.insert("remediation_id".to_owned(), format!("key-{}", key.hex(KEY_DIGITS)).into());
    Ok(Value::Object(fields).to_string())
}

/// What two requests with one id have in common.
struct Asked {
    /// The run's id that the request names, or that is derived from its key.
    run_id: Option<RunId>,
    has_key: bool,
    playbook: String,
    variables: Map,
}

impl Asked {
    fn new(prepared: &Prepared, has_key: bool) -> Self {
        let intake = prepared.intake();
        let (playbook, variables) = (prepared.playbook().to_owned(), intake.variables.clone());
        Self { run_id: intake.run_id.clone(), has_key, playbook, variables }
    }

    /// # Errors
    /// 409 if the run of this id was started for another playbook or with other variables.
    async fn check(&self, service: &Service) -> Result<(), Problem> {
        let Some(run_id) = &self.run_id else { return Ok(()) };
        if service.runs.head(run_id).await?.is_none() {
            return Ok(());
        }
        let commits = service.runs.load(run_id, 0).await?;
        match commits.first().and_then(|commit| commit.events.first()) {
            Some(Event::RunStarted(started))
                if started.playbook != self.playbook || started.variables != self.variables =>
            {
                Err(if self.has_key { idempotency::conflict() } else { id_conflict(run_id, &started.playbook) })
            }
            Some(_) | None => Ok(()),
        }
    }
}

/// 409: the id names the run of another request.
fn id_conflict(run_id: &RunId, playbook: &str) -> Problem {
    let message = format!(
        "remediation_id: `{run_id}` is the run of another request, of playbook {playbook}; use a new id for a new request"
    );
    Problem::new(StatusCode::CONFLICT, message)
}

/// The runs that an intake resulted in, each with a message. Tickets that got no run have a failed one, which says why.
fn runs_of(accepted: IntakeOutcome, runs: &mut Vec<(RunId, &'static str)>) -> Result<(), Problem> {
    match accepted {
        IntakeOutcome::Started { run_id, .. } => runs.push((run_id, "started")),
        IntakeOutcome::Known { run_id } => runs.push((run_id, "this request had been accepted before")),
        IntakeOutcome::Joined { run_id } => runs.push((run_id, "joined the run that works on the same target")),
        IntakeOutcome::Rejected { run_id, .. } => runs.push((run_id, "rejected")),
        IntakeOutcome::PerTicket { outcomes } => return outcomes.into_iter().try_for_each(|one| runs_of(one, runs)),
        // `prepare` has already refused such a message.
        IntakeOutcome::Withdrawn { .. } => {
            let message = "the request says that an alert is over, expected one that starts a run";
            return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, message));
        }
        // Only an incident can be ignored, and a request is not one.
        IntakeOutcome::Ignored { reason } => return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, reason)),
    }
    Ok(())
}

/// `{remediation_id, status, started_at, message}`; `started_at` is RFC 3339.
///
/// # Errors
/// 404 if the run does not exist.
pub(crate) async fn run_summary(service: &Service, run_id: &RunId, message: &str) -> Result<Summary, Problem> {
    let head = service.runs.head(run_id).await?.ok_or_else(|| Problem::unknown_run(run_id.as_str()))?;
    Ok(Summary {
        remediation_id: head.run_id.to_string(),
        status: head.status,
        started_at: moment::rfc3339(head.started_at),
        message: message.to_owned(),
        remediation_ids: Vec::new(),
    })
}

/// A request that has no run yet.
fn sent(service: &Service, run_id: &RunId) -> Summary {
    Summary {
        remediation_id: run_id.to_string(),
        status: RunStatus::Pending,
        started_at: moment::rfc3339(service.dispatcher.now()),
        message: "the request was sent; its run starts once the dispatcher receives it, or joins another one"
            .to_owned(),
        remediation_ids: Vec::new(),
    }
}

/// Accepts only remediation requests, with an id that fits into a path.
fn check_request(intake: &Intake, text: &str) -> Result<(), Problem> {
    match (intake.shape, intake.via) {
        (Shape::RemediationRequest, Via::Direct) => {}
        (Shape::RemediationRequest | Shape::Incident | Shape::RemediationAction, _) => {
            let message = "is missing, expected the name of a playbook (or `playbook_id`); incidents of other shapes go to /api/v1/incidents";
            return Err(Problem::field("playbook_name", message));
        }
    }
    if intake.playbook.is_none() {
        return Err(Problem::field("playbook_name", "is missing, expected the name of a playbook (or `playbook_id`)"));
    }
    let own = serde_json::from_str::<Value>(text).ok().and_then(|value| value.get("remediation_id").cloned());
    if intake.run_id.is_none() && own.is_some_and(|id| id.is_string()) {
        return Err(Problem::field(
            "remediation_id",
            "cannot name a run, expected 1 to 128 letters, digits, `-`, `_`, `.` or `:`",
        ));
    }
    Ok(())
}
