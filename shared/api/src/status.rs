//! `GET /api/v1/remediation/{id}/status`: the progress of a run.

use std::sync::Arc;

use axum::extract::{Extension, State};
use axum::http::HeaderMap;
use axum::response::Response;
use heal_engine::RunId;
use heal_engine::event::RunStatus;
use heal_engine::report::{FollowUp, Report, StepStatus};
use serde::Serialize;
use utoipa::ToSchema;

use crate::extract::{Parameters, RunPath};
use crate::moment;
use crate::problem::Problem;
use crate::renderer::Renderer;
use crate::request::Service;
use crate::runs::reported::reported;
use crate::runs::wait::{self, EndQuery};

/// How far a run is, in the form of the remediation API.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RemediationStatus)]
#[expect(clippy::struct_field_names, reason = "the names are those on the wire")]
pub(crate) struct Progress {
    /// The run's id.
    #[schema(value_type = String)]
    remediation_id: RunId,
    /// `PENDING`, `AWAITING_APPROVAL`, `RUNNING`, `COMPLETED`, `FAILED`, `CANCELLED` or `TIMEOUT`.
    #[schema(value_type = String, example = "COMPLETED")]
    status: RunStatus,
    /// When the run started, in RFC 3339.
    #[schema(example = "2026-11-23T20:21:00Z")]
    started_at: String,
    /// From 0 to 1.
    #[schema(minimum = 0, maximum = 1)]
    progress: f64,
    /// Actions that have ended.
    actions_completed: u32,
    /// Actions of the playbook.
    total_actions: u32,
    /// The run's summary once it has ended.
    #[schema(value_type = Option<Object>)]
    result: Option<Report>,
    /// Why the run did not do what it was to do.
    error: Option<String>,
    /// The incident's severity.
    severity: Option<String>,
    /// Whether the incident asks for a person whatever becomes of the run.
    escalation_required: bool,
    /// What the run has left for people to do.
    #[schema(value_type = Vec<Object>)]
    follow_ups: Vec<FollowUp>,
}

/// Shows the progress of a run. With `wait`, answers once the run has ended, or the time is over.
#[utoipa::path(get, path = "/api/v1/remediation/{id}/status", operation_id = "getRemediation", tag = "remediation",
    params(("id" = String, Path, description = "The run's id", example = "run-1"), EndQuery),
    responses((status = 200, description = "The progress", body = Progress)))]
pub(crate) async fn status(
    State(service): State<Arc<Service>>,
    RunPath(run_id): RunPath,
    Parameters(query): Parameters<EndQuery>,
    Extension(renderer): Extension<Arc<Renderer>>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    wait::for_end(&service, &run_id, query).await?;
    let shown = reported(&service, &renderer, "remediation", &run_id, |_, report| answer(report)).await?;
    shown.to_response(&headers)
}

fn answer(report: Report) -> Progress {
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
    Progress {
        remediation_id: report.run_id.clone(),
        status: report.status,
        started_at: moment::rfc3339(report.started_at),
        progress: progress(report.status, ended(true)),
        actions_completed: completed,
        total_actions: total,
        severity: report.severity.clone(),
        escalation_required: report.escalation_required,
        follow_ups: report.follow_ups.clone(),
        result: report.status.is_terminal().then_some(report),
        error,
    }
}

/// From 0 to 1. A completed run has 1, also if conditions left out steps.
fn progress(status: RunStatus, (ended, all): (u32, u32)) -> f64 {
    match (status, all) {
        (RunStatus::Completed, _) => 1.0,
        (_, 0) => 0.0,
        (_, all) => f64::from(ended) / f64::from(all),
    }
}
