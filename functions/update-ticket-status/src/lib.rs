//! `update_ticket_status`: writes a ticket's status.
//!
//! It always writes, also if the ticket has the status already: the record then says who asked for it. The crate knows no claim and no
//! queue; `heal_runtime::attempt` holds those. Start at [`UpdateTicketStatus`].

mod parameters;
mod spec;

use std::sync::Arc;

use async_trait::async_trait;
use heal_clients::port::{Manual, call_failed, context, reserve_time_for_confirmation};
use heal_clients::tickets::{self, Metadata, Ticket};
use heal_clients::{CallContext, Effect, Error};
use heal_runtime::action::{Action, Admitted, Call, CallMetric, Facts, Performed, Target, log};
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
}

/// The ticket before the change.
#[derive(Debug, Clone)]
pub struct TicketFacts {
    status: String,
    workflow_id: Option<String>,
}

impl UpdateTicketStatus {
    /// `clock` is the one that the attempts' deadlines are set by.
    pub fn new(tickets: Arc<tickets::Client>, clock: Arc<dyn Clock>) -> Self {
        Self { tickets, clock, spec: spec() }
    }

    async fn read(&self, ticket_id: &str, context: &CallContext) -> Result<TicketFacts, Error> {
        let Ticket { status, workflow_id, .. } = self.tickets.get_ticket(ticket_id, context).await?;
        Ok(TicketFacts { status, workflow_id })
    }

    async fn update(&self, call: &Call, parameters: &Parameters, before: &TicketFacts) -> Result<AttemptResult, Error> {
        let Parameters { ticket_id, status, .. } = parameters;
        let context = context(call, &*self.clock);
        let metadata = metadata(call, parameters, before);
        let result = parameters.result();
        let changing = reserve_time_for_confirmation(&context);
        let answer = self.tickets.update_ticket_status(ticket_id, *status, result.as_ref(), &metadata, &changing).await;
        let (now, warning) = match answer {
            Ok(ticket) => (ticket.status, None),
            // Where the answer is lost, the ticket itself may show the change.
            Err(error) if error.effect() == Effect::Unknown => match self.read(ticket_id, &context).await {
                Ok(after) if after.status.parse() == Ok(*status) => {
                    let warning =
                        format!("the answer for ticket {ticket_id:?} was lost; the ticket itself has the status now");
                    (after.status, Some(warning))
                }
                Ok(_) | Err(_) => return Err(error),
            },
            Err(error) => return Err(error),
        };
        let what = format!("ticket {ticket_id:?} went from {} to {now}", before.status);
        log::done(call, "playbook_executor.ticket_status_updated", ticket_id, &what);
        let result = AttemptResult::succeeded(output(&now, &before.status));
        Ok(warning.into_iter().fold(result, AttemptResult::warn))
    }
}

#[async_trait]
impl Action for UpdateTicketStatus {
    type Parameters = Parameters;
    type Facts = TicketFacts;

    fn spec(&self) -> &ActionSpec {
        &self.spec
    }

    fn targets(&self, call: &Call, parameters: &Parameters) -> Result<Vec<Target>, AttemptResult> {
        let resource = PolicyResource {
            ticket_id: parameters.ticket_id.clone(),
            workflow_id: call.command.context.workflow_id.clone().unwrap_or_default(),
            ..PolicyResource::default()
        };
        Ok(vec![Target::new(&parameters.ticket_id, resource)])
    }

    /// Whether the ticket exists, and its status before the change.
    async fn facts(
        &self,
        call: &Call,
        parameters: &Parameters,
        target: &Target,
    ) -> Result<Facts<TicketFacts>, AttemptResult> {
        let read = self.read(&target.id, &context(call, &*self.clock)).await;
        // Nothing was done, whatever became of the reading.
        let manual = || Manual::either_way(by_hand(parameters));
        read.map(Facts::from).map_err(|error| call_failed(call, &target.id, &error, &manual()))
    }

    async fn perform(&self, call: &Call, parameters: &Parameters, targets: &[Admitted<TicketFacts>]) -> Performed {
        let [Admitted { target, facts }] = targets else {
            return AttemptResult::no_op("there is no ticket to update", Map::new()).into();
        };
        let result = self.update(call, parameters, facts).await;
        result.unwrap_or_else(|error| call_failed(call, &target.id, &error, &manual(parameters))).into()
    }

    fn call_metric(&self, parameters: &Parameters, _: &Target) -> Option<CallMetric> {
        Some(CallMetric::TicketStatusUpdate { new_status: parameters.status.as_str().to_owned() })
    }
}

/// What the platform wants in the record of a status update (contracts, section 1).
fn metadata(call: &Call, parameters: &Parameters, before: &TicketFacts) -> Metadata {
    let context = &call.command.context;
    let workflow_id = before.workflow_id.as_ref().or(context.workflow_id.as_ref());
    let mut metadata = parameters.metadata.clone();
    let own: [(&str, Value); 3] = [
        ("updated_by", tickets::SOURCE.into()),
        ("workflow_id", workflow_id.cloned().into()),
        ("incident_id", context.incident_id.clone().into()),
    ];
    metadata.extend(own.map(|(name, value)| (name.to_owned(), value)));
    metadata
}

fn output(status: &str, previous_status: &str) -> Map {
    [("status".to_owned(), status.into()), ("previous_status".to_owned(), previous_status.into())].into_iter().collect()
}

fn by_hand(Parameters { ticket_id, status, .. }: &Parameters) -> String {
    format!(
        "set the status of ticket {ticket_id:?} to {status} by hand, or run the playbook again when the ticket service answers"
    )
}

fn manual(parameters: &Parameters) -> Manual {
    let act = by_hand(parameters);
    let check = format!("check the status of ticket {:?}; if it is another one, {act}", parameters.ticket_id);
    Manual { act, check }
}
