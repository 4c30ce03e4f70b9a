//! `reallocate_ticket`: returns tickets to the queue, so that another worker executes them; each at most once in five minutes.
//!
//! Each ticket is a target of its own: it has its own facts, policy question, cooldown, idempotency key and answer, so that one ticket of a
//! batch neither vouches for the others nor stops them. A ticket in a terminal status is left alone. A reallocation counts only if the answer,
//! or the ticket read after it, shows it. The crate knows no claim and no queue; `heal_runtime::attempt` holds those.
//! Start at [`ReallocateTicket`].

mod effect;
mod facts;
mod parameters;
mod probe;
mod result;
mod spec;

use std::sync::Arc;

use async_trait::async_trait;
use heal_clients::port::{context, reserve_time_for_confirmation, ticket_marks};
use heal_clients::tickets;
use heal_runtime::action::{
    Action, Admitted, Call, CallMetric, Cooldown, Facts, Performed, PolicyFacts, Probe, Target,
};
use heal_runtime::port::{Clock, PolicyResource};
use heal_runtime::{ActionSpec, AttemptResult};

use effect::Batch;
use facts::TicketFacts;
use parameters::Parameters;

pub use parameters::MAX_TICKETS;
pub use spec::{COOLDOWN_MS, NAME, spec};

/// The action over the ticket service.
#[expect(missing_debug_implementations, reason = "a client and a clock: there is nothing to print")]
pub struct ReallocateTicket {
    tickets: Arc<tickets::Client>,
    clock: Arc<dyn Clock>,
    spec: ActionSpec,
}

impl ReallocateTicket {
    /// `clock` is the one that the attempts' deadlines are set by.
    pub fn new(tickets: Arc<tickets::Client>, clock: Arc<dyn Clock>) -> Self {
        Self { tickets, clock, spec: spec() }
    }
}

#[async_trait]
impl Action for ReallocateTicket {
    type Parameters = Parameters;
    type Facts = TicketFacts;

    fn spec(&self) -> &ActionSpec {
        &self.spec
    }

    /// One per ticket; a ticket that is named twice is one.
    fn targets(&self, call: &Call, parameters: &Parameters) -> Result<Vec<Target>, AttemptResult> {
        Ok(parameters.tickets.iter().map(|ticket_id| target_of(call, parameters, ticket_id)).collect())
    }

    /// The ticket as the service has it: whether it exists, its status, and when it was last reallocated.
    async fn facts(
        &self,
        call: &Call,
        parameters: &Parameters,
        target: &Target,
    ) -> Result<Facts<TicketFacts>, AttemptResult> {
        let read = self.tickets.get_ticket(&target.id, &context(call, &*self.clock)).await;
        let ticket = read.map_err(|error| result::unread(call, parameters, &target.id, &error))?;
        let own = TicketFacts::read(call, parameters, ticket);
        // In a batch, what this very attempt has done counts among the others' results.
        if own.is_done && !(parameters.is_batch() && call.command.attempt == 1) {
            return Err(result::done_before(call, parameters, &own));
        }
        if own.ticket.is_terminal() && !own.is_done {
            return Err(result::terminal(&own));
        }
        let ticket_status = (!own.is_done).then(|| own.ticket.status.to_ascii_uppercase());
        let policy = PolicyFacts { last_reallocation: own.last_reallocation, ticket_status, ..PolicyFacts::default() };
        let answered = own.ticket.ticket_id.as_str();
        let answered = (answered != target.id).then(|| target_of(call, parameters, answered));
        Ok(Facts { policy, marks: ticket_marks(&own.ticket), answered, own })
    }

    /// The tickets of its workflow.
    fn population(&self, facts: &TicketFacts) -> Option<String> {
        facts.ticket.workflow_id.clone()
    }

    async fn count_population(&self, call: &Call, facts: &TicketFacts) -> Option<u32> {
        let workflow_id = facts.ticket.workflow_id.as_deref()?;
        self.tickets.count_tickets(workflow_id, &context(call, &*self.clock)).await.ok()
    }

    async fn perform(&self, call: &Call, parameters: &Parameters, targets: &[Admitted<TicketFacts>]) -> Performed {
        let context = context(call, &*self.clock);
        let changing = reserve_time_for_confirmation(&context);
        let batch = Batch { call, parameters, context: &context, changing: &changing, tickets: &self.tickets };
        result::merged(call, parameters, batch.reallocate(targets).await)
    }

    async fn describe(
        &self,
        _: &Call,
        _: &Parameters,
        targets: &[Admitted<TicketFacts>],
    ) -> Result<String, AttemptResult> {
        let describe = |Admitted { target, facts }: &Admitted<TicketFacts>| {
            let worker = facts.previous_worker.as_ref().map_or("no worker".to_owned(), |id| format!("worker {id:?}"));
            format!("{:?} ({}, {worker})", target.id, facts.ticket.status)
        };
        let tickets: Vec<_> = targets.iter().filter(|admitted| !admitted.facts.is_done).map(describe).collect();
        Ok(format!("reallocate {} {}", if tickets.len() == 1 { "ticket" } else { "tickets" }, tickets.join(", ")))
    }

    async fn probe(
        &self,
        call: &Call,
        parameters: &Parameters,
        targets: &[Target],
        _: Option<&serde_json::Value>,
    ) -> Probe {
        probe::probe(call, parameters, targets, &self.tickets, &context(call, &*self.clock)).await
    }

    fn call_metric(&self, parameters: &Parameters, _: &Target) -> Option<CallMetric> {
        Some(CallMetric::TicketReallocation { reason: parameters.reason.clone() })
    }
}

fn target_of(call: &Call, parameters: &Parameters, ticket_id: &str) -> Target {
    let resource = PolicyResource {
        ticket_id: ticket_id.to_owned(),
        workflow_id: call.command.context.workflow_id.clone().unwrap_or_default(),
        reason: parameters.reason.clone(),
        ..PolicyResource::default()
    };
    let cooldown = Cooldown { is_policy_fact: true, ..Cooldown::new(NAME, ticket_id, COOLDOWN_MS) };
    Target::new(ticket_id, resource).cooling(cooldown)
}
