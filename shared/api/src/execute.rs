//! `POST /api/v1/remediation/execute`: starts a run of a playbook.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::{HeaderMap, StatusCode};
use heal_engine::incident::{Intake, Shape, Via};
use heal_engine::{RunId, incident};
use heal_runtime::dispatcher::IntakeOutcome;
use serde_json::{Value, json};

use crate::moment;
use crate::problem::Problem;
use crate::request::{Service, json_text, traceparent};

/// Answers once the run is on the disk. A repeated request gets the same run.
///
/// # Errors
/// 404 for an unknown playbook, 413, 415, 422 with the fields that are wrong.
pub(crate) async fn execute(
    State(service): State<Arc<Service>>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let text = json_text(&headers, body)?;
    check_request(&incident::read(&text)?, &text)?;
    let prepared = service.dispatcher.prepare(&text)?;
    let accepted = service.dispatcher.start(prepared, traceparent(&headers).as_deref()).await?;
    let mut runs = Vec::new();
    runs_of(accepted, &mut runs)?;
    let Some((first, message)) = runs.first() else {
        return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "no run was started"));
    };
    let mut answer = run_summary(&service, first, message).await?;
    if let (2.., Some(fields)) = (runs.len(), answer.as_object_mut()) {
        fields.insert("message".to_owned(), json!(format!("{} runs, one for each ticket", runs.len())));
        fields.insert("remediation_ids".to_owned(), runs.iter().map(|(run_id, _)| json!(run_id)).collect());
    }
    Ok((StatusCode::ACCEPTED, Json(answer)))
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
pub(crate) async fn run_summary(service: &Service, run_id: &RunId, message: &str) -> Result<Value, Problem> {
    let head = service.runs.head(run_id).await?.ok_or_else(|| Problem::unknown_run(run_id.as_str()))?;
    Ok(json!({
        "remediation_id": head.run_id,
        "status": head.status,
        "started_at": moment::rfc3339(head.started_at),
        "message": message,
    }))
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
