//! The Execution Ticket Service, in both dialects that are in the field.

mod call;
mod list;
mod store;
mod ticket;

use std::sync::Arc;

use axum::body::Body;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{HeaderValue, Request, Response};
use serde_json::{Value, json};

pub use ticket::{Sla, Ticket, TicketStatus};

pub(crate) use store::Store;

use crate::connection::Peer;
use crate::gateway::{Answer, Backend, header};
use crate::journal::{Described, Entry};
use call::TicketCall;

/// What a fault of the ticket service may name.
pub const OPERATIONS: &[&str] = &[
    "get_ticket",
    "list_tickets",
    "reallocate_ticket",
    "update_ticket",
    "update_ticket_status",
    "compensate_ticket",
    "health",
];

/// Where and how the ticket service listens.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TicketsConfig {
    /// 0 = a free port.
    pub port: u16,
    /// The routes that it has.
    pub dialect: Dialect,
    /// The path before `/tickets`, as `/api/v1`; empty for none.
    pub prefix: String,
    /// How it lists. The dialect `status_patch` has the paged form alone.
    pub list_shape: ListShape,
}

/// The two dialects of the service.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Dialect {
    /// `POST /tickets/{id}/reallocate` and `PATCH /tickets/{id}`.
    #[default]
    Guide,
    /// `PATCH /tickets/{id}/status` and `POST /tickets/compensation`.
    StatusPatch,
}

impl Dialect {
    /// The value of `EXECUTION_TICKET_SERVICE_API`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Guide => "guide",
            Self::StatusPatch => "status_patch",
        }
    }
}

/// The two forms of a list answer.
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
            Dialect::StatusPatch => ListShape::Paged,
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
        let key = header(&parts.headers, "idempotency-key");
        let result = match self.call(&parts) {
            TicketCall::Health => Ok(json!({"status": "healthy"})),
            TicketCall::Get { ticket_id } => self.store.get(&ticket_id),
            TicketCall::List => list::list(&self.store, parts.uri.query(), self.shape()),
            TicketCall::NotFound => Err(Refusal::not_found("Not Found")),
            TicketCall::MethodNotAllowed => Err(Refusal { status: 405, detail: "Method Not Allowed".into() }),
            TicketCall::Change(change) => self.store.change(&change, parts.uri.path(), key.as_deref(), &body, entry),
        };
        let response = match result {
            Ok(body) => answer(200, &body),
            Err(refusal) => answer(refusal.status, &json!({"detail": refusal.detail})),
        };
        Box::pin(std::future::ready(response))
    }
}

/// An answer that is an error.
#[derive(Clone, Debug)]
pub(crate) struct Refusal {
    status: u16,
    detail: Value,
}

impl Refusal {
    fn not_found(what: &str) -> Self {
        Self { status: 404, detail: what.into() }
    }

    /// A request that is not of the route's form; `place` as `["body", "status"]`.
    fn unprocessable(place: [&str; 2], message: &str) -> Self {
        let detail = json!([{"type": "value_error", "loc": place, "msg": message}]);
        Self { status: 422, detail }
    }
}

fn answer(status: u16, body: &Value) -> Response<Body> {
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = http::StatusCode::from_u16(status).unwrap_or_default();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
