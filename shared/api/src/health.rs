//! `GET /health`, `GET /metrics` for Prometheus, and `GET /api/v1/playbooks`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use heal_telemetry::export::CONTENT_TYPE;
use serde_json::{Value, json};

use crate::problem::Problem;
use crate::request::Service;

/// # Errors
/// 503 if the state file cannot be read.
pub(crate) async fn health(State(service): State<Arc<Service>>) -> Result<Json<Value>, Problem> {
    service.due_runs.next_due().await?;
    let playbooks = service.dispatcher.library().names().count();
    Ok(Json(json!({"status": "ok", "version": env!("CARGO_PKG_VERSION"), "playbooks": playbooks})))
}

pub(crate) async fn metrics(State(service): State<Arc<Service>>) -> Response {
    let text = service.telemetry.exposition().unwrap_or_default();
    ([(header::CONTENT_TYPE, CONTENT_TYPE)], text).into_response()
}

pub(crate) async fn playbooks(State(service): State<Arc<Service>>) -> Json<Value> {
    let names: Vec<_> = service.dispatcher.library().names().collect();
    Json(json!({"playbooks": names}))
}
