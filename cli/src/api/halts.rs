//! `/api/v1/halts`: the kill switch.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use heal_engine::Timestamp;
use heal_guard::{Halt, HaltScope};
use heal_runtime::dispatcher::SwitchOutcome;
use heal_runtime::halts::{ID_PREFIX, Invalid};
use heal_runtime::port::{Entropy as _, HALTS, OsEntropy};
use serde::Deserialize;
use serde_json::{Value, json};

use super::problem::Problem;
use super::request::{Service, json_text};

/// Who orders: the API does not authenticate its callers.
const BY: &str = "api:unauthenticated";

/// The body of an order to halt.
#[derive(Debug, Deserialize)]
struct Order {
    #[serde(flatten)]
    scope: HaltScope,
    for_seconds: u64,
    reason: String,
}

/// The halts that last, the one that ends last first.
///
/// # Errors
/// 503 if they cannot be read.
pub(super) async fn list(State(service): State<Arc<Service>>) -> Result<Json<Value>, Problem> {
    Ok(Json(json!({"halts": service.dispatcher.halts().await?})))
}

/// Stores a halt. Nothing that it holds starts from the answer on.
///
/// # Errors
/// 409 if too many last already, 415, 422 with the invalid field.
pub(super) async fn halt(
    State(service): State<Arc<Service>>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let text = json_text(&headers, body)?;
    let order: Order = serde_json::from_str(&text).map_err(|error| {
        Problem::field(
            "body",
            format!("{error}; expected {{\"scope\": \"all\", \"for_seconds\": 3600, \"reason\": \"…\"}}"),
        )
    })?;
    let halt = order.into_halt(service.dispatcher.now(), OsEntropy.next()?);
    match service.dispatcher.halt(&halt).await? {
        SwitchOutcome::Done | SwitchOutcome::Unknown => Ok((StatusCode::CREATED, Json(json!(halt)))),
        SwitchOutcome::Invalid(invalid) => Err(refused(&invalid)),
        SwitchOutcome::TooMany => {
            Err(Problem::new(StatusCode::CONFLICT, format!("{HALTS} halts last already, the limit")))
        }
    }
}

/// Ends a halt. Its runs go on within a second.
///
/// # Errors
/// 404 if the halt does not exist or has ended.
pub(super) async fn resume(
    State(service): State<Arc<Service>>,
    Path(id): Path<String>,
) -> Result<Json<Value>, Problem> {
    match service.dispatcher.resume(&id, BY).await? {
        SwitchOutcome::Done => Ok(Json(json!({"id": id, "message": "the halt has ended"}))),
        SwitchOutcome::Unknown | SwitchOutcome::Invalid(_) | SwitchOutcome::TooMany => {
            Err(Problem::new(StatusCode::NOT_FOUND, format!("halt `{id}` does not exist or has ended")))
        }
    }
}

impl Order {
    fn into_halt(self, now: Timestamp, entropy: u64) -> Halt {
        let Self { scope, for_seconds, reason } = self;
        let until = now.plus_ms(for_seconds.saturating_mul(1_000));
        Halt {
            id: format!("{ID_PREFIX}{:012x}", entropy >> 16),
            scope,
            since: now,
            until,
            reason,
            by: BY.to_owned(),
            storm: None,
        }
    }
}

fn refused(invalid: &Invalid) -> Problem {
    let text = invalid.to_string();
    let (field, message) = text.split_once(": ").unwrap_or(("body", &text));
    let field = if field == "until" { "for_seconds" } else { field };
    Problem::field(field, message)
}
