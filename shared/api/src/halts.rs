//! `/api/v1/halts`: the kill switch.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use heal_engine::Timestamp;
use heal_guard::{Halt, HaltScope};
use heal_runtime::dispatcher::SwitchOutcome;
use heal_runtime::halts::{ID_PREFIX, Invalid};
use heal_runtime::port::HALTS;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::cached::tagged;
use crate::caller::Caller;
use crate::changes::OrderOutcome;
use crate::extract::{Body, NamePath};
use crate::idempotency::{self, IdempotencyKey};
use crate::problem::Problem;
use crate::request::Service;

/// Hexadecimal digits of a halt's id.
const ID_DIGITS: usize = 12;

/// The body of an order to halt.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = HaltOrder, example = json!({"scope": "playbook", "name": "workflow_restart", "for_seconds": 3600, "reason": "migration tonight"}))]
pub(crate) struct Order {
    #[serde(flatten)]
    #[schema(inline)]
    scope: Scope,
    /// How long it lasts, in seconds.
    for_seconds: u64,
    /// Why.
    reason: String,
}

/// What is halted.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = HaltScope)]
pub(crate) struct Scope {
    /// `all`, `playbook`, `action`, `service` or `target`.
    #[schema(example = "playbook")]
    scope: String,
    /// The name of the playbook, action, service or target; not with `all`.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
}

/// A halt.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Halt)]
pub(crate) struct HaltView {
    /// Its id.
    #[schema(example = "halt-0123456789ab")]
    id: String,
    #[serde(flatten)]
    #[schema(inline)]
    scope: Scope,
    /// When it was ordered, in milliseconds since the epoch.
    since: u64,
    /// When it ends by itself, in milliseconds since the epoch.
    until: u64,
    /// Why.
    reason: String,
    /// The identity of who ordered it.
    by: String,
}

/// The halts in force.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct HaltList {
    /// The halts, the one that ends last first.
    halts: Vec<HaltView>,
}

/// The end of a halt.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Resumed {
    /// The halt.
    id: String,
    /// What became of it, as a sentence.
    message: String,
}

/// Lists the halts that last.
#[utoipa::path(get, path = "/api/v1/halts", operation_id = "listHalts", tag = "brakes",
    responses((status = 200, description = "The halts", body = HaltList)))]
pub(crate) async fn list(State(service): State<Arc<Service>>, headers: HeaderMap) -> Result<Response, Problem> {
    let halts = service.dispatcher.halts().await?.into_iter().map(HaltView::from).collect();
    tagged(&headers, &HaltList { halts })
}

/// Orders a halt. Nothing that it holds starts from the answer 201 on.
#[utoipa::path(post, path = "/api/v1/halts", operation_id = "orderHalt", tag = "brakes", request_body = Order,
    params(("Idempotency-Key" = Option<String>, Header, description = "The same key again orders no second halt")),
    responses((status = 201, description = "The halt lasts", body = HaltView),
        (status = 202, description = "The order was sent, and is not executed yet", body = HaltView),
        (status = 409, description = "Too many halts last, or the key was used for another order",
            body = crate::problem::ProblemBody, content_type = "application/problem+json")))]
pub(crate) async fn halt(
    State(service): State<Arc<Service>>,
    caller: Caller,
    headers: HeaderMap,
    Body(order): Body<Order>,
) -> Result<Response, Problem> {
    let key = IdempotencyKey::read(&headers, &caller.identity)?;
    let digits = match &key {
        Some(key) => key.hex(ID_DIGITS),
        None => format!("{:012x}", service.entropy.next()? >> 16),
    };
    let halt = order.into_halt(format!("{ID_PREFIX}{digits}"), service.dispatcher.now(), caller.identity)?;
    if key.is_some() {
        let lasting = service.dispatcher.halts().await?;
        if let Some(before) = lasting.into_iter().find(|before| before.id == halt.id) {
            return if is_same(&before, &halt) { Ok(created(before)) } else { Err(idempotency::conflict()) };
        }
    }
    match service.changes.halt(&halt).await? {
        OrderOutcome::Known(SwitchOutcome::Done | SwitchOutcome::Unknown) => Ok(created(halt)),
        OrderOutcome::Sent => Ok((StatusCode::ACCEPTED, Json(HaltView::from(halt))).into_response()),
        OrderOutcome::Known(SwitchOutcome::Invalid(invalid)) => Err(refused(&invalid)),
        OrderOutcome::Known(SwitchOutcome::TooMany) => {
            Err(Problem::new(StatusCode::CONFLICT, format!("{HALTS} halts last already, the limit")))
        }
    }
}

/// Ends a halt. Its runs go on within seconds.
#[utoipa::path(delete, path = "/api/v1/halts/{id}", operation_id = "resumeHalt", tag = "brakes",
    params(("id" = String, Path, description = "The halt's id")),
    responses((status = 200, description = "The halt has ended", body = Resumed),
        (status = 202, description = "The order was sent, and is not executed yet", body = Resumed)))]
pub(crate) async fn resume(
    State(service): State<Arc<Service>>,
    caller: Caller,
    NamePath(id): NamePath,
) -> Result<Response, Problem> {
    match service.changes.resume(&id, &caller.identity).await? {
        OrderOutcome::Known(SwitchOutcome::Done) => {
            Ok(Json(Resumed { id, message: "the halt has ended".to_owned() }).into_response())
        }
        OrderOutcome::Sent => {
            let message = "the order was sent; the halt ends once the dispatcher receives it".to_owned();
            Ok((StatusCode::ACCEPTED, Json(Resumed { id, message })).into_response())
        }
        OrderOutcome::Known(SwitchOutcome::Unknown | SwitchOutcome::Invalid(_) | SwitchOutcome::TooMany) => {
            Err(Problem::not_found(format!("halt `{id}` does not exist or has ended")))
        }
    }
}

fn created(halt: Halt) -> Response {
    (StatusCode::CREATED, Json(HaltView::from(halt))).into_response()
}

/// Whether two orders differ in nothing but their time.
fn is_same(one: &Halt, other: &Halt) -> bool {
    let length_ms = |halt: &Halt| halt.until.since_ms(halt.since);
    one.scope == other.scope && one.reason == other.reason && length_ms(one) == length_ms(other)
}

impl Order {
    fn into_halt(self, id: String, now: Timestamp, by: String) -> Result<Halt, Problem> {
        let Self { scope, for_seconds, mut reason } = self;
        heal_engine::secret::hide_in(&mut reason);
        let until = now.plus_ms(for_seconds.saturating_mul(1_000));
        Ok(Halt { id, scope: scope.read()?, since: now, until, reason, by, storm: None })
    }
}

impl Scope {
    fn read(self) -> Result<HaltScope, Problem> {
        let value = serde_json::to_value(&self).unwrap_or_default();
        serde_json::from_value(value).map_err(|error| {
            let expected = "`all`, or `playbook`, `action`, `service` or `target` with a `name`";
            Problem::field("scope", format!("{error}; expected {expected}"))
        })
    }
}

impl From<Halt> for HaltView {
    fn from(halt: Halt) -> Self {
        let Halt { id, scope, since, until, reason, by, storm: _ } = halt;
        let (scope, name) = match scope {
            HaltScope::All => ("all", None),
            HaltScope::Playbook { name } => ("playbook", Some(name)),
            HaltScope::Action { name } => ("action", Some(name)),
            HaltScope::Service { name } => ("service", Some(name)),
            HaltScope::Target { name } => ("target", Some(name)),
            // No store keeps it; a window is among the guardrails.
            HaltScope::Window { name, .. } => ("window", Some(name)),
            HaltScope::Dependency { name, .. } => ("dependency", Some(name)),
        };
        let scope = Scope { scope: scope.to_owned(), name };
        Self { id, scope, since: since.0, until: until.0, reason, by }
    }
}

fn refused(invalid: &Invalid) -> Problem {
    let text = invalid.to_string();
    let (field, message) = text.split_once(": ").unwrap_or(("body", &text));
    let field = if field == "until" { "for_seconds" } else { field };
    Problem::field(field, message)
}
