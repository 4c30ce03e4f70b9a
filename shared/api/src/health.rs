//! `GET /health`, and `GET /metrics` for Prometheus.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use heal_telemetry::export::CONTENT_TYPE;
use serde::Serialize;
use utoipa::ToSchema;

use crate::problem::Problem;
use crate::request::Service;

/// Whether the service works.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Health {
    /// `ok`.
    #[schema(example = "ok")]
    status: &'static str,
    /// The build's version.
    version: &'static str,
    /// Playbooks in use.
    playbooks: usize,
}

/// Says whether the service works: it reads its store.
#[utoipa::path(get, path = "/health", operation_id = "getHealth", tag = "home",
    responses((status = 200, description = "It works", body = Health)))]
pub(crate) async fn health(State(service): State<Arc<Service>>) -> Result<Json<Health>, Problem> {
    service.due_runs.next_due().await?;
    let playbooks = service.dispatcher.library().names().count();
    Ok(Json(Health { status: "ok", version: env!("CARGO_PKG_VERSION"), playbooks }))
}

/// The metrics of this process.
#[utoipa::path(get, path = "/metrics", operation_id = "getMetrics", tag = "home",
    responses((status = 200, description = "In Prometheus' text format", body = String, content_type = "text/plain")))]
pub(crate) async fn metrics(State(service): State<Arc<Service>>) -> Response {
    let text = service.telemetry.exposition().unwrap_or_default();
    ([(header::CONTENT_TYPE, CONTENT_TYPE)], text).into_response()
}
