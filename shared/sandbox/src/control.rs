//! The control port: another process seeds the platform, reads its state and injects faults, as JSON over HTTP.

mod help;

use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, RawQuery, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, put};
use bytes::Bytes;
use http::StatusCode;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::fault::Fault;
use crate::opa::Decision;
use crate::seed::Seed;
use crate::service::Service;
use crate::services::Services;
use crate::wire::{self, json_response, text_response};

/// The largest control request, in bytes: room for a seed of several hundred thousand items.
const REQUEST_LIMIT_BYTES: usize = 64 * 1024 * 1024;

type Platform = State<Arc<Services>>;

/// An invalid request: 422 with `{"error": {"field", "message"}}`.
#[derive(Debug, Serialize)]
struct Invalid {
    field: String,
    message: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PolicyChange {
    #[serde(default)]
    decision: Decision,
    policy: Option<String>,
}

pub(crate) fn router(services: Arc<Services>) -> Router {
    Router::new()
        .route("/", get(help))
        .route("/state", get(state))
        .route("/seed", put(put_seed))
        .route("/calls", get(calls).delete(forget_calls))
        .route("/faults", get(faults).put(put_faults).delete(clear_faults))
        .route("/policy", put(put_policy))
        .layer(DefaultBodyLimit::max(REQUEST_LIMIT_BYTES))
        .with_state(services)
}

async fn help(State(services): Platform) -> Response {
    text_response(StatusCode::OK, help::text(&services.endpoints()))
}

async fn state(State(services): Platform) -> Response {
    let endpoints = services.endpoints();
    let urls: serde_json::Map<String, Value> =
        Service::ALL.map(|service| (service.name().to_owned(), endpoints.url(service).into())).into_iter().collect();
    json_response(
        StatusCode::OK,
        &json!({
            "endpoints": urls,
            "tickets": services.tickets.tickets(),
            "workflows": services.workflows.workflows(),
            "replannings": services.workflows.replannings(),
            "pods": services.pods.pods(),
            "decision": services.opa.decision(),
            "faults": services.faults.list(),
        }),
    )
}

async fn put_seed(State(services): Platform, body: Bytes) -> Result<Response, Invalid> {
    let seed: Seed = read(&body)?;
    let counts = json!({
        "tickets": seed.tickets.len(),
        "workflows": seed.workflows.len(),
        "pods": seed.pods.len(),
    });
    services.seed(seed).map_err(|error| Invalid::named(&error.to_string()))?;
    Ok(json_response(StatusCode::OK, &counts))
}

async fn calls(State(services): Platform, RawQuery(query): RawQuery) -> Result<Response, Invalid> {
    let (mut effects, mut service, mut after) = (false, None, 0);
    for (name, value) in url::form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
        match name.as_ref() {
            "effects" => effects = parameter("effects", &value)?,
            "service" => service = Some(parameter::<Service>("service", &value)?),
            "after" => after = parameter("after", &value)?,
            _ => return Err(Invalid::new(&name, "expected effects, service or after")),
        }
    }
    let mut calls = services.journal.calls();
    calls.retain(|call| {
        (!effects || call.effect) && service.is_none_or(|service| call.service == service) && call.seq > after
    });
    Ok(json_response(StatusCode::OK, &json!(calls)))
}

async fn forget_calls(State(services): Platform) -> StatusCode {
    services.journal.clear();
    StatusCode::NO_CONTENT
}

async fn faults(State(services): Platform) -> Response {
    json_response(StatusCode::OK, &json!(services.faults.list()))
}

async fn put_faults(State(services): Platform, body: Bytes) -> Result<Response, Invalid> {
    let first = body.iter().find(|byte| !byte.is_ascii_whitespace());
    let faults: Vec<Fault> = if first == Some(&b'[') { read(&body)? } else { vec![read::<Fault>(&body)?] };
    services
        .set_faults(faults)
        .map_err(|error| Invalid::new(error.field, &format!("{}, found {}", error.expected, error.found)))?;
    Ok(json_response(StatusCode::OK, &json!(services.faults.list())))
}

async fn clear_faults(State(services): Platform) -> StatusCode {
    services.clear_faults();
    StatusCode::NO_CONTENT
}

async fn put_policy(State(services): Platform, body: Bytes) -> Result<Response, Invalid> {
    let change: PolicyChange = read(&body)?;
    services
        .opa
        .decide(change.decision, change.policy.as_deref())
        .map_err(|error| Invalid::named(&error.to_string()))?;
    Ok(json_response(StatusCode::OK, &json!({"decision": services.opa.decision()})))
}

/// Reads the body as JSON whatever its content type says: `curl -d` sends the type of a form.
fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Invalid> {
    wire::read_json(body).map_err(|wrong| Invalid::new(&wrong.path, &wrong.reason))
}

/// Reads a query parameter as a JSON value, or else as plain text.
fn parameter<T: DeserializeOwned>(name: &str, value: &str) -> Result<T, Invalid> {
    serde_json::from_str(value)
        .or_else(|_| serde_json::from_value(value.into()))
        .map_err(|error| Invalid::new(name, &error.to_string()))
}

impl Invalid {
    fn new(field: &str, message: &str) -> Self {
        Self { field: field.to_owned(), message: message.to_owned() }
    }

    /// Splits a text of the form `field: message`.
    fn named(text: &str) -> Self {
        let (field, message) = text.split_once(": ").unwrap_or((".", text));
        Self::new(field, message)
    }
}

impl IntoResponse for Invalid {
    fn into_response(self) -> Response {
        json_response(StatusCode::UNPROCESSABLE_ENTITY, &json!({"error": self}))
    }
}
