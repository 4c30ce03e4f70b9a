//! The reallocation itself, with an answer for each ticket.

use futures_util::StreamExt as _;
use heal_clients::CallContext;
use heal_clients::tickets::{self, ChangeOutcome, Metadata, ReallocationRequest, SOURCE, Ticket};
use heal_runtime::action::{Admitted, Call};
use serde_json::Value;

use crate::facts::TicketFacts;
use crate::parameters::Parameters;

/// One call's reallocations.
pub(crate) struct Batch<'a> {
    pub call: &'a Call,
    pub parameters: &'a Parameters,
    pub context: &'a CallContext,
    /// The part of the attempt's time in which a reallocation may be asked for; afterwards there is time to read the ticket.
    pub changing: &'a CallContext,
    pub tickets: &'a tickets::Client,
}

/// The outcome for one ticket.
#[derive(Debug)]
pub(crate) struct Answer {
    pub ticket_id: String,
    pub previous_worker: Option<String>,
    pub outcome: Outcome,
}

/// How the reallocation of one ticket ended.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// This attempt asked for it.
    Now(ChangeOutcome),
    /// Its earlier worker, which died, had asked for it.
    Before(Box<Ticket>),
}

impl Batch<'_> {
    /// Reallocates each ticket that this attempt has not reallocated already; the answers are in the order of `targets`.
    pub(crate) async fn reallocate(&self, targets: &[Admitted<TicketFacts>]) -> Vec<Answer> {
        let open = targets.iter().filter(|admitted| !admitted.facts.is_done);
        let requests = open.map(|admitted| self.request(admitted)).collect();
        let (tickets, reason) = (self.tickets, &self.parameters.reason);
        let outcomes = tickets.reallocate_multiple_tickets(requests, reason, self.changing, self.context);
        let mut outcomes = outcomes.collect::<Vec<_>>().await.into_iter();
        let answer = |Admitted { target, facts }: &Admitted<TicketFacts>| {
            let outcome = if facts.is_done {
                Outcome::Before(facts.ticket.clone())
            } else {
                Outcome::Now(outcomes.next()?.outcome)
            };
            Some(Answer { ticket_id: target.id.clone(), previous_worker: facts.previous_worker.clone(), outcome })
        };
        targets.iter().filter_map(answer).collect()
    }

    fn request(&self, Admitted { target, facts }: &Admitted<TicketFacts>) -> ReallocationRequest {
        let id = self.parameters.reallocation_id(self.call, &target.id);
        let metadata = self.metadata(facts, &id);
        ReallocationRequest { before: (*facts.ticket).clone(), metadata, idempotency_key: id }
    }

    /// The metadata that the platform expects with a reallocation (contracts, section 1).
    fn metadata(&self, facts: &TicketFacts, id: &str) -> Metadata {
        let command = &self.call.command;
        let workflow_id = facts.ticket.workflow_id.as_ref().or(command.context.workflow_id.as_ref());
        let mut metadata = self.parameters.metadata.clone();
        let own = [
            ("reallocation_id", id.into()),
            ("reallocation_reason", self.parameters.reason.clone().into()),
            // Of the command, so that every try of the attempt sends the same.
            ("reallocation_timestamp", rfc3339(command.issued_at.0).into()),
            ("reallocation_source", SOURCE.into()),
            ("previous_worker", facts.previous_worker.clone().into()),
            ("workflow_id", workflow_id.cloned().into()),
            ("incident_id", command.context.incident_id.clone().into()),
        ];
        metadata.extend(own.map(|(name, value): (&str, Value)| (name.to_owned(), value)));
        if self.parameters.is_batch() {
            metadata.insert("batch_id".to_owned(), self.call.idempotency_key.clone().into());
        }
        metadata
    }
}

/// `None` for a moment that no calendar has.
fn rfc3339(epoch_ms: u64) -> Option<String> {
    let at = i64::try_from(epoch_ms).ok().and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok())?;
    Some(at.to_string())
}
