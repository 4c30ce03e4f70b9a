//! `GET /metrics`, for Prometheus.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use heal_telemetry::export::CONTENT_TYPE;

use super::Service;

pub(super) async fn metrics(State(service): State<Arc<Service>>) -> Response {
    let text = service.telemetry.exposition().unwrap_or_default();
    ([(header::CONTENT_TYPE, CONTENT_TYPE)], text).into_response()
}
