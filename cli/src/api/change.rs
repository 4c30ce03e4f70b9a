//! `POST /api/v1/remediation/{id}/cancel` and `…/approve`: a person's word to a run.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use heal_engine::RunId;
use heal_runtime::message::Inbound;
use heal_runtime::port::{Entropy as _, OsEntropy, RunReader as _};
use serde_json::Value;

use super::execute::answer;
use super::status::run_id;
use super::{Problem, Service};

/// Who the log says it was.
const BY: &str = "remediation API";

/// Nothing new starts; what is in flight is waited for. A run that has ended stays as it is.
///
/// # Errors
/// 404 where there is no such run.
pub(super) async fn cancel(
    State(service): State<Arc<Service>>,
    Path(id): Path<String>,
) -> Result<Json<Value>, Problem> {
    let told = tell(&service, &id, |run_id| Inbound::Cancel { run_id, by: BY.to_owned() }).await?;
    Ok(Json(match told {
        Told::Ended(run_id) => answer(&service, &run_id, "the run had ended already").await?,
        Told::News(run_id) => answer(&service, &run_id, "cancelled; what is in flight is waited for").await?,
        Told::Nothing(run_id) => answer(&service, &run_id, "the run was stopping already").await?,
    }))
}

/// A run that awaits approval starts.
///
/// # Errors
/// 404 where there is no such run.
pub(super) async fn approve(
    State(service): State<Arc<Service>>,
    Path(id): Path<String>,
) -> Result<Json<Value>, Problem> {
    let told = tell(&service, &id, |run_id| Inbound::Approve { run_id, by: BY.to_owned() }).await?;
    Ok(Json(match told {
        Told::Ended(run_id) => answer(&service, &run_id, "the run had ended already").await?,
        Told::News(run_id) => answer(&service, &run_id, "approved").await?,
        Told::Nothing(run_id) => answer(&service, &run_id, "the run awaits no approval").await?,
    }))
}

enum Told {
    Ended(RunId),
    News(RunId),
    Nothing(RunId),
}

async fn tell(service: &Service, id: &str, what: impl Fn(RunId) -> Inbound) -> Result<Told, Problem> {
    let run_id = run_id(id)?;
    let head = service.store.head(&run_id).await?.ok_or_else(|| Problem::unknown_run(id))?;
    if head.status.is_terminal() {
        return Ok(Told::Ended(run_id));
    }
    let cause_id = format!("api:{:016x}", OsEntropy.next()?);
    let taken = service.dispatcher.receive(&run_id, &cause_id, vec![what(run_id.clone())]).await?;
    Ok(if taken.events > 0 { Told::News(run_id) } else { Told::Nothing(run_id) })
}
