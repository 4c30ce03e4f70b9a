//! `GET /health` and `GET /api/v1/playbooks`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use heal_runtime::port::DueRuns as _;
use serde_json::{Value, json};

use super::{Problem, Service};

/// # Errors
/// 503 where the state file cannot be read.
pub(super) async fn health(State(service): State<Arc<Service>>) -> Result<Json<Value>, Problem> {
    service.store.next_due().await?;
    let playbooks = service.dispatcher.library().names().count();
    Ok(Json(json!({"status": "ok", "version": env!("CARGO_PKG_VERSION"), "playbooks": playbooks})))
}

pub(super) async fn playbooks(State(service): State<Arc<Service>>) -> Json<Value> {
    let names: Vec<_> = service.dispatcher.library().names().collect();
    Json(json!({"playbooks": names}))
}
