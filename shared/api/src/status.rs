//! `GET /api/v1/remediation/{id}/status`: the progress of a run.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use heal_engine::event::RunStatus;
use heal_engine::report::{self, Report, StepStatus};
use serde_json::{Value, json};

use crate::moment;
use crate::problem::Problem;
use crate::request::{Service, run_id};

/// # Errors
/// 404 if the run does not exist.
pub(crate) async fn status(
    State(service): State<Arc<Service>>,
    Path(id): Path<String>,
) -> Result<Json<Value>, Problem> {
    let run_id = run_id(&id)?;
    let (plan, commits) = service.dispatcher.read(&run_id).await?;
    let report = report::report(plan.as_deref(), &run_id, &commits)
        .map_err(|cause| heal_runtime::dispatcher::DispatchError::Log { run_id, cause })?;
    Ok(Json(answer(&report)))
}

fn answer(report: &Report) -> Value {
    let ended = |verify_too: bool| {
        let steps = report.steps.iter().filter(|step| verify_too || !step.verify);
        let (ended, all) = steps.fold((0_u32, 0_u32), |(ended, all), step| match step.status {
            StepStatus::Ended(_) => (ended + 1, all + 1),
            StepStatus::Open(_) => (ended, all + 1),
        });
        (ended, all)
    };
    let (completed, total) = ended(false);
    let error = match report.status {
        RunStatus::Failed | RunStatus::Cancelled | RunStatus::Timeout => report.reason.clone(),
        RunStatus::Pending | RunStatus::AwaitingApproval | RunStatus::Running | RunStatus::Completed => None,
    };
    json!({
        "remediation_id": report.run_id,
        "status": report.status,
        "started_at": moment::rfc3339(report.started_at),
        "progress": progress(report.status, ended(true)),
        "actions_completed": completed,
        "total_actions": total,
        "result": report.status.is_terminal().then_some(report),
        "error": error,
        "severity": report.severity,
        "escalation_required": report.escalation_required,
        "follow_ups": report.follow_ups,
    })
}

/// From 0 to 1. A completed run has 1, also if conditions left out steps.
fn progress(status: RunStatus, (ended, all): (u32, u32)) -> f64 {
    match (status, all) {
        (RunStatus::Completed, _) => 1.0,
        (_, 0) => 0.0,
        (_, all) => f64::from(ended) / f64::from(all),
    }
}
