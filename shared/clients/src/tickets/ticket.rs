//! The ticket, its statuses and lists, as on the wire.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

/// One ticket. `other` keeps the fields that the engine does not know.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ticket {
    /// The ticket's id.
    pub ticket_id: String,
    /// The status as the service sent it; [`Ticket::known_status`] parses it.
    pub status: String,
    /// The worker that executes it, if any.
    #[serde(default)]
    pub assigned_worker: Option<String>,
    /// The workflow that it belongs to.
    #[serde(default)]
    pub workflow_id: Option<String>,
    /// The plan that it belongs to.
    #[serde(default)]
    pub plan_id: Option<String>,
    /// A number or a name; the service defines which.
    #[serde(default)]
    pub priority: Value,
    /// How often the platform has retried it.
    #[serde(default)]
    pub retry_count: Option<i64>,
    /// Epoch milliseconds.
    #[serde(default)]
    pub created_at: Option<i64>,
    /// Epoch milliseconds.
    #[serde(default)]
    pub started_at: Option<i64>,
    /// The agreed times, if any.
    #[serde(default)]
    pub sla: Option<Sla>,
    /// Further facts; `null` reads as empty.
    #[serde(default, deserialize_with = "null_as_empty")]
    pub metadata: Map<String, Value>,
    /// Fields that the engine does not know, unchanged.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

impl Ticket {
    /// The status, if it is one that this build knows.
    pub fn known_status(&self) -> Option<TicketStatus> {
        self.status.parse().ok()
    }

    /// Whether its status is terminal; false for a status that this build does not know.
    pub fn is_terminal(&self) -> bool {
        self.known_status().is_some_and(TicketStatus::is_terminal)
    }

    /// The id of the last reallocation in its record, if the service keeps one.
    pub fn reallocation_id(&self) -> Option<&str> {
        self.metadata.get("reallocation_id").and_then(Value::as_str)
    }

    /// When it was last changed or started, by the service's clock in epoch milliseconds; `None` if the ticket does not say.
    ///
    /// A start alone says it of a running ticket only: the others were changed afterwards.
    pub fn last_change_ms(&self) -> Option<u64> {
        let started = self.started_at.and_then(|at| u64::try_from(at).ok()).filter(|at| *at > 0);
        match self.updated_at().and_then(epoch_ms) {
            Some(updated) => Some(started.map_or(updated, |started| started.max(updated))),
            None => started.filter(|_| self.known_status() == Some(TicketStatus::Running)),
        }
    }

    /// The service's own mark of its last change, if it has one.
    pub(super) fn updated_at(&self) -> Option<&Value> {
        self.other.get("updated_at").filter(|value| !value.is_null())
    }

    /// Status and worker, for people.
    pub(super) fn describe(&self) -> String {
        match &self.assigned_worker {
            Some(worker) => format!("{} on {worker:?}", self.status),
            None => format!("{} without a worker", self.status),
        }
    }
}

/// A time on the wire: epoch milliseconds, or RFC 3339. Without an offset it is UTC.
fn epoch_ms(time: &Value) -> Option<u64> {
    let text = match time {
        Value::Number(number) => return number.as_u64(),
        Value::String(text) => text,
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => return None,
    };
    let utc =
        || text.parse::<jiff::civil::DateTime>()?.to_zoned(jiff::tz::TimeZone::UTC).map(|zoned| zoned.timestamp());
    let at = text.parse::<jiff::Timestamp>().or_else(|_| utc()).ok()?;
    u64::try_from(at.as_millisecond()).ok()
}

/// The agreed times of a ticket.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sla {
    /// How long its execution may take, in milliseconds.
    #[serde(default)]
    pub timeout_ms: Option<i64>,
    /// Epoch milliseconds.
    #[serde(default)]
    pub deadline: Option<i64>,
    /// Fields that the engine does not know, unchanged.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

fn null_as_empty<'de, D: Deserializer<'de>>(from: D) -> Result<Map<String, Value>, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or_default())
}

/// The platform's ticket statuses. Parsed in any letter case, written in upper case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TicketStatus {
    /// Waits for a worker.
    Pending,
    /// A worker executes it.
    Running,
    /// Ended with success.
    Completed,
    /// Ended with failure.
    Failed,
    /// Its effects are being undone.
    Compensating,
    /// Its effects are undone.
    Compensated,
}

impl TicketStatus {
    /// Every status.
    pub const ALL: [Self; 6] =
        [Self::Pending, Self::Running, Self::Completed, Self::Failed, Self::Compensating, Self::Compensated];

    /// Whether the ticket's work is done, or is being or has been undone: to reopen it would repeat or contradict that.
    pub fn is_terminal(self) -> bool {
        match self {
            Self::Completed | Self::Compensating | Self::Compensated => true,
            Self::Pending | Self::Running | Self::Failed => false,
        }
    }

    /// The wire value.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Running => "RUNNING",
            Self::Completed => "COMPLETED",
            Self::Failed => "FAILED",
            Self::Compensating => "COMPENSATING",
            Self::Compensated => "COMPENSATED",
        }
    }
}

impl fmt::Display for TicketStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A text that does not name a ticket status.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a ticket status; expected one of PENDING, RUNNING, COMPLETED, FAILED, COMPENSATING, COMPENSATED")]
pub struct UnknownStatus(pub String);

impl FromStr for TicketStatus {
    type Err = UnknownStatus;

    fn from_str(text: &str) -> Result<Self, UnknownStatus> {
        Self::ALL
            .into_iter()
            .find(|status| status.as_str().eq_ignore_ascii_case(text.trim()))
            .ok_or_else(|| UnknownStatus(text.to_owned()))
    }
}

/// Which tickets to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Only tickets in this status.
    pub status: Option<TicketStatus>,
    /// Only tickets of this worker.
    pub assigned_worker: Option<String>,
    /// Most tickets in the page; the service's default if `None`.
    pub limit: Option<u32>,
    /// How many tickets to skip before the page.
    pub offset: Option<u32>,
}

/// A page of tickets. The three numbers are `None` if the service sent a bare array.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TicketList {
    /// The tickets of this page.
    pub tickets: Vec<Ticket>,
    /// How many tickets match, over all pages.
    pub total: Option<u64>,
    /// How many tickets precede this page.
    pub offset: Option<u64>,
    /// Most tickets in a page.
    pub limit: Option<u64>,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn unknown_fields_survive_a_round_trip() {
        let wire = json!({
            "ticket_id": "t-1", "status": "RUNNING", "assigned_worker": null, "workflow_id": "w", "plan_id": "p",
            "priority": "HIGH", "retry_count": 2, "created_at": 1, "started_at": 2,
            "sla": {"timeout_ms": 5, "deadline": 6, "class": "gold"}, "metadata": {"a": [1]},
            "task_type": "BUILD", "nested": {"deep": [1, {"x": null}]}
        });
        let ticket: Ticket = serde_json::from_value(wire.clone()).unwrap();
        assert_eq!(ticket.known_status(), Some(TicketStatus::Running));
        assert_eq!(ticket.other["nested"]["deep"][1]["x"], Value::Null);
        assert_eq!(serde_json::to_value(&ticket).unwrap(), wire);
    }

    #[test]
    fn a_ticket_needs_no_more_than_its_id_and_status() {
        let ticket: Ticket =
            serde_json::from_value(json!({"ticket_id": "t", "status": "X", "metadata": null})).unwrap();
        assert_eq!(ticket.known_status(), None);
        assert!(ticket.metadata.is_empty());
    }

    #[test]
    fn the_last_change_is_the_later_of_the_tickets_own_times() {
        for (fields, expected) in [
            (json!({"status": "RUNNING", "started_at": 2_000}), Some(2_000)),
            (json!({"status": "FAILED", "started_at": 2_000}), None),
            (json!({"status": "FAILED", "started_at": 2_000, "updated_at": 3_000}), Some(3_000)),
            (json!({"status": "RUNNING", "started_at": 4_000, "updated_at": 3_000}), Some(4_000)),
            (json!({"status": "RUNNING", "updated_at": "1970-01-01T00:00:03"}), Some(3_000)),
            (json!({"status": "RUNNING", "updated_at": "1970-01-01T01:00:03+01:00"}), Some(3_000)),
            (json!({"status": "RUNNING", "updated_at": "recently"}), None),
            (json!({"status": "RUNNING", "started_at": 0}), None),
            (json!({"status": "PENDING"}), None),
        ] {
            let mut wire = json!({"ticket_id": "t"});
            wire.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
            let ticket: Ticket = serde_json::from_value(wire).unwrap();
            assert_eq!(ticket.last_change_ms(), expected, "{fields}");
        }
    }

    #[test]
    fn only_known_statuses_are_parsed_and_in_any_letter_case() {
        for status in TicketStatus::ALL {
            assert_eq!(status.as_str().to_lowercase().parse(), Ok(status));
        }
        assert_eq!("done".parse::<TicketStatus>(), Err(UnknownStatus("done".to_owned())));
    }
}
