//! `update_ticket_status`: writes a ticket's status.
//!
//! A ticket in a terminal status is left alone, and so is one of which the call would write nothing new. An update counts only if the answer,
//! or the ticket read after it, shows it. The crate knows no claim and no queue; `heal_runtime::attempt` holds those.
//! Start at [`UpdateTicketStatus`].

mod parameters;
mod result;
mod spec;

use std::sync::Arc;

use async_trait::async_trait;
use heal_clients::port::{Manual, call_failed, context, reserve_time_for_confirmation, ticket_marks};
use heal_clients::tickets::{self, Change, ChangeOutcome, Metadata, Ticket, TicketChange, Trace};
use heal_runtime::action::{
    Action, Admitted, Call, CallMetric, Cooldown, Facts, Performed, PolicyFacts, Probe, Target,
};
use heal_runtime::port::{Clock, PolicyResource};
use heal_runtime::{ActionSpec, AttemptResult, Map};
use serde_json::Value;

use parameters::Parameters;

pub use spec::{COOLDOWN_MS, NAME, spec};

/// The action over the ticket service.
#[expect(missing_debug_implementations, reason = "a client and a clock: there is nothing to print")]
pub struct UpdateTicketStatus {
    tickets: Arc<tickets::Client>,
    clock: Arc<dyn Clock>,
    spec: ActionSpec,
}

impl UpdateTicketStatus {
    /// `clock` is the one that the attempts' deadlines are set by.
    pub fn new(tickets: Arc<tickets::Client>, clock: Arc<dyn Clock>) -> Self {
        Self { tickets, clock, spec: spec() }
    }

    async fn update(&self, call: &Call, parameters: &Parameters, before: &Ticket) -> ChangeOutcome {
        let context = context(call, &*self.clock);
        let metadata = metadata(call, parameters, before);
        let result = parameters.result();
        let change = Change::SetStatus { status: parameters.status, result: result.as_ref() };
        let change = TicketChange { change, before, metadata: &metadata };
        self.tickets.change_ticket(&change, &reserve_time_for_confirmation(&context), &context).await
    }
}

#[async_trait]
impl Action for UpdateTicketStatus {
    type Parameters = Parameters;
    type Facts = Ticket;

    fn spec(&self) -> &ActionSpec {
        &self.spec
    }

    fn targets(&self, call: &Call, parameters: &Parameters) -> Result<Vec<Target>, AttemptResult> {
        Ok(vec![target_of(call, parameters, &parameters.ticket_id)])
    }

    /// The ticket before the change: whether it exists, and whether there is anything to write.
    async fn facts(
        &self,
        call: &Call,
        parameters: &Parameters,
        target: &Target,
    ) -> Result<Facts<Ticket>, AttemptResult> {
        let read = self.tickets.get_ticket(&target.id, &context(call, &*self.clock)).await;
        // Nothing was done, whatever became of the reading.
        let manual = || Manual::either_way(result::by_hand(parameters));
        let ticket = read.map_err(|error| call_failed(call, &target.id, &error, &manual()))?;
        if let Some(needless) = result::needless(call, parameters, &ticket, self.tickets.keeps_records()) {
            return Err(needless);
        }
        let ticket_status = Some(ticket.status.to_ascii_uppercase());
        let policy = PolicyFacts { ticket_status, ..PolicyFacts::default() };
        let answered = ticket.ticket_id.as_str();
        let answered = (answered != target.id).then(|| target_of(call, parameters, answered));
        Ok(Facts { policy, marks: ticket_marks(&ticket), answered, own: ticket })
    }

    /// The tickets of its workflow.
    fn population(&self, facts: &Ticket) -> Option<String> {
        facts.workflow_id.clone()
    }

    async fn count_population(&self, call: &Call, facts: &Ticket) -> Option<u32> {
        let workflow_id = facts.workflow_id.as_deref()?;
        self.tickets.count_tickets(workflow_id, &context(call, &*self.clock)).await.ok()
    }

    async fn perform(&self, call: &Call, parameters: &Parameters, targets: &[Admitted<Ticket>]) -> Performed {
        let [Admitted { facts: before, .. }] = targets else {
            return AttemptResult::no_op("there is no ticket to update", Map::new()).into();
        };
        result::of_change(call, parameters, before, self.update(call, parameters, before).await)
    }

    async fn describe(
        &self,
        _: &Call,
        parameters: &Parameters,
        targets: &[Admitted<Ticket>],
    ) -> Result<String, AttemptResult> {
        let Parameters { ticket_id, status, .. } = parameters;
        let before = targets.first().map(|admitted| format!(" from {}", admitted.facts.status)).unwrap_or_default();
        let result = if parameters.has_result() { ", with a result" } else { "" };
        Ok(format!("set the status of ticket {ticket_id:?}{before} to {status}{result}"))
    }

    /// The ticket has the status: written. It was last changed before the command was issued: not written. Otherwise it does not say: a worker
    /// may have taken it since.
    async fn probe(&self, call: &Call, parameters: &Parameters, _: &[Target], _: Option<&Value>) -> Probe {
        let Parameters { ticket_id, status, .. } = parameters;
        let ticket = match self.tickets.get_ticket(ticket_id, &context(call, &*self.clock)).await {
            Ok(ticket) => ticket,
            Err(error) if error.is_not_found() => return Probe::NotDone,
            Err(error) => return Probe::Unclear(error.to_string()),
        };
        let change = Change::SetStatus { status: *status, result: None };
        match self.tickets.trace(&ticket, change, &call.idempotency_key, call.command.issued_at) {
            // Its status before is not known any more.
            Trace::Done => Probe::Done(Box::new(AttemptResult::succeeded(result::output(&ticket.status, None)))),
            Trace::NotDone => Probe::NotDone,
            Trace::Unclear(why) => Probe::Unclear(why),
        }
    }

    fn call_metric(&self, parameters: &Parameters, _: &Target) -> Option<CallMetric> {
        Some(CallMetric::TicketStatusUpdate { new_status: parameters.status.as_str().to_owned() })
    }
}

fn target_of(call: &Call, parameters: &Parameters, ticket_id: &str) -> Target {
    let resource = PolicyResource {
        ticket_id: ticket_id.to_owned(),
        workflow_id: call.command.context.workflow_id.clone().unwrap_or_default(),
        ..PolicyResource::default()
    };
    // By status too: a ticket may well go through several of them in one run.
    let cooldown = Cooldown::new(NAME, format!("{ticket_id}/{}", parameters.status.as_str()), COOLDOWN_MS);
    Target::new(ticket_id, resource).cooling(cooldown)
}

/// The metadata that the platform expects with a status update (contracts, section 1).
fn metadata(call: &Call, parameters: &Parameters, before: &Ticket) -> Metadata {
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
