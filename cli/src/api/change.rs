//! `POST /api/v1/remediation/{id}/cancel` and `…/approve`: changes to a run.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use heal_engine::RunId;
use heal_runtime::message::Inbound;
use heal_runtime::port::{Entropy as _, OsEntropy, RunReader as _};
use serde_json::Value;

use super::execute::run_summary;
use super::problem::Problem;
use super::request::{Service, run_id};

/// Name that the run's log records for the change.
const BY: &str = "remediation API";

/// Effect of a change on its run.
enum ChangeOutcome {
    AlreadyEnded(RunId),
    Changed(RunId),
    Unchanged(RunId),
}

/// Starts nothing new; waits for the attempts in flight. A run that has ended stays unchanged.
///
/// # Errors
/// 404 if the run does not exist.
pub(super) async fn cancel(
    State(service): State<Arc<Service>>,
    Path(id): Path<String>,
) -> Result<Json<Value>, Problem> {
    let outcome = change(&service, &id, |run_id| Inbound::Cancel { run_id, by: BY.to_owned() }).await?;
    let messages = ["cancelled; what is in flight is waited for", "the run was stopping already"];
    answer(&service, &outcome, messages).await
}

/// Starts a run that awaits approval.
///
/// # Errors
/// 404 if the run does not exist.
pub(super) async fn approve(
    State(service): State<Arc<Service>>,
    Path(id): Path<String>,
) -> Result<Json<Value>, Problem> {
    let outcome = change(&service, &id, |run_id| Inbound::Approve { run_id, by: BY.to_owned() }).await?;
    answer(&service, &outcome, ["approved", "the run awaits no approval"]).await
}

async fn change(service: &Service, id: &str, input: impl Fn(RunId) -> Inbound) -> Result<ChangeOutcome, Problem> {
    let run_id = run_id(id)?;
    let head = service.store.head(&run_id).await?.ok_or_else(|| Problem::unknown_run(id))?;
    if head.status.is_terminal() {
        return Ok(ChangeOutcome::AlreadyEnded(run_id));
    }
    let cause_id = format!("api:{:016x}", OsEntropy.next()?);
    let turn = service.dispatcher.receive(&run_id, &cause_id, vec![input(run_id.clone())]).await?;
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
    };
    Ok(Json(run_summary(service, run_id, message).await?))
}
