//! The remediation API over HTTP, called by the platform's other services.
//!
//! | call | answer |
//! |---|---|
//! | `POST /api/v1/remediation/execute` | 202; 404 for an unknown playbook, 422 for an invalid request |
//! | `GET /api/v1/remediation/{id}/status` | 200, 404 |
//! | `POST /api/v1/remediation/{id}/cancel` (optionally with `{reason}`), `…/approve` | 200, 404 |
//! | `GET /api/v1/halts`, `POST /api/v1/halts` with `{scope, name?, for_seconds, reason}`, `DELETE /api/v1/halts/{id}` | 200, 201; 404, 409, 422 |
//! | `POST /api/v1/incidents` | 202 once the incident is on the disk; 422 for a message that is not an incident |
//! | `POST /hooks/{source}` with the alerts of another system | 202 with what became of each; 401, 404, 409, 413, 422 |
//! | `GET /api/v1/playbooks`, `GET /health` | 200 |
//! | `GET /metrics` | 200, in Prometheus' text format |
//!
//! A refusal is `{"error": {"message", "fields": [{"field", "message"}]}}`. The API does not authenticate: bind it to loopback, or put
//! an authenticating proxy in front of it.

mod caller;
mod change;
mod execute;
mod halts;
mod health;
mod hooks;
mod incidents;
pub mod moment;
mod problem;
mod request;
mod status;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{delete, get, post};
use heal_engine::limit;

use problem::Problem;

pub use caller::{Caller, Role};
pub use hooks::Hooked;
pub use request::Service;

/// Longest time for one request and its response, including the reading of the body.
const EXCHANGE_TIMEOUT: Duration = Duration::from_secs(30);

/// The routes of the API over `service`.
pub fn router(service: Service) -> Router {
    Router::new()
        .route("/health", get(health::health))
        .route("/metrics", get(health::metrics))
        .route("/api/v1/playbooks", get(health::playbooks))
        .route("/api/v1/incidents", post(incidents::enqueue))
        .route("/hooks/{source}", post(hooks::receive).layer(DefaultBodyLimit::max(heal_hooks::limit::DELIVERY_BYTES)))
        .route("/api/v1/halts", get(halts::list).post(halts::halt))
        .route("/api/v1/halts/{id}", delete(halts::resume))
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

/// Ends a request that takes too long, such as one whose body arrives byte by byte, and logs every request.
async fn bounded(request: Request, next: Next) -> Response {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let response = tokio::time::timeout(EXCHANGE_TIMEOUT, next.run(request)).await;
    let response = response.unwrap_or_else(|_| {
        let message = format!("the request did not end within {} s", EXCHANGE_TIMEOUT.as_secs());
        Problem::new(StatusCode::REQUEST_TIMEOUT, message).into_response()
    });
    tracing::debug!(%method, path, status = response.status().as_u16(), "request");
    response
}
