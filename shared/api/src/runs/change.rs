//! Changes to a run: approve, reject, cancel, hold, release.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use heal_engine::event::RunStatus;
use heal_engine::{Digest, RunId};
use heal_runtime::message::Inbound;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::approval_link::{self, Decision};
use crate::caller::Caller;
use crate::changes::ChangeOutcome;
use crate::extract::{Body, OptionalBody, RunPath, text};
use crate::problem::Problem;
use crate::request::Service;

/// What became of a change.
#[derive(Debug, Serialize, ToSchema)]
#[expect(clippy::struct_field_names, reason = "the names are those on the wire")]
pub(crate) struct Changed {
    /// The run.
    #[schema(value_type = String)]
    run_id: RunId,
    /// The run's status, such as `RUNNING`.
    #[schema(value_type = String, example = "RUNNING")]
    status: RunStatus,
    /// Whether this request changed the run. False if the run was past the change, or if it is sent and not made yet (202).
    changed: bool,
    /// The same as a sentence.
    message: String,
}

/// What a person approves: exactly what was read.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Approval {
    /// The digest of what was read, from `/api/v1/approvals`.
    #[schema(value_type = String)]
    digest: Digest,
    /// The step that asks; absent: the run as a whole.
    step: Option<String>,
    /// The element of a step that fans out.
    item: Option<u32>,
    /// The token of the notification's link that led to the question, which this decision uses up.
    link: Option<String>,
}

/// What a person rejects, and why.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rejection {
    /// The digest of what was read, from `/api/v1/approvals`.
    #[schema(value_type = String)]
    digest: Digest,
    /// The step that asks; absent: the run as a whole.
    step: Option<String>,
    /// The element of a step that fans out.
    item: Option<u32>,
    /// Why, for whoever reads the run.
    reason: String,
    /// The token of the notification's link that led to the question, which this decision uses up.
    link: Option<String>,
}

/// Why a run changes.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Reason {
    /// Why; the run's log keeps it.
    reason: String,
}

/// Why a run is cancelled.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Cancellation {
    /// Why; the run's log keeps it with the identity.
    reason: Option<String>,
}

/// Makes a change and answers: 200 if it is made or needless, 202 if it is sent, 403 if a rule refuses it.
///
/// # Errors
/// 404 if the run does not exist.
pub(crate) async fn make(service: &Service, run_id: RunId, input: Inbound, effect: &str) -> Result<Response, Problem> {
    let (status, changed, message) = match service.changes.change(&run_id, input).await? {
        ChangeOutcome::Changed { status } => (status, true, effect.to_owned()),
        ChangeOutcome::Unchanged { status } => {
            (status, false, format!("nothing to change: the run is {}", status.as_str()))
        }
        ChangeOutcome::Sent { status } => {
            let message = "the change was sent; it takes effect once the dispatcher receives it".to_owned();
            return Ok(
                (StatusCode::ACCEPTED, Json(Changed { run_id, status, changed: false, message })).into_response()
            );
        }
        ChangeOutcome::Refused { why } => {
            return Err(Problem::new(StatusCode::FORBIDDEN, format!("the change was refused: {why}")));
        }
    };
    Ok(Json(Changed { run_id, status, changed, message }).into_response())
}

/// Approves a run, or exactly what one of its steps is about to do.
#[utoipa::path(post, path = "/api/v1/runs/{id}/approve", operation_id = "approveRun", tag = "runs",
    params(("id" = String, Path, description = "The run's id", example = "run-1")), request_body = Approval,
    responses((status = 200, description = "Approved, or nothing to approve", body = Changed),
        (status = 202, description = "Sent, and not in the run's log yet", body = Changed),
        (status = 409, description = "The link was used",
            body = crate::problem::ProblemBody, content_type = "application/problem+json"),
        (status = 410, description = "The link has expired",
            body = crate::problem::ProblemBody, content_type = "application/problem+json")))]
pub(crate) async fn approve(
    State(service): State<Arc<Service>>,
    caller: Caller,
    RunPath(run_id): RunPath,
    Body(Approval { digest, step, item, link }): Body<Approval>,
) -> Result<Response, Problem> {
    let by = caller.identity;
    if let Some(token) = &link {
        let step = step.as_deref().map(|step| (step, item));
        let decision = Decision { run_id: &run_id, step, digest: &digest, by: &by, approves: true };
        approval_link::spend(&service, token, decision).await?;
    }
    let input = Inbound::ApprovalAnswer { run_id: run_id.clone(), step, item, digest, by, rejection: None };
    make(&service, run_id, input, "approved").await
}

/// Rejects a run, or what one of its steps is about to do.
#[utoipa::path(post, path = "/api/v1/runs/{id}/reject", operation_id = "rejectRun", tag = "runs",
    params(("id" = String, Path, description = "The run's id", example = "run-1")), request_body = Rejection,
    responses((status = 200, description = "Rejected, or nothing to reject", body = Changed),
        (status = 202, description = "Sent, and not in the run's log yet", body = Changed),
        (status = 409, description = "The link was used",
            body = crate::problem::ProblemBody, content_type = "application/problem+json"),
        (status = 410, description = "The link has expired",
            body = crate::problem::ProblemBody, content_type = "application/problem+json")))]
pub(crate) async fn reject(
    State(service): State<Arc<Service>>,
    caller: Caller,
    RunPath(run_id): RunPath,
    Body(Rejection { digest, step, item, reason, link }): Body<Rejection>,
) -> Result<Response, Problem> {
    let (by, rejection) = (caller.identity, Some(text("reason", &reason)?));
    if let Some(token) = &link {
        let step = step.as_deref().map(|step| (step, item));
        let decision = Decision { run_id: &run_id, step, digest: &digest, by: &by, approves: false };
        approval_link::spend(&service, token, decision).await?;
    }
    let input = Inbound::ApprovalAnswer { run_id: run_id.clone(), step, item, digest, by, rejection };
    make(&service, run_id, input, "rejected").await
}

/// Cancels a run: nothing new starts, and what is in flight is waited for.
#[utoipa::path(post, path = "/api/v1/runs/{id}/cancel", operation_id = "cancelRun", tag = "runs",
    params(("id" = String, Path, description = "The run's id", example = "run-1")), request_body = Option<Cancellation>,
    responses((status = 200, description = "Cancelled, or ended already", body = Changed),
        (status = 202, description = "Sent, and not in the run's log yet", body = Changed)))]
pub(crate) async fn cancel(
    State(service): State<Arc<Service>>,
    caller: Caller,
    RunPath(run_id): RunPath,
    OptionalBody(Cancellation { reason }): OptionalBody<Cancellation>,
) -> Result<Response, Problem> {
    let reason = reason.map(|reason| text("reason", &reason)).transpose()?;
    let by = reason.map_or_else(|| caller.identity.clone(), |reason| format!("{}, reason: {reason}", caller.identity));
    make(&service, run_id.clone(), Inbound::Cancel { run_id, by }, "the run is cancelled").await
}

/// Holds a run: nothing new starts, and its time stands still.
#[utoipa::path(post, path = "/api/v1/runs/{id}/hold", operation_id = "holdRun", tag = "runs",
    params(("id" = String, Path, description = "The run's id", example = "run-1")), request_body = Reason,
    responses((status = 200, description = "Held, or held or ended already", body = Changed),
        (status = 202, description = "Sent, and not in the run's log yet", body = Changed)))]
pub(crate) async fn hold(
    State(service): State<Arc<Service>>,
    caller: Caller,
    RunPath(run_id): RunPath,
    Body(Reason { reason }): Body<Reason>,
) -> Result<Response, Problem> {
    let (by, reason) = (caller.identity, text("reason", &reason)?);
    make(&service, run_id.clone(), Inbound::Hold { run_id, by, reason }, "the run is held").await
}

/// Releases a run that a person holds.
#[utoipa::path(post, path = "/api/v1/runs/{id}/release", operation_id = "releaseRun", tag = "runs",
    params(("id" = String, Path, description = "The run's id", example = "run-1")), request_body = Reason,
    responses((status = 200, description = "Released, or not held by a person", body = Changed),
        (status = 202, description = "Sent, and not in the run's log yet", body = Changed)))]
pub(crate) async fn release(
    State(service): State<Arc<Service>>,
    caller: Caller,
    RunPath(run_id): RunPath,
    Body(Reason { reason }): Body<Reason>,
) -> Result<Response, Problem> {
    let (by, reason) = (caller.identity, text("reason", &reason)?);
    make(&service, run_id.clone(), Inbound::Release { run_id, by, reason }, "the run is released").await
}
