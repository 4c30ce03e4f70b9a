//! `update_ticket_status`: writes a ticket's status.
//!
//! It always writes, also where the ticket has the status already: the record then says who wanted it so. The crate knows no claim and no
//! queue; `heal_runtime::attempt` holds those. Start at [`UpdateTicketStatus`].

mod parameters;
mod spec;

use std::sync::Arc;

use async_trait::async_trait;
use heal_clients::port::{Manual, Memo, context, ended, failed, reserve_time_for_confirmation};
use heal_clients::tickets::{self, Metadata, Ticket, TicketStatus};
use heal_clients::{CallContext, Effect, Error};
use heal_runtime::action::{Action, Call, Facts, Performed, Target, log};
use heal_runtime::port::{Clock, PolicyResource};
use heal_runtime::{ActionSpec, AttemptResult, Map};
use serde_json::Value;

use parameters::Parameters;

pub use spec::{NAME, spec};

/// The action over the ticket service.
#[expect(missing_debug_implementations, reason = "a client and a clock: there is nothing to print")]
pub struct UpdateTicketStatus {
    tickets: Arc<tickets::Client>,
    clock: Arc<dyn Clock>,
    spec: ActionSpec,
    seen: Memo<Seen>,
}

/// What the ticket was before.
#[derive(Debug, Clone)]
struct Seen {
    status: String,
    workflow_id: Option<String>,
}

impl UpdateTicketStatus {
    /// `clock` is the one that the attempts' deadlines are set by.
    pub fn new(tickets: Arc<tickets::Client>, clock: Arc<dyn Clock>) -> Self {
        Self { tickets, clock, spec: spec(), seen: Memo::default() }
    }

    async fn look(&self, ticket_id: &str, context: &CallContext) -> Result<Seen, Error> {
        let Ticket { status, workflow_id, .. } = self.tickets.get_ticket(ticket_id, context).await?;
        Ok(Seen { status, workflow_id })
    }

    async fn update(&self, call: &Call, parameters: &Parameters, status: TicketStatus) -> Result<AttemptResult, Error> {
        let ticket_id = &parameters.ticket_id;
        let context = context(call, &*self.clock);
        let seen = match self.seen.take(call, ticket_id) {
            Some(seen) => seen,
            None => self.look(ticket_id, &context).await?,
        };
        let metadata = metadata(call, parameters, &seen);
        let result = parameters.result();
        let changing = reserve_time_for_confirmation(&context);
        let answer = self.tickets.update_ticket_status(ticket_id, status, result.as_ref(), &metadata, &changing).await;
        let (now, warning) = match answer {
            Ok(ticket) => (ticket.status, None),
            // The ticket itself may tell where the answer does not.
            Err(error) if error.effect() == Effect::Unknown => match self.look(ticket_id, &context).await {
                Ok(after) if after.status.parse() == Ok(status) => {
                    let warning =
                        format!("the answer for ticket {ticket_id:?} was lost; the ticket itself has the status now");
                    (after.status, Some(warning))
                }
                Ok(_) | Err(_) => return Err(error),
            },
            Err(error) => return Err(error),
        };
        let what = format!("ticket {ticket_id:?} went from {} to {now}", seen.status);
        log::done(call, "playbook_executor.ticket_status_updated", ticket_id, &what);
        let result = AttemptResult::succeeded(output(now, seen.status));
        Ok(warning.into_iter().fold(result, AttemptResult::warn))
    }
}

#[async_trait]
impl Action for UpdateTicketStatus {
    fn spec(&self) -> &ActionSpec {
        &self.spec
    }

    fn targets(&self, call: &Call) -> Result<Vec<Target>, AttemptResult> {
        let parameters: Parameters = call.typed()?;
        status(call, &parameters)?;
        let resource = PolicyResource {
            ticket_id: parameters.ticket_id.clone(),
            workflow_id: call.command.context.workflow_id.clone().unwrap_or_default(),
            ..PolicyResource::default()
        };
        Ok(vec![Target { id: parameters.ticket_id, resource, cooldown: None }])
    }

    /// Whether the ticket exists, and its status before the change.
    async fn facts(&self, call: &Call, target: &Target) -> Result<Facts, AttemptResult> {
        let parameters: Parameters = call.typed()?;
        let seen = self.look(&target.id, &context(call, &*self.clock)).await;
        let seen = seen.map_err(|error| ended(call, &target.id, &error, &unread(&parameters)))?;
        self.seen.put(call, &target.id, seen);
        Ok(Facts::default())
    }

    async fn perform(&self, call: &Call, _: &[Target]) -> Performed {
        let parameters: Parameters = match call.typed() {
            Ok(parameters) => parameters,
            Err(result) => return result.into(),
        };
        let status = match status(call, &parameters) {
            Ok(status) => status,
            Err(result) => return result.into(),
        };
        let result = self.update(call, &parameters, status).await;
        result.unwrap_or_else(|error| ended(call, &parameters.ticket_id, &error, &manual(&parameters))).into()
    }
}

fn status(call: &Call, parameters: &Parameters) -> Result<TicketStatus, AttemptResult> {
    let Parameters { ticket_id, status, .. } = parameters;
    status.parse().map_err(|error| failed(call, ticket_id, "bad_parameters", format!("parameters/status: {error}")))
}

/// Everything that the platform wants to know of a status update (contracts, section 1).
fn metadata(call: &Call, parameters: &Parameters, seen: &Seen) -> Metadata {
    let context = &call.command.context;
    let workflow_id = seen.workflow_id.as_ref().or(context.workflow_id.as_ref());
    let mut metadata = parameters.metadata.clone();
    let own: [(&str, Value); 3] = [
        ("updated_by", tickets::SOURCE.into()),
        ("workflow_id", workflow_id.cloned().into()),
        ("incident_id", context.incident_id.clone().into()),
    ];
    metadata.extend(own.map(|(name, value)| (name.to_owned(), value)));
    metadata
}

fn output(status: String, previous_status: String) -> Map {
    [("status".to_owned(), status.into()), ("previous_status".to_owned(), previous_status.into())].into_iter().collect()
}

fn by_hand(parameters: &Parameters) -> String {
    let status = parameters.status.trim().to_ascii_uppercase();
    format!(
        "set the status of ticket {:?} to {status} by hand, or run the playbook again when the ticket service answers",
        parameters.ticket_id
    )
}

/// Nothing was done where the ticket could not be read.
fn unread(parameters: &Parameters) -> Manual {
    Manual { act: by_hand(parameters), look: by_hand(parameters) }
}

fn manual(parameters: &Parameters) -> Manual {
    let act = by_hand(parameters);
    let look = format!("look at the status of ticket {:?}; where it is another one, {act}", parameters.ticket_id);
    Manual { act, look }
}
