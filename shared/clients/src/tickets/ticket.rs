//! Tickets as they are on the wire.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

/// One ticket. Fields that the engine does not know are in `other` and go through unread.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ticket {
    pub ticket_id: String,
    /// As it came; [`Ticket::known_status`] reads it.
    pub status: String,
    #[serde(default)]
    pub assigned_worker: Option<String>,
    #[serde(default)]
    pub workflow_id: Option<String>,
    #[serde(default)]
    pub plan_id: Option<String>,
    /// A number or a name, as the platform has it.
    #[serde(default)]
    pub priority: Value,
    #[serde(default)]
    pub retry_count: Option<i64>,
    /// Epoch milliseconds.
    #[serde(default)]
    pub created_at: Option<i64>,
    /// Epoch milliseconds.
    #[serde(default)]
    pub started_at: Option<i64>,
    #[serde(default)]
    pub sla: Option<Sla>,
    #[serde(default, deserialize_with = "null_as_empty")]
    pub metadata: Map<String, Value>,
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

impl Ticket {
    pub fn known_status(&self) -> Option<TicketStatus> {
        self.status.parse().ok()
    }
}

/// What was agreed on for a ticket.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sla {
    /// Milliseconds.
    #[serde(default)]
    pub timeout_ms: Option<i64>,
    /// Epoch milliseconds.
    #[serde(default)]
    pub deadline: Option<i64>,
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

fn null_as_empty<'de, D: Deserializer<'de>>(from: D) -> Result<Map<String, Value>, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or_default())
}

/// The statuses that the platform knows. Read in any case, written in upper case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TicketStatus {
    Pending,
    Running,
    Completed,
    Failed,
    Compensating,
    Compensated,
}

impl TicketStatus {
    pub const ALL: [Self; 6] =
        [Self::Pending, Self::Running, Self::Completed, Self::Failed, Self::Compensating, Self::Compensated];

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

/// The text is no status of the platform.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no ticket status, expected one of PENDING, RUNNING, COMPLETED, FAILED, COMPENSATING, COMPENSATED")]
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
    pub status: Option<TicketStatus>,
    pub assigned_worker: Option<String>,
    pub limit: Option<u32>,
    pub offset: Option<u32>,
}

/// A page of tickets. The three numbers are known only where the service sent an object.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TicketList {
    pub tickets: Vec<Ticket>,
    pub total: Option<u64>,
    pub offset: Option<u64>,
    pub limit: Option<u64>,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn fields_that_are_not_known_go_through_a_ticket() {
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
    fn statuses_are_read_in_any_case_and_no_others() {
        for status in TicketStatus::ALL {
            assert_eq!(status.as_str().to_lowercase().parse(), Ok(status));
        }
        assert_eq!("done".parse::<TicketStatus>(), Err(UnknownStatus("done".to_owned())));
    }
}
