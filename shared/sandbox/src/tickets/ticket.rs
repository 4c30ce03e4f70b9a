//! A ticket: its known fields, and the fields that every client must preserve unread.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::wire::now_ms;

/// A ticket's status on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
#[expect(missing_docs, reason = "the platform's own names")]
pub enum TicketStatus {
    Pending,
    Running,
    Completed,
    Failed,
    Compensating,
    Compensated,
}

/// The service level agreement of a ticket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sla {
    /// The time that the ticket may take, in milliseconds.
    pub timeout_ms: i64,
    /// The deadline, in epoch milliseconds.
    #[serde(default)]
    pub deadline: Option<i64>,
}

/// One ticket. In JSON the fields of `carried` are beside the others.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Map<String, Value>")]
pub struct Ticket {
    /// The unique id.
    pub ticket_id: String,
    /// The current status.
    pub status: TicketStatus,
    /// The worker that has the ticket.
    pub assigned_worker: Option<String>,
    /// The workflow of the ticket.
    pub workflow_id: String,
    /// The plan of the ticket.
    pub plan_id: String,
    /// A text or a number.
    pub priority: Value,
    /// The number of retried executions.
    pub retry_count: u32,
    /// Creation, in epoch milliseconds.
    pub created_at: i64,
    /// Start of the execution, in epoch milliseconds.
    pub started_at: Option<i64>,
    /// The service level agreement.
    pub sla: Option<Sla>,
    /// Metadata that callers wrote.
    pub metadata: Map<String, Value>,
    /// Every other field.
    #[serde(flatten)]
    pub carried: Map<String, Value>,
}

/// The known fields as a seed gives them: all but id and status can be left out.
#[derive(Deserialize)]
struct Known {
    ticket_id: String,
    status: TicketStatus,
    assigned_worker: Option<String>,
    workflow_id: Option<String>,
    plan_id: Option<String>,
    priority: Option<Value>,
    retry_count: Option<u32>,
    created_at: Option<i64>,
    started_at: Option<i64>,
    sla: Option<Sla>,
    metadata: Option<Map<String, Value>>,
}

const KNOWN: [&str; 11] = [
    "ticket_id",
    "status",
    "assigned_worker",
    "workflow_id",
    "plan_id",
    "priority",
    "retry_count",
    "created_at",
    "started_at",
    "sla",
    "metadata",
];

impl TryFrom<Map<String, Value>> for Ticket {
    type Error = String;

    fn try_from(mut fields: Map<String, Value>) -> Result<Self, String> {
        let mut known = Map::new();
        for name in KNOWN {
            if let Some(value) = fields.remove(name) {
                known.insert(name.to_owned(), value);
            }
        }
        let known: Known = serde_path_to_error::deserialize(Value::Object(known)).map_err(|error| error.to_string())?;
        Ok(Self {
            ticket_id: known.ticket_id,
            status: known.status,
            assigned_worker: known.assigned_worker,
            workflow_id: known.workflow_id.unwrap_or_default(),
            plan_id: known.plan_id.unwrap_or_default(),
            priority: known.priority.unwrap_or_else(|| "NORMAL".into()),
            retry_count: known.retry_count.unwrap_or_default(),
            created_at: known.created_at.unwrap_or_else(now_ms),
            started_at: known.started_at,
            sla: known.sla,
            metadata: known.metadata.unwrap_or_default(),
            carried: fields,
        })
    }
}

impl Ticket {
    /// A ticket created now, without a worker, a workflow or a plan.
    pub fn new(ticket_id: &str, status: TicketStatus) -> Self {
        Self {
            ticket_id: ticket_id.to_owned(),
            status,
            assigned_worker: None,
            workflow_id: String::new(),
            plan_id: String::new(),
            priority: "NORMAL".into(),
            retry_count: 0,
            created_at: now_ms(),
            started_at: None,
            sla: None,
            metadata: Map::new(),
            carried: Map::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn unknown_fields_are_carried_through() {
        let json = json!({"ticket_id": "a", "status": "PENDING", "task_type": "BUILD", "deep": {"x": [1]}});
        let ticket: Ticket = serde_json::from_value(json).unwrap();
        assert_eq!(ticket.carried["deep"], json!({"x": [1]}));
        let back = serde_json::to_value(&ticket).unwrap();
        assert_eq!(back["task_type"], "BUILD");
        assert_eq!(back["assigned_worker"], Value::Null);
        assert_eq!(serde_json::from_value::<Ticket>(back).unwrap(), ticket);
    }
}
