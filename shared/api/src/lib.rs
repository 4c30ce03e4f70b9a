//! The HTTP API over the ports: one router, served by `heal serve` and by the function `api`.
//!
//! Each resource has its own file; `document` makes the OpenAPI document of all of them, published at `/openapi.json`. What the API shows
//! and `heal` prints alike is here too: [`worklist`], [`explain`], [`preview`], [`changes`].
//!
//! A refusal is a problem by RFC 9457, which also has the form of the remediation API: `{"error": {"message", "fields"}}`.
//!
//! It deliberately knows no store and no cloud. Who calls is decided by the [`doors`] before a request comes to a handler; a handler that
//! changes something takes the [`Caller`]. [`server`] accepts connections within bounds. Start at [`router`].

#![warn(missing_docs)]

mod approval_link;
pub mod autonomy;
mod cached;
mod caller;
mod change;
pub mod changes;
mod checks;
mod console;
mod cursor;
mod dead_letters;
mod document;
pub mod doors;
mod execute;
pub mod explain;
mod extract;
mod gateway;
mod guardrails;
mod halts;
mod hash;
mod health;
mod hooks;
mod idempotency;
mod incidents;
mod me;
pub mod moment;
mod people;
mod playbooks;
pub mod preview;
mod problem;
mod renderer;
mod request;
mod runs;
pub mod server;
mod status;
pub mod worklist;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Extension, Request};
use axum::http::{Method, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use heal_engine::limit;
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouterExt as _};
use utoipa_axum::routes;

pub use approval_link::ApprovalLinks;
pub use caller::{Caller, Role};
pub use document::openapi;
pub use gateway::{GatewayRoles, behind_gateway};
pub use hooks::{HookSecretError, Hooked, verifier};
pub use problem::Problem;
pub use request::{Service, Waiting};

/// Longest time for one request and the beginning of its response, including the reading of the body.
const EXCHANGE_TIMEOUT: Duration = Duration::from_secs(30);

/// The routes of the API over `service`.
pub fn router(service: Service) -> Router {
    let (router, _) = routes().split_for_parts();
    router
        .route(document::PATH, get(document::published))
        .merge(console::router())
        .fallback(async || Problem::new(StatusCode::NOT_FOUND, "there is nothing at this path"))
        .method_not_allowed_fallback(other_method)
        .layer(DefaultBodyLimit::max(limit::MESSAGE_BYTES))
        .layer(Extension(Arc::new(renderer::Renderer::default())))
        .layer(middleware::from_fn(bounded))
        .with_state(Arc::new(service))
}

/// Every documented route.
fn routes() -> OpenApiRouter<Arc<Service>> {
    document::base()
        .routes(routes!(health::health))
        .routes(routes!(health::metrics))
        .routes(routes!(execute::execute))
        .routes(routes!(status::status))
        .routes(routes!(change::cancel))
        .routes(routes!(change::approve))
        .routes(routes!(incidents::enqueue))
        .routes(routes!(hooks::receive).layer(DefaultBodyLimit::max(heal_hooks::limit::DELIVERY_BYTES)))
        .routes(routes!(runs::list))
        .routes(routes!(runs::one))
        .routes(routes!(runs::events::events))
        .routes(routes!(runs::events::explanation))
        .routes(routes!(runs::stream::stream))
        .routes(routes!(runs::change::approve))
        .routes(routes!(runs::change::reject))
        .routes(routes!(runs::change::cancel))
        .routes(routes!(runs::change::hold))
        .routes(routes!(runs::change::release))
        .routes(routes!(people::approvals))
        .routes(routes!(people::follow_ups))
        .routes(routes!(people::done))
        .routes(routes!(people::escalations))
        .routes(routes!(people::acknowledge))
        .routes(routes!(halts::list, halts::halt))
        .routes(routes!(halts::resume))
        .routes(routes!(autonomy::list))
        .routes(routes!(autonomy::set))
        .routes(routes!(guardrails::show))
        .routes(routes!(checks::list))
        .routes(routes!(me::me))
        .routes(routes!(playbooks::list))
        .routes(routes!(playbooks::one))
        .routes(routes!(playbooks::lint))
        .routes(routes!(dead_letters::list))
        .routes(routes!(dead_letters::redrive))
}

/// A path that has other methods; the answer's `Allow` names them.
async fn other_method(method: Method) -> Response {
    if method == Method::OPTIONS {
        return StatusCode::NO_CONTENT.into_response();
    }
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "this path has other methods").into_response()
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
