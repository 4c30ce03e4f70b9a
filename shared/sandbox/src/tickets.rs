//! The Execution Ticket Service: the guide's routes, the `status_patch` routes, and the service as deployed.

mod call;
mod list;
mod store;
mod ticket;

use std::sync::Arc;

use axum::body::Body;
use bytes::Bytes;
use http::header::{HOST, LOCATION};
use http::request::Parts;
use http::{HeaderValue, Request, Response, StatusCode};
use serde_json::{Value, json};

pub use ticket::{Sla, Ticket, TicketStatus};

pub(crate) use store::Store;

use crate::gateway::{Answer, Backend, Peer, header};
use crate::journal::{Described, Entry};
use crate::wire::json_response;
use call::TicketCall;

/// Where the ticket service listens and how it behaves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TicketsConfig {
    /// The port; 0 takes a free one.
    pub port: u16,
    /// Its routes and behaviour.
    pub dialect: Dialect,
    /// The path before `/tickets`, such as `/api/v1`; empty for none.
    pub prefix: String,
    /// The form of its lists. Only [`Dialect::Guide`] has a choice; the others page.
    pub list_shape: ListShape,
}

/// The dialects of the service.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Dialect {
    /// `POST /tickets/{id}/reallocate` and `PATCH /tickets/{id}`.
    #[default]
    Guide,
    /// `PATCH /tickets/{id}/status` and `POST /tickets/compensation`.
    StatusPatch,
    /// The routes of `StatusPatch`, with everything else as the deployed service does it.
    ///
    /// - it lists at `/tickets/`; `/tickets` is answered with a 307 redirect to it
    /// - `/health` is at the root of the host, not under the prefix
    /// - a ticket has no `assigned_worker` and no `workflow_id`, its `metadata` is empty, and filters by the missing
    ///   fields are ignored
    /// - `Idempotency-Key` is ignored: a repeated call is a second effect
    Deployed,
}

impl Dialect {
    /// The value of `EXECUTION_TICKET_SERVICE_API`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Guide => "guide",
            Self::StatusPatch | Self::Deployed => "status_patch",
        }
    }
}

/// The forms of a list response.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ListShape {
    /// `{tickets, total, offset, limit}`.
    #[default]
    Paged,
    /// A bare array.
    Array,
}

/// The running service.
pub(crate) struct Tickets {
    pub(crate) config: TicketsConfig,
    pub(crate) store: Arc<Store>,
}

impl Tickets {
    fn call(&self, parts: &Parts) -> TicketCall {
        TicketCall::read(&parts.method, &parts.uri, &self.config.prefix, self.config.dialect)
    }

    fn shape(&self) -> ListShape {
        match self.config.dialect {
            Dialect::Guide => self.config.list_shape,
            Dialect::StatusPatch | Dialect::Deployed => ListShape::Paged,
        }
    }
}

impl Backend for Tickets {
    fn describe(&self, parts: &Parts, _: &Bytes) -> Described {
        let call = self.call(parts);
        Described {
            operation: call.operation(),
            target: call.ticket_id().to_owned(),
            key: header(&parts.headers, "idempotency-key"),
            body: None,
        }
    }

    fn perform(&self, request: Request<Bytes>, _: &Peer, entry: &Entry) -> Answer<'_> {
        let (parts, body) = request.into_parts();
        let dialect = self.config.dialect;
        let key = header(&parts.headers, "idempotency-key").filter(|_| dialect != Dialect::Deployed);
        let result = match self.call(&parts) {
            TicketCall::Health => Ok(json!({"status": "healthy"})),
            TicketCall::Get { ticket_id } => self.store.get(&ticket_id),
            TicketCall::List => list::list(&self.store, parts.uri.query(), dialect, self.shape()),
            TicketCall::ListWithoutSlash => return Box::pin(std::future::ready(redirect_to_slash(&parts))),
            TicketCall::NotFound => Err(Refusal::not_found("Not Found")),
            TicketCall::MethodNotAllowed => {
                Err(Refusal { status: StatusCode::METHOD_NOT_ALLOWED, detail: "Method Not Allowed".into() })
            }
            TicketCall::Change(change) => self.store.change(&change, parts.uri.path(), key.as_deref(), &body, entry),
        };
        let response = match result {
            Ok(mut body) => {
                if dialect == Dialect::Deployed {
                    hide_undeployed_fields(&mut body);
                }
                json_response(StatusCode::OK, &body)
            }
            Err(refusal) => json_response(refusal.status, &json!({"detail": refusal.detail})),
        };
        Box::pin(std::future::ready(response))
    }
}

/// Removes what the deployed service does not know from a ticket, or from every ticket of a list.
fn hide_undeployed_fields(body: &mut Value) {
    if let Some(tickets) = body.get_mut("tickets").and_then(Value::as_array_mut) {
        return tickets.iter_mut().for_each(hide_undeployed_fields);
    }
    if let Some(fields) = body.as_object_mut() {
        fields.remove("assigned_worker");
        fields.remove("workflow_id");
        if let Some(metadata) = fields.get_mut("metadata") {
            *metadata = json!({});
        }
    }
}

/// The 307 with which the deployed service leads from `/tickets` to `/tickets/`, on the same origin.
fn redirect_to_slash(parts: &Parts) -> Response<Body> {
    let origin = header(&parts.headers, HOST.as_str()).map_or(String::new(), |host| format!("http://{host}"));
    let query = parts.uri.query().map_or(String::new(), |query| format!("?{query}"));
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::TEMPORARY_REDIRECT;
    if let Ok(location) = HeaderValue::from_str(&format!("{origin}{}/{query}", parts.uri.path())) {
        response.headers_mut().insert(LOCATION, location);
    }
    response
}

/// An error response.
#[derive(Clone, Debug)]
pub(crate) struct Refusal {
    status: StatusCode,
    detail: Value,
}

impl Refusal {
    fn not_found(what: &str) -> Self {
        Self { status: StatusCode::NOT_FOUND, detail: what.into() }
    }

    /// A request that does not fit its route; `place` names the field, such as `["body", "status"]`.
    fn unprocessable(place: [&str; 2], message: &str) -> Self {
        let detail = json!([{"type": "value_error", "loc": place, "msg": message}]);
        Self { status: StatusCode::UNPROCESSABLE_ENTITY, detail }
    }
}
