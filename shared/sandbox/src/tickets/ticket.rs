//! A ticket, with the fields that the engine knows and those that it must carry through unread.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::clock::now_ms;

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

/// How long a ticket may take.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sla {
    /// Milliseconds.
    pub timeout_ms: i64,
    /// Epoch milliseconds.
    #[serde(default)]
    pub deadline: Option<i64>,
}

/// One ticket. In JSON the fields of `carried` stand beside the others.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Map<String, Value>")]
pub struct Ticket {
    /// Unique.
    pub ticket_id: String,
    /// Where it stands.
    pub status: TicketStatus,
    /// Who works on it.
    pub assigned_worker: Option<String>,
    /// The workflow that it belongs to.
    pub workflow_id: String,
    /// The plan that it belongs to.
    pub plan_id: String,
    /// Text or number.
    pub priority: Value,
    /// Executions tried again.
    pub retry_count: u32,
    /// Epoch milliseconds.
    pub created_at: i64,
    /// Epoch milliseconds.
    pub started_at: Option<i64>,
    /// How long it may take.
    pub sla: Option<Sla>,
    /// What callers wrote to it.
    pub metadata: Map<String, Value>,
    /// Every other field.
    #[serde(flatten)]
    pub carried: Map<String, Value>,
}

/// The fields that are known, as a seed may give them.
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
    /// A ticket created now, without worker, workflow or plan.
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
