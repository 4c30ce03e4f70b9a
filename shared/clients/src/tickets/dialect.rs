//! The two dialects of the service: the request for each change, its metadata, and the routes and shapes of a list.

use http::Method;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::ticket::{Ticket, TicketList, TicketStatus};
use crate::config::Dialect;

/// Further facts of a change, such as `workflow_id`, `incident_id`, `previous_worker`: who made it and why.
pub type Metadata = Map<String, Value>;

/// The engine's name in the metadata of its changes.
pub const SOURCE: &str = "self-healing-engine";

/// The path of a list, below the base URL.
pub(super) const fn list(dialect: Dialect) -> &'static [&'static str] {
    match dialect {
        Dialect::Guide => &["tickets"],
        // The last slash: without it the service redirects.
        Dialect::StatusPatch => &["tickets", ""],
    }
}

/// What tells the dialect's route of a reallocation from the other dialect's, below a ticket's own path.
pub(super) const fn reallocation_subpath(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Guide => "reallocate",
        Dialect::StatusPatch => "status",
    }
}

/// The value of `EXECUTION_TICKET_SERVICE_API`.
pub(super) const fn name(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Guide => "guide",
        Dialect::StatusPatch => "status_patch",
    }
}

/// The other dialect.
pub(super) const fn other(dialect: Dialect) -> Dialect {
    match dialect {
        Dialect::Guide => Dialect::StatusPatch,
        Dialect::StatusPatch => Dialect::Guide,
    }
}

/// The request for a change of one ticket.
#[derive(Debug, PartialEq)]
pub(super) struct WireChange {
    pub method: Method,
    /// Follows the ticket's own path.
    pub subpath: Option<&'static str>,
    pub body: Value,
}

pub(super) fn reallocate(dialect: Dialect, reason: &str, metadata: &Metadata) -> WireChange {
    match dialect {
        Dialect::Guide => WireChange {
            method: Method::POST,
            subpath: Some(reallocation_subpath(dialect)),
            body: json!({"reason": reason, "metadata": metadata}),
        },
        // This dialect has no reallocation: a status update to PENDING has the same effect, but cannot carry metadata.
        Dialect::StatusPatch => WireChange {
            method: Method::PATCH,
            subpath: Some(reallocation_subpath(dialect)),
            body: json!({"status": TicketStatus::Pending.as_str(), "error_message": reason}),
        },
    }
}

pub(super) fn update_status(
    dialect: Dialect,
    status: TicketStatus,
    result: Option<&Value>,
    metadata: &Metadata,
) -> WireChange {
    let mut body = Map::new();
    body.insert("status".to_owned(), status.as_str().into());
    match dialect {
        Dialect::Guide => {
            if let Some(result) = result {
                body.insert("result".to_owned(), result.clone());
            }
            body.insert("metadata".to_owned(), metadata.clone().into());
            WireChange { method: Method::PATCH, subpath: None, body: body.into() }
        }
        Dialect::StatusPatch => {
            if let Some(Value::String(message)) = field(result, &["error_message", "error"]) {
                body.insert("error_message".to_owned(), message.as_str().into());
            }
            if let Some(duration) = field(result, &["actual_duration_ms"]).and_then(Value::as_u64) {
                body.insert("actual_duration_ms".to_owned(), duration.into());
            }
            WireChange { method: Method::PATCH, subpath: Some("status"), body: body.into() }
        }
    }
}

/// The metadata of a reallocation: the caller's, completed with what every reallocation has.
///
/// Keeps the caller's `reallocation_timestamp` if there is one, so that a repeated attempt can send the same body.
pub(super) fn reallocation_metadata(given: &Metadata, reason: &str, key: Option<&str>) -> Metadata {
    let mut metadata = given.clone();
    metadata.insert("reallocation_source".to_owned(), SOURCE.into());
    metadata.insert("reallocation_reason".to_owned(), reason.into());
    metadata.entry("reallocation_timestamp").or_insert_with(|| jiff::Timestamp::now().to_string().into());
    if let Some(key) = key {
        metadata.entry("reallocation_id").or_insert_with(|| key.into());
    }
    metadata
}

pub(super) fn status_update_metadata(given: &Metadata) -> Metadata {
    let mut metadata = given.clone();
    metadata.insert("updated_by".to_owned(), SOURCE.into());
    metadata
}

fn field<'a>(result: Option<&'a Value>, names: &[&str]) -> Option<&'a Value> {
    names.iter().find_map(|name| result?.get(name))
}

/// A list of tickets on the wire: a bare array, or a page object.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum WireList {
    Bare(Vec<Ticket>),
    Page {
        tickets: Vec<Ticket>,
        #[serde(default)]
        total: Option<u64>,
        #[serde(default)]
        offset: Option<u64>,
        #[serde(default)]
        limit: Option<u64>,
    },
}

impl From<WireList> for TicketList {
    fn from(list: WireList) -> Self {
        match list {
            WireList::Bare(tickets) => Self { tickets, total: None, offset: None, limit: None },
            WireList::Page { tickets, total, offset, limit } => Self { tickets, total, offset, limit },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_patch_update_carries_only_the_fields_of_its_dialect() {
        let result = json!({"error_message": "worker gone", "actual_duration_ms": 1200, "more": 1});
        let change = update_status(Dialect::StatusPatch, TicketStatus::Failed, Some(&result), &Metadata::new());
        assert_eq!(change.subpath, Some("status"));
        assert_eq!(
            change.body,
            json!({"status": "FAILED", "error_message": "worker gone", "actual_duration_ms": 1200})
        );
    }

    #[test]
    fn a_guide_update_omits_a_result_that_was_not_given() {
        let change = update_status(Dialect::Guide, TicketStatus::Pending, None, &Metadata::new());
        assert_eq!(change.body, json!({"status": "PENDING", "metadata": {}}));
    }
}
