//! Reads which call of the service a request is, from its method and path.

use http::{Method, Uri};
use percent_encoding::percent_decode_str;

use super::Dialect;

/// One call of the service, without its body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum TicketCall {
    Health,
    Get {
        ticket_id: String,
    },
    List,
    /// `/tickets` where only `/tickets/` lists.
    ListWithoutSlash,
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
        if dialect == Dialect::Deployed && uri.path() == "/health" {
            return allowed(method, &Method::GET, Self::Health);
        }
        let Some(path) = uri.path().strip_prefix(prefix.trim_end_matches('/')) else {
            return Self::NotFound;
        };
        let segments: Vec<&str> = path.trim_start_matches('/').split('/').collect();
        match segments.as_slice() {
            ["health"] if dialect != Dialect::Deployed => allowed(method, &Method::GET, Self::Health),
            ["tickets"] if dialect == Dialect::Deployed => allowed(method, &Method::GET, Self::ListWithoutSlash),
            ["tickets"] | ["tickets", ""] => allowed(method, &Method::GET, Self::List),
            ["tickets", "compensation"] if method == Method::POST && dialect != Dialect::Guide => {
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
            ["tickets", id, "status"] if dialect != Dialect::Guide => {
                let change = TicketChange::UpdateStatus { ticket_id: decoded(id) };
                allowed(method, &Method::PATCH, Self::Change(change))
            }
            _ => Self::NotFound,
        }
    }

    /// The name in faults and in the journal.
    pub(super) fn operation(&self) -> &'static str {
        match self {
            Self::Health => "health",
            Self::Get { .. } => "get_ticket",
            Self::List | Self::ListWithoutSlash => "list_tickets",
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
            | Self::ListWithoutSlash
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
            (Method::POST, "/api/v1/tickets/a/reallocate", ["reallocate_ticket", "unknown", "unknown"]),
            (Method::PATCH, "/api/v1/tickets/a", ["update_ticket", "unknown", "unknown"]),
            (Method::PATCH, "/api/v1/tickets/a/status", ["unknown", "update_ticket_status", "update_ticket_status"]),
            (Method::POST, "/api/v1/tickets/compensation", ["unknown", "compensate_ticket", "compensate_ticket"]),
            (Method::GET, "/api/v1/tickets/compensation", ["get_ticket"; 3]),
            (Method::GET, "/api/v1/tickets/a%2Fb", ["get_ticket"; 3]),
            (Method::GET, "/api/v1/tickets?limit=1", ["list_tickets"; 3]),
            (Method::GET, "/api/v1/health", ["health", "health", "unknown"]),
            (Method::GET, "/health", ["unknown", "unknown", "health"]),
            (Method::GET, "/tickets/a", ["unknown"; 3]),
            (Method::DELETE, "/api/v1/tickets", ["unknown"; 3]),
        ];
        for (method, path, expected) in cases {
            let found = [Dialect::Guide, Dialect::StatusPatch, Dialect::Deployed]
                .map(|dialect| read(method.clone(), path, dialect));
            assert_eq!(found, expected, "{method} {path}");
        }
    }
}
