//! The control port: seeding, reading back and faults from another process, as JSON over HTTP.

mod help;

use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, RawQuery, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, put};
use bytes::Bytes;
use http::StatusCode;
use http::header::CONTENT_TYPE;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::fault::Fault;
use crate::json;
use crate::opa::Decision;
use crate::platform::Shared;
use crate::seed::Seed;
use crate::service::Service;

/// The largest control request, in bytes: a seed of some hundred thousand items.
const REQUEST_LIMIT_BYTES: usize = 64 * 1024 * 1024;

type Platform = State<Arc<Shared>>;

/// A wrong request: 422 with `{"error": {"field", "message"}}`.
#[derive(Debug, Serialize)]
struct Wrong {
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

pub(crate) fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/", get(help))
        .route("/state", get(state))
        .route("/seed", put(put_seed))
        .route("/calls", get(calls).delete(forget_calls))
        .route("/faults", get(faults).put(put_faults).delete(clear_faults))
        .route("/policy", put(put_policy))
        .layer(DefaultBodyLimit::max(REQUEST_LIMIT_BYTES))
        .with_state(shared)
}

async fn help(State(shared): Platform) -> Response {
    let text = help::text(&shared.endpoints());
    ([(CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response()
}

async fn state(State(shared): Platform) -> Response {
    let endpoints = shared.endpoints();
    let urls: serde_json::Map<String, Value> =
        Service::ALL.map(|service| (service.name().to_owned(), endpoints.url(service).into())).into_iter().collect();
    json_answer(&json!({
        "endpoints": urls,
        "tickets": shared.tickets.tickets(),
        "workflows": shared.workflows.workflows(),
        "replannings": shared.workflows.replannings(),
        "pods": shared.pods.pods(),
        "decision": shared.opa.decision(),
        "faults": shared.faults.list(),
    }))
}

async fn put_seed(State(shared): Platform, body: Bytes) -> Result<Response, Wrong> {
    let seed: Seed = read(&body)?;
    let counts = json!({
        "tickets": seed.tickets.len(),
        "workflows": seed.workflows.len(),
        "pods": seed.pods.len(),
    });
    shared.seed(seed).map_err(|error| Wrong::named(&error.to_string()))?;
    Ok(json_answer(&counts))
}

async fn calls(State(shared): Platform, RawQuery(query): RawQuery) -> Result<Response, Wrong> {
    let (mut effects, mut service, mut after) = (false, None, 0);
    for (name, value) in url::form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
        match name.as_ref() {
            "effects" => effects = parameter("effects", &value)?,
            "service" => service = Some(parameter::<Service>("service", &value)?),
            "after" => after = parameter("after", &value)?,
            _ => return Err(Wrong::new(&name, "expected effects, service or after")),
        }
    }
    let mut calls = shared.journal.calls();
    calls.retain(|call| {
        (!effects || call.effect) && service.is_none_or(|service| call.service == service) && call.seq > after
    });
    Ok(json_answer(&json!(calls)))
}

async fn forget_calls(State(shared): Platform) -> StatusCode {
    shared.journal.clear();
    StatusCode::NO_CONTENT
}

async fn faults(State(shared): Platform) -> Response {
    json_answer(&json!(shared.faults.list()))
}

async fn put_faults(State(shared): Platform, body: Bytes) -> Result<Response, Wrong> {
    let first = body.iter().find(|byte| !byte.is_ascii_whitespace());
    let faults: Vec<Fault> = if first == Some(&b'[') { read(&body)? } else { vec![read::<Fault>(&body)?] };
    shared
        .set_faults(faults)
        .map_err(|error| Wrong::new(error.field, &format!("{}, found {}", error.expected, error.found)))?;
    Ok(json_answer(&json!(shared.faults.list())))
}

async fn clear_faults(State(shared): Platform) -> StatusCode {
    shared.clear_faults();
    StatusCode::NO_CONTENT
}

async fn put_policy(State(shared): Platform, body: Bytes) -> Result<Response, Wrong> {
    let change: PolicyChange = read(&body)?;
    shared.opa.decide(change.decision, change.policy.as_deref()).map_err(|error| Wrong::named(&error.to_string()))?;
    Ok(json_answer(&json!({"decision": shared.opa.decision()})))
}

fn json_answer(body: &Value) -> Response {
    ([(CONTENT_TYPE, "application/json")], body.to_string()).into_response()
}

/// The body, whatever content type the caller claims: curl claims a form.
fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Wrong> {
    json::read(body).map_err(|wrong| Wrong::new(&wrong.path, &wrong.reason))
}

/// A query parameter: a JSON value, or the text itself.
fn parameter<T: DeserializeOwned>(name: &str, value: &str) -> Result<T, Wrong> {
    serde_json::from_str(value)
        .or_else(|_| serde_json::from_value(value.into()))
        .map_err(|error| Wrong::new(name, &error.to_string()))
}

impl Wrong {
    fn new(field: &str, message: &str) -> Self {
        Self { field: field.to_owned(), message: message.to_owned() }
    }

    /// From a text of the form `field: message`.
    fn named(text: &str) -> Self {
        let (field, message) = text.split_once(": ").unwrap_or((".", text));
        Self::new(field, message)
    }
}

impl IntoResponse for Wrong {
    fn into_response(self) -> Response {
        (StatusCode::UNPROCESSABLE_ENTITY, json_answer(&json!({"error": self}))).into_response()
    }
}
