//! `POST /api/v1/remediation/{id}/cancel` and `…/approve`: changes to a run.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use heal_engine::RunId;
use heal_runtime::message::Inbound;
use heal_runtime::port::{Entropy as _, OsEntropy};
use serde_json::Value;

use crate::execute::run_summary;
use crate::problem::Problem;
use crate::request::{Service, json_text, run_id};

/// What the run's log records for the change: the interface has no sign-in, so nobody attests who calls.
const BY: &str = heal_engine::state::approval::ANONYMOUS;
/// Bytes of a cancellation's reason that are kept; the rest is cut, with a mark.
const REASON_BYTES: usize = 500;

/// Effect of a change on its run.
enum ChangeOutcome {
    AlreadyEnded(RunId),
    Changed(RunId),
    Unchanged(RunId),
    /// With the rule.
    Refused(String),
}

/// Starts nothing new; waits for the attempts in flight. A run that has ended stays unchanged. The body, if there is one, is `{reason}`.
///
/// # Errors
/// 404 if the run does not exist, 415 and 422 for a body of another form.
pub(crate) async fn cancel(
    State(service): State<Arc<Service>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Value>, Problem> {
    let by = match cancel_reason(&headers, body)? {
        Some(reason) => format!("{BY}, reason: {reason}"),
        None => BY.to_owned(),
    };
    let outcome = change(&service, &id, |run_id| Inbound::Cancel { run_id, by: by.clone() }).await?;
    let messages = ["cancelled; what is in flight is waited for", "the run was stopping already"];
    answer(&service, &outcome, messages).await
}

/// Starts a run that awaits approval.
///
/// # Errors
/// 403 if it needs a known person, 404 if the run does not exist.
pub(crate) async fn approve(
    State(service): State<Arc<Service>>,
    Path(id): Path<String>,
) -> Result<Json<Value>, Problem> {
    let outcome = change(&service, &id, |run_id| Inbound::Approve { run_id, by: BY.to_owned() }).await?;
    answer(&service, &outcome, ["approved", "the run awaits no approval"]).await
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

async fn change(service: &Service, id: &str, input: impl Fn(RunId) -> Inbound) -> Result<ChangeOutcome, Problem> {
    let run_id = run_id(id)?;
    let head = service.runs.head(&run_id).await?.ok_or_else(|| Problem::unknown_run(id))?;
    if head.status.is_terminal() {
        return Ok(ChangeOutcome::AlreadyEnded(run_id));
    }
    let cause_id = format!("api:{:016x}", OsEntropy.next()?);
    let turn = service.dispatcher.receive(&run_id, &cause_id, vec![input(run_id.clone())]).await?;
    if let Some(why) = turn.refused {
        return Ok(ChangeOutcome::Refused(why));
    }
    Ok(if turn.events > 0 { ChangeOutcome::Changed(run_id) } else { ChangeOutcome::Unchanged(run_id) })
}

async fn answer(
    service: &Service,
    outcome: &ChangeOutcome,
    [changed, unchanged]: [&str; 2],
) -> Result<Json<Value>, Problem> {
    let (run_id, message) = match outcome {
        ChangeOutcome::AlreadyEnded(run_id) => (run_id, "the run had ended already"),
        ChangeOutcome::Changed(run_id) => (run_id, changed),
        ChangeOutcome::Unchanged(run_id) => (run_id, unchanged),
        ChangeOutcome::Refused(why) => {
            return Err(Problem::new(StatusCode::FORBIDDEN, format!("the approval was refused: {why}")));
        }
    };
    Ok(Json(run_summary(service, run_id, message).await?))
}
