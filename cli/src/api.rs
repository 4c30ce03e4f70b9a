//! The remediation API over HTTP: what the platform's other services ask of the engine.
//!
//! | call | answer |
//! |---|---|
//! | `POST /api/v1/remediation/execute` | 202; 404 for an unknown playbook, 422 for what is wrong with the request |
//! | `GET /api/v1/remediation/{id}/status` | 200, 404 |
//! | `POST /api/v1/remediation/{id}/cancel`, `…/approve` | 200, 404 |
//! | `POST /api/v1/incidents` | 202 once the incident is on the disk; 422 for what cannot be understood |
//! | `GET /api/v1/playbooks`, `GET /health` | 200 |
//! | `GET /metrics` | 200, in Prometheus' text format |
//!
//! A refusal is `{"error": {"message", "fields": [{"field", "message"}]}}`. There is no authentication here: bind it to loopback, or put
//! something in front that has it.

mod body;
mod change;
mod execute;
mod health;
mod incidents;
mod metrics;
mod problem;
mod status;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use heal_embedded::Store;
use heal_engine::limit;
use heal_runtime::dispatcher::Dispatcher;
use heal_telemetry::Telemetry;

use problem::Problem;

/// How long one exchange may take, the reading of its body included.
const EXCHANGE: Duration = Duration::from_secs(30);

/// What the handlers work on.
#[derive(Debug)]
pub(crate) struct Service {
    pub dispatcher: Dispatcher,
    pub store: Store,
    pub telemetry: Telemetry,
}

pub(crate) fn router(service: Service) -> Router {
    Router::new()
        .route("/health", get(health::health))
        .route("/metrics", get(metrics::metrics))
        .route("/api/v1/playbooks", get(health::playbooks))
        .route("/api/v1/incidents", post(incidents::enqueue))
        .route("/api/v1/remediation/execute", post(execute::execute))
        .route("/api/v1/remediation/{id}/status", get(status::status))
        .route("/api/v1/remediation/{id}/cancel", post(change::cancel))
        .route("/api/v1/remediation/{id}/approve", post(change::approve))
        .fallback(async || Problem::new(StatusCode::NOT_FOUND, "there is nothing at this path"))
        .method_not_allowed_fallback(async || {
            Problem::new(StatusCode::METHOD_NOT_ALLOWED, "this path has other methods")
        })
        .layer(DefaultBodyLimit::max(limit::MESSAGE_BYTES))
        .layer(middleware::from_fn(bounded))
        .with_state(Arc::new(service))
}

/// Ends what takes too long, such as a body that comes byte by byte, and tells what was asked.
async fn bounded(request: Request, next: Next) -> Response {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let answered = tokio::time::timeout(EXCHANGE, next.run(request)).await;
    let response = answered.unwrap_or_else(|_| {
        let message = format!("the request was not over within {} s", EXCHANGE.as_secs());
        Problem::new(StatusCode::REQUEST_TIMEOUT, message).into_response()
    });
    tracing::debug!(%method, path, status = response.status().as_u16(), "request");
    response
}
