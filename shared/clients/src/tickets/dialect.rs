//! The two dialects: which request a change is, and what a list looks like.

use reqwest::Method;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::metadata::Metadata;
use super::ticket::{Ticket, TicketList, TicketStatus};
use crate::config::Dialect;

/// A change of one ticket: the method, the path after the ticket's own, and the body.
#[derive(Debug, PartialEq)]
pub(super) struct Change {
    pub method: Method,
    pub under: Option<&'static str>,
    pub body: Value,
}

pub(super) fn reallocate(dialect: Dialect, reason: &str, metadata: &Metadata) -> Change {
    match dialect {
        Dialect::Guide => Change {
            method: Method::POST,
            under: Some("reallocate"),
            body: json!({"reason": reason, "metadata": metadata}),
        },
        // No reallocation there: a status update to PENDING, which has no place for metadata.
        Dialect::StatusPatch => Change {
            method: Method::PATCH,
            under: Some("status"),
            body: json!({"status": TicketStatus::Pending.as_str(), "error_message": reason}),
        },
    }
}

pub(super) fn update_status(
    dialect: Dialect,
    status: TicketStatus,
    result: Option<&Value>,
    metadata: &Metadata,
) -> Change {
    let mut body = Map::new();
    body.insert("status".to_owned(), status.as_str().into());
    match dialect {
        Dialect::Guide => {
            if let Some(result) = result {
                body.insert("result".to_owned(), result.clone());
            }
            body.insert("metadata".to_owned(), metadata.clone().into());
            Change { method: Method::PATCH, under: None, body: body.into() }
        }
        Dialect::StatusPatch => {
            if let Some(Value::String(message)) = field(result, &["error_message", "error"]) {
                body.insert("error_message".to_owned(), message.as_str().into());
            }
            if let Some(duration) = field(result, &["actual_duration_ms"]).and_then(Value::as_u64) {
                body.insert("actual_duration_ms".to_owned(), duration.into());
            }
            Change { method: Method::PATCH, under: Some("status"), body: body.into() }
        }
    }
}

fn field<'a>(result: Option<&'a Value>, names: &[&str]) -> Option<&'a Value> {
    names.iter().find_map(|name| result?.get(name))
}

/// A list as the service sends it.
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
    fn a_status_update_of_the_deployed_service_keeps_what_it_has_a_place_for() {
        let result = json!({"error_message": "worker gone", "actual_duration_ms": 1200, "more": 1});
        let change = update_status(Dialect::StatusPatch, TicketStatus::Failed, Some(&result), &Metadata::new());
        assert_eq!(change.under, Some("status"));
        assert_eq!(
            change.body,
            json!({"status": "FAILED", "error_message": "worker gone", "actual_duration_ms": 1200})
        );
    }

    #[test]
    fn a_guide_update_leaves_out_a_result_that_was_not_given() {
        let change = update_status(Dialect::Guide, TicketStatus::Pending, None, &Metadata::new());
        assert_eq!(change.body, json!({"status": "PENDING", "metadata": {}}));
    }
}
