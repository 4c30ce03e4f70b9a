//! `POST /api/v1/remediation/execute`: a playbook, now.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::{HeaderMap, StatusCode};
use heal_engine::incident::{Intake, Shape, Via};
use heal_engine::{RunId, incident};
use heal_runtime::dispatcher::IntakeOutcome;
use heal_runtime::port::RunReader as _;
use serde_json::{Value, json};

use super::{Problem, Service, body};

/// Answers once the run is on the disk. The same request again names the same run.
///
/// # Errors
/// 404 for an unknown playbook, 413, 415, 422 with the fields that are wrong.
pub(super) async fn execute(
    State(service): State<Arc<Service>>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let text = body::text(&headers, body)?;
    check(&incident::read(&text)?, &text)?;
    let prepared = service.dispatcher.prepare(&text)?;
    let accepted = service.dispatcher.start(prepared, body::traceparent(&headers).as_deref()).await?;
    let (run_id, message) = match accepted {
        IntakeOutcome::Started { run_id, .. } => (run_id, "started".to_owned()),
        IntakeOutcome::Known { run_id } => (run_id, "this request had been accepted before".to_owned()),
        IntakeOutcome::Joined { run_id } => (run_id, "joined the run that works on the same target".to_owned()),
        // Both are found out before anything is started.
        IntakeOutcome::Rejected { reason, .. } | IntakeOutcome::Ignored { reason } => {
            return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, reason));
        }
    };
    Ok((StatusCode::ACCEPTED, Json(answer(&service, &run_id, &message).await?)))
}

/// `{remediation_id, status, started_at, message}`.
///
/// # Errors
/// 404 where there is no such run.
pub(super) async fn answer(service: &Service, run_id: &RunId, message: &str) -> Result<Value, Problem> {
    let head = service.store.head(run_id).await?.ok_or_else(|| Problem::unknown_run(run_id.as_str()))?;
    Ok(json!({
        "remediation_id": head.run_id,
        "status": head.status,
        "started_at": head.started_at,
        "message": message,
    }))
}

/// Only a remediation request belongs here; its own id has to be one that a path can carry.
fn check(intake: &Intake, text: &str) -> Result<(), Problem> {
    match (intake.shape, intake.via) {
        (Shape::RemediationRequest, Via::Direct) => {}
        (Shape::RemediationRequest | Shape::Incident | Shape::RemediationAction, _) => {
            let message = "is missing, a string is needed; incidents of other shapes go to /api/v1/incidents";
            return Err(Problem::field("playbook_name", message));
        }
    }
    if intake.playbook.is_none() {
        return Err(Problem::field("playbook_name", "is missing, a string is needed"));
    }
    let own = serde_json::from_str::<Value>(text).ok().and_then(|value| value.get("remediation_id").cloned());
    if intake.run_id.is_none() && own.is_some_and(|id| id.is_string()) {
        return Err(Problem::field(
            "remediation_id",
            "cannot name a run, 1 to 128 letters, digits, `-`, `_`, `.` or `:` are needed",
        ));
    }
    Ok(())
}
