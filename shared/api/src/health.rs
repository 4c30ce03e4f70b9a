//! `GET /health`, and `GET /metrics` for Prometheus.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use heal_telemetry::export::CONTENT_TYPE;
use serde::Serialize;
use utoipa::ToSchema;

use crate::problem::Problem;
use crate::request::Service;

/// Whether the service works.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Health {
    /// `ok`; or `degraded`: it answers readers, new work gets 503, and runs wait.
    #[schema(example = "ok")]
    status: &'static str,
    /// Why it is degraded; absent if it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
    /// The build's version.
    version: &'static str,
    /// Playbooks in use.
    playbooks: usize,
}

/// Says whether the service works: it reads its store, and asks whether the store takes writes.
#[utoipa::path(get, path = "/health", operation_id = "getHealth", tag = "home",
    responses((status = 200, description = "It works", body = Health),
        (status = 503, description = "It is degraded: its disk takes no writes, or its state file is damaged", body = Health)))]
pub(crate) async fn health(State(service): State<Arc<Service>>) -> Result<(StatusCode, Json<Health>), Problem> {
    service.due_runs.next_due().await?;
    let (code, status, detail) = match service.due_runs.takes_writes().await {
        Ok(()) => (StatusCode::OK, "ok", None),
        Err(error) => (StatusCode::SERVICE_UNAVAILABLE, "degraded", Some(heal_engine::text::chain(&error))),
    };
    let playbooks = service.dispatcher.library().names().count();
    Ok((code, Json(Health { status, detail, version: env!("CARGO_PKG_VERSION"), playbooks })))
}

/// The metrics of this process.
#[utoipa::path(get, path = "/metrics", operation_id = "getMetrics", tag = "home",
    responses((status = 200, description = "In Prometheus' text format", body = String, content_type = "text/plain")))]
pub(crate) async fn metrics(State(service): State<Arc<Service>>) -> Response {
    let text = service.telemetry.exposition().unwrap_or_default();
    ([(header::CONTENT_TYPE, CONTENT_TYPE)], text).into_response()
}
