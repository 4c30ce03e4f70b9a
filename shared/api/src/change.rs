//! `POST /api/v1/remediation/{id}/cancel` and `…/approve`: changes to a run, in the form of the remediation API.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::{HeaderMap, StatusCode};
use axum::{Extension, Json};
use heal_engine::RunId;
use heal_engine::state::approval::ANONYMOUS;
use heal_runtime::message::Inbound;
use serde_json::Value;

use crate::caller::Caller;
use crate::changes::ChangeOutcome;
use crate::execute::{Summary, run_summary};
use crate::extract::RunPath;
use crate::problem::Problem;
use crate::request::{Service, json_text};
use crate::runs::change::Cancellation;

/// Bytes of a cancellation's reason that are kept; the rest is cut, with a mark.
const REASON_BYTES: usize = 500;

/// Cancels a run: nothing new starts, and what is in flight is waited for. A run that has ended stays unchanged.
#[utoipa::path(post, path = "/api/v1/remediation/{id}/cancel", operation_id = "cancelRemediation", tag = "remediation",
    params(("id" = String, Path, description = "The run's id", example = "run-1")), request_body = Option<Cancellation>,
    responses((status = 200, description = "The run", body = Summary)))]
pub(crate) async fn cancel(
    State(service): State<Arc<Service>>,
    caller: Option<Extension<Caller>>,
    RunPath(run_id): RunPath,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Summary>, Problem> {
    let by = identity(caller);
    let by = match cancel_reason(&headers, body)? {
        Some(reason) => format!("{by}, reason: {reason}"),
        None => by,
    };
    let input = Inbound::Cancel { run_id: run_id.clone(), by };
    change(&service, &run_id, input, ["cancelled; what is in flight is waited for", "the run was stopping already"])
        .await
}

/// Approves a run that awaits approval, whatever it asks for; `/api/v1/runs/{id}/approve` approves exactly what was read.
#[utoipa::path(post, path = "/api/v1/remediation/{id}/approve", operation_id = "approveRemediation", tag = "remediation",
    params(("id" = String, Path, description = "The run's id", example = "run-1")),
    responses((status = 200, description = "The run", body = Summary)))]
pub(crate) async fn approve(
    State(service): State<Arc<Service>>,
    caller: Option<Extension<Caller>>,
    RunPath(run_id): RunPath,
) -> Result<Json<Summary>, Problem> {
    let input = Inbound::Approve { run_id: run_id.clone(), by: identity(caller) };
    change(&service, &run_id, input, ["approved", "the run awaits no approval"]).await
}

/// What the run's log records for the change.
fn identity(caller: Option<Extension<Caller>>) -> String {
    caller.map_or_else(|| ANONYMOUS.to_owned(), |Extension(caller)| caller.identity)
}

async fn change(
    service: &Service,
    run_id: &RunId,
    input: Inbound,
    [changed, unchanged]: [&str; 2],
) -> Result<Json<Summary>, Problem> {
    let message = match service.changes.change(run_id, input).await? {
        ChangeOutcome::Changed { .. } => changed,
        ChangeOutcome::Unchanged { status } if status.is_terminal() => "the run had ended already",
        ChangeOutcome::Unchanged { .. } => unchanged,
        ChangeOutcome::Sent { .. } => "the change was sent; it takes effect once the dispatcher receives it",
        ChangeOutcome::Refused { why } => {
            return Err(Problem::new(StatusCode::FORBIDDEN, format!("the approval was refused: {why}")));
        }
    };
    run_summary(service, run_id, message).await.map(Json)
}

/// The `reason` of a cancellation, cut to [`REASON_BYTES`].
fn cancel_reason(headers: &HeaderMap, body: Result<Bytes, BytesRejection>) -> Result<Option<String>, Problem> {
    if body.as_ref().is_ok_and(Bytes::is_empty) {
        return Ok(None);
    }
    let text = json_text(headers, body)?;
    let body: Value =
        serde_json::from_str(&text).map_err(|error| Problem::field("body", format!("is not JSON: {error}")))?;
    let Value::Object(mut fields) = body else {
        return Err(Problem::field("body", "is not an object, expected `{\"reason\": \"…\"}`"));
    };
    match fields.remove("reason") {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(mut reason)) => {
            heal_engine::message::cut(&mut reason, REASON_BYTES);
            Ok(Some(reason).filter(|reason| !reason.trim().is_empty()))
        }
        Some(other) => {
            let observed = heal_engine::template::brief(&other);
            Err(Problem::field("reason", format!("is {observed}, expected a string")))
        }
    }
}
