//! Which call of the service a request is: method and path, by dialect.

use http::{Method, Uri};
use percent_encoding::percent_decode_str;

use super::Dialect;

/// One call of the service, without its body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum TicketCall {
    Health,
    Get { ticket_id: String },
    List,
    Change(TicketChange),
    NotFound,
    MethodNotAllowed,
}

/// A call that changes a ticket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum TicketChange {
    Reallocate { ticket_id: String },
    Update { ticket_id: String },
    UpdateStatus { ticket_id: String },
    Compensate,
}

impl TicketCall {
    pub(super) fn read(method: &Method, uri: &Uri, prefix: &str, dialect: Dialect) -> Self {
        let Some(path) = uri.path().strip_prefix(prefix.trim_end_matches('/')) else {
            return Self::NotFound;
        };
        let segments: Vec<&str> = path.trim_start_matches('/').split('/').collect();
        match segments.as_slice() {
            ["health"] => allowed(method, &Method::GET, Self::Health),
            ["tickets"] | ["tickets", ""] => allowed(method, &Method::GET, Self::List),
            ["tickets", "compensation"] if method == Method::POST && dialect == Dialect::StatusPatch => {
                Self::Change(TicketChange::Compensate)
            }
            ["tickets", id] if method == Method::GET => Self::Get { ticket_id: decoded(id) },
            ["tickets", id] => match (method, dialect) {
                (&Method::PATCH, Dialect::Guide) => Self::Change(TicketChange::Update { ticket_id: decoded(id) }),
                _ => Self::MethodNotAllowed,
            },
            ["tickets", id, "reallocate"] if dialect == Dialect::Guide => {
                let change = TicketChange::Reallocate { ticket_id: decoded(id) };
                allowed(method, &Method::POST, Self::Change(change))
            }
            ["tickets", id, "status"] if dialect == Dialect::StatusPatch => {
                let change = TicketChange::UpdateStatus { ticket_id: decoded(id) };
                allowed(method, &Method::PATCH, Self::Change(change))
            }
            _ => Self::NotFound,
        }
    }

    /// The name in faults and journal.
    pub(super) fn operation(&self) -> &'static str {
        match self {
            Self::Health => "health",
            Self::Get { .. } => "get_ticket",
            Self::List => "list_tickets",
            Self::Change(TicketChange::Reallocate { .. }) => "reallocate_ticket",
            Self::Change(TicketChange::Update { .. }) => "update_ticket",
            Self::Change(TicketChange::UpdateStatus { .. }) => "update_ticket_status",
            Self::Change(TicketChange::Compensate) => "compensate_ticket",
            Self::NotFound | Self::MethodNotAllowed => "unknown",
        }
    }

    pub(super) fn ticket_id(&self) -> &str {
        match self {
            Self::Get { ticket_id }
            | Self::Change(
                TicketChange::Reallocate { ticket_id }
                | TicketChange::Update { ticket_id }
                | TicketChange::UpdateStatus { ticket_id },
            ) => ticket_id,
            Self::Health
            | Self::List
            | Self::NotFound
            | Self::MethodNotAllowed
            | Self::Change(TicketChange::Compensate) => "",
        }
    }
}

fn allowed(method: &Method, only: &Method, call: TicketCall) -> TicketCall {
    if method == only { call } else { TicketCall::MethodNotAllowed }
}

fn decoded(segment: &str) -> String {
    percent_decode_str(segment).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_dialect_has_its_own_routes() {
        let read = |method, path: &str, dialect| {
            TicketCall::read(&method, &path.parse().unwrap(), "/api/v1/", dialect).operation()
        };
        let cases = [
            (Method::POST, "/api/v1/tickets/a/reallocate", "reallocate_ticket", "unknown"),
            (Method::PATCH, "/api/v1/tickets/a", "update_ticket", "unknown"),
            (Method::PATCH, "/api/v1/tickets/a/status", "unknown", "update_ticket_status"),
            (Method::POST, "/api/v1/tickets/compensation", "unknown", "compensate_ticket"),
            (Method::GET, "/api/v1/tickets/compensation", "get_ticket", "get_ticket"),
            (Method::GET, "/api/v1/tickets/a%2Fb", "get_ticket", "get_ticket"),
            (Method::GET, "/api/v1/tickets?limit=1", "list_tickets", "list_tickets"),
            (Method::GET, "/api/v1/health", "health", "health"),
            (Method::GET, "/tickets/a", "unknown", "unknown"),
            (Method::DELETE, "/api/v1/tickets", "unknown", "unknown"),
        ];
        for (method, path, guide, status_patch) in cases {
            assert_eq!(read(method.clone(), path, Dialect::Guide), guide, "{method} {path}");
            assert_eq!(read(method.clone(), path, Dialect::StatusPatch), status_patch, "{method} {path}");
        }
    }
}
