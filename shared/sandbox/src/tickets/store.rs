//! The tickets, the changes to them, and the responses that are replayed by idempotency key.

use std::collections::BTreeMap;
use std::sync::Mutex;

use http::StatusCode;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::call::TicketChange;
use super::{Refusal, Sla, Ticket, TicketStatus};
use crate::journal::Entry;
use crate::state::{Replay, lock};
use crate::wire::{now_ms, read_json};

/// The SLA of a compensation ticket, in milliseconds.
const COMPENSATION_TIMEOUT_MS: i64 = 120_000;

/// The state of the service.
#[derive(Debug, Default)]
pub(crate) struct Store {
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    tickets: BTreeMap<String, Ticket>,
    answered: Replay<Value>,
    compensations: u64,
}

#[derive(Deserialize)]
struct Reallocation {
    reason: String,
    #[serde(default)]
    metadata: Map<String, Value>,
}

#[derive(Deserialize)]
struct Update {
    status: TicketStatus,
    result: Option<Value>,
    #[serde(default)]
    metadata: Map<String, Value>,
}

#[derive(Deserialize)]
struct StatusUpdate {
    status: TicketStatus,
    error_message: Option<String>,
    actual_duration_ms: Option<i64>,
}

#[derive(Deserialize)]
struct Compensation {
    original_ticket_id: String,
    reason: String,
    #[serde(rename = "compensation_action")]
    action: String,
    #[serde(default)]
    parameters: Map<String, Value>,
}

impl Store {
    /// Replaces every ticket and drops the stored responses.
    pub(crate) fn seed(&self, tickets: Vec<Ticket>) {
        let tickets = tickets.into_iter().map(|ticket| (ticket.ticket_id.clone(), ticket)).collect();
        *lock(&self.held) = Held { tickets, ..Held::default() };
    }

    /// All tickets, ordered by id.
    pub(crate) fn tickets(&self) -> Vec<Ticket> {
        lock(&self.held).tickets.values().cloned().collect()
    }

    pub(super) fn get(&self, ticket_id: &str) -> Result<Value, Refusal> {
        let held = lock(&self.held);
        let known = held.tickets.values().find(|ticket| ticket.is_named(ticket_id));
        known.map(|ticket| json!(ticket)).ok_or_else(missing)
    }

    /// Performs `change`, or replays the response that the same `key` got on the same `path`.
    pub(super) fn change(
        &self,
        change: &TicketChange,
        path: &str,
        key: Option<&str>,
        body: &[u8],
        entry: &Entry,
    ) -> Result<Value, Refusal> {
        let mut held = lock(&self.held);
        if let Some(answer) = held.answered.find(path, key) {
            entry.replayed();
            return Ok(answer);
        }
        let answer = match change {
            TicketChange::Reallocate { ticket_id } => {
                let wanted: Reallocation = read(body)?;
                json!(held.ticket(ticket_id)?.reallocate(wanted))
            }
            TicketChange::Update { ticket_id } => {
                let wanted: Update = read(body)?;
                json!(held.ticket(ticket_id)?.update(wanted))
            }
            TicketChange::UpdateStatus { ticket_id } => {
                let wanted: StatusUpdate = read(body)?;
                json!(held.ticket(ticket_id)?.update_status(wanted))
            }
            TicketChange::Compensate => held.compensate(read(body)?)?,
        };
        entry.effect();
        held.answered.keep(path, key, answer.clone());
        Ok(answer)
    }
}

impl Held {
    fn ticket(&mut self, ticket_id: &str) -> Result<&mut Ticket, Refusal> {
        self.tickets.values_mut().find(|ticket| ticket.is_named(ticket_id)).ok_or_else(missing)
    }

    fn compensate(&mut self, wanted: Compensation) -> Result<Value, Refusal> {
        let original = self.ticket(&wanted.original_ticket_id)?;
        if !matches!(original.status, TicketStatus::Failed | TicketStatus::Running) {
            let detail = format!("ticket must be FAILED or RUNNING, is {}", json!(original.status));
            return Err(Refusal { status: StatusCode::BAD_REQUEST, detail: detail.into() });
        }
        original.status = TicketStatus::Compensating;
        let (workflow_id, plan_id) = (original.workflow_id.clone(), original.plan_id.clone());
        self.compensations += 1;
        let ticket_id = format!("compensation-{}", self.compensations);
        let mut ticket = Ticket {
            workflow_id,
            plan_id,
            sla: Some(Sla { timeout_ms: COMPENSATION_TIMEOUT_MS, deadline: None }),
            ..Ticket::new(&ticket_id, TicketStatus::Pending)
        };
        ticket.metadata.insert("compensation_reason".to_owned(), wanted.reason.clone().into());
        ticket.carried.insert("parameters".to_owned(), wanted.parameters.into());
        self.tickets.insert(ticket_id.clone(), ticket);
        Ok(json!({
            "ticket_id": ticket_id,
            "original_ticket_id": wanted.original_ticket_id,
            "status": "PENDING",
            "action": wanted.action,
            "reason": wanted.reason,
        }))
    }
}

impl Ticket {
    /// In any letter case, as with ids that are UUIDs.
    fn is_named(&self, ticket_id: &str) -> bool {
        self.ticket_id.eq_ignore_ascii_case(ticket_id)
    }

    fn reallocate(&mut self, wanted: Reallocation) -> &Self {
        self.status = TicketStatus::Pending;
        self.assigned_worker = None;
        self.carried.insert("reason".to_owned(), wanted.reason.into());
        self.metadata.extend(wanted.metadata);
        self.touched()
    }

    fn update(&mut self, wanted: Update) -> &Self {
        self.status = wanted.status;
        if let Some(result) = wanted.result {
            self.carried.insert("result".to_owned(), result);
        }
        self.metadata.extend(wanted.metadata);
        self.touched()
    }

    fn update_status(&mut self, wanted: StatusUpdate) -> &Self {
        self.status = wanted.status;
        // In this dialect a reallocation is a change to PENDING, which takes the ticket from its worker.
        if wanted.status == TicketStatus::Pending {
            self.assigned_worker = None;
        }
        if let Some(message) = wanted.error_message {
            self.carried.insert("error_message".to_owned(), message.into());
        }
        if let Some(duration) = wanted.actual_duration_ms {
            self.carried.insert("actual_duration_ms".to_owned(), duration.into());
        }
        self.touched()
    }

    fn touched(&mut self) -> &Self {
        self.carried.insert("updated_at".to_owned(), now_ms().into());
        self
    }
}

fn missing() -> Refusal {
    Refusal::not_found("Ticket not found")
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refusal> {
    read_json(body).map_err(|wrong| Refusal::unprocessable(["body", &wrong.path], &wrong.reason))
}
