//! `update_ticket_status`: writes a ticket's status, with a result where there is one.

use std::str::FromStr;
use std::sync::Arc;

use async_trait::async_trait;
use clients::port::{Manual, context, ended};
use clients::tickets::{self, Metadata, Ticket, TicketStatus};
use clients::{Effect, Error};
use runtime::action::{Action, Call, Performed, Target, log};
use runtime::port::{Clock, PolicyResource};
use runtime::{ActionSpec, AttemptResult, Map, OutputType, Safety};
use serde::Deserialize;
use serde_json::{Value, json};

pub const NAME: &str = "update_ticket_status";

/// The action's description.
pub fn spec() -> ActionSpec {
    ActionSpec {
        name: NAME,
        description: "Writes a ticket's status.",
        parameters: json!({
            "type": "object",
            "additionalProperties": false,
            "properties": {
                "ticket_id": {"type": "string", "minLength": 1, "description": "The ticket."},
                "status": {
                    "type": "string",
                    "minLength": 1,
                    "description": "PENDING, RUNNING, COMPLETED, FAILED, COMPENSATING or COMPENSATED, in any case.",
                },
                "result": {"type": "object", "description": "What the ticket's work gave."},
                "error_message": {"type": "string", "minLength": 1, "description": "Why the ticket's work failed."},
                "metadata": {
                    "type": "object",
                    "description": "Further facts for the ticket's record; the engine's own go before them.",
                },
            },
            "required": ["ticket_id", "status"],
        }),
        outputs: &[("status", OutputType::String)],
        safety: Safety::Idempotent,
        inherits: &[],
        default_timeout_seconds: 60,
        critical: true,
    }
}

/// The action over the ticket service.
#[expect(missing_debug_implementations, reason = "a client and a clock: there is nothing to print")]
pub struct UpdateTicketStatus {
    tickets: Arc<tickets::Client>,
    clock: Arc<dyn Clock>,
    spec: ActionSpec,
}

#[derive(Deserialize)]
struct Parameters {
    ticket_id: String,
    status: String,
    result: Option<Map>,
    error_message: Option<String>,
    #[serde(default)]
    metadata: Map,
}

impl UpdateTicketStatus {
    /// `clock` is the one that the attempts' deadlines are set by.
    pub fn new(tickets: Arc<tickets::Client>, clock: Arc<dyn Clock>) -> Self {
        Self { tickets, clock, spec: spec() }
    }

    async fn update(&self, call: &Call) -> Result<AttemptResult, Performed> {
        let parameters: Parameters = call.typed().map_err(Performed::from)?;
        let ticket_id = &parameters.ticket_id;
        let status = parameters.status()?;
        let result = parameters.result();
        let metadata = metadata(call, &parameters.metadata);
        let context = context(call, &*self.clock);
        let updated = self.tickets.update_ticket_status(ticket_id, status, result.as_ref(), &metadata, &context).await;
        Ok(done(call, &updated.map_err(|error| not_updated(call, ticket_id, status, &error))?))
    }
}

impl Parameters {
    fn status(&self) -> Result<TicketStatus, Performed> {
        let unknown = |error| AttemptResult::failed("bad_parameters", format!("status: {error}"));
        self.status.parse().map_err(|error: <TicketStatus as FromStr>::Err| untouched(&self.ticket_id, unknown(error)))
    }

    /// The error's text is part of the result: the service has one place for both.
    fn result(&self) -> Option<Value> {
        let error = self.error_message.clone().map(|message| ("error_message".to_owned(), Value::String(message)));
        let fields: Map = self.result.clone().into_iter().flatten().chain(error).collect();
        (self.result.is_some() || !fields.is_empty()).then_some(Value::Object(fields))
    }
}

#[async_trait]
impl Action for UpdateTicketStatus {
    fn spec(&self) -> &ActionSpec {
        &self.spec
    }

    fn targets(&self, call: &Call) -> Result<Vec<Target>, AttemptResult> {
        let Parameters { ticket_id, .. } = call.typed()?;
        let resource = PolicyResource {
            ticket_id: ticket_id.clone(),
            workflow_id: call.command.context.workflow_id.clone().unwrap_or_default(),
            ..PolicyResource::default()
        };
        Ok(vec![Target { id: ticket_id, resource, cooldown: None }])
    }

    async fn perform(&self, call: &Call, _: &[Target]) -> Performed {
        self.update(call).await.map_or_else(|ended| ended, Performed::from)
    }
}

/// Who did it and why (contracts, section 1).
fn metadata(call: &Call, given: &Map) -> Metadata {
    let context = &call.command.context;
    let own = [("incident_id", Some(context.incident_id.clone())), ("workflow_id", context.workflow_id.clone())];
    let own = own.into_iter().filter_map(|(name, value)| Some((name.to_owned(), Value::String(value?))));
    given.clone().into_iter().chain(own).collect()
}

fn done(call: &Call, ticket: &Ticket) -> AttemptResult {
    let what = format!("the ticket is {}", ticket.status);
    log::done(call, "playbook_executor.ticket_status_updated", &ticket.ticket_id, &what);
    AttemptResult::succeeded([("status".to_owned(), json!(ticket.status))].into_iter().collect())
}

fn not_updated(call: &Call, ticket_id: &str, status: TicketStatus, error: &Error) -> Performed {
    let act = format!(
        "set ticket {ticket_id:?} to {status} by hand, or run the playbook again when the ticket service answers"
    );
    let look = format!("look whether ticket {ticket_id:?} is {status}; where it is not, {act}");
    let result = ended(call, ticket_id, error, &Manual { act, look });
    match error.effect() {
        Effect::NotApplied => untouched(ticket_id, result),
        Effect::Unknown => result.into(),
    }
}

fn untouched(ticket_id: &str, result: AttemptResult) -> Performed {
    Performed { result, untouched: vec![ticket_id.to_owned()] }
}
