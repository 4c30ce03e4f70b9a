//! The reallocation itself, with an answer for each ticket.

use futures_util::{StreamExt as _, stream};
use heal_clients::tickets::{self, MAX_IN_FLIGHT, Metadata, Reallocation, ReallocationRequest, SOURCE, Ticket};
use heal_clients::{CallContext, Effect, Error, OutageKind};
use heal_runtime::action::{Admitted, Call};
use serde_json::Value;

use crate::facts::{TicketFacts, is_waiting};
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
    pub result: Result<Reallocated, Error>,
}

/// How a reallocation was confirmed; with the ticket afterwards.
#[derive(Debug)]
pub(crate) enum Reallocated {
    /// By the service's answer.
    ByAnswer(Box<Ticket>),
    /// By the ticket, which was read where the answer was lost.
    ByTicket(Box<Ticket>),
}

impl Batch<'_> {
    /// Reallocates each ticket that this attempt has not reallocated already; the answers are in the order of `targets`.
    pub(crate) async fn reallocate(&self, targets: &[Admitted<TicketFacts>]) -> Vec<Answer> {
        let open: Vec<_> = targets.iter().filter(|admitted| admitted.facts.done.is_none()).collect();
        let requests = open.iter().map(|admitted| self.request(admitted)).collect();
        let answers = self.tickets.reallocate_multiple_tickets(requests, &self.parameters.reason, self.changing);
        let waiting: Vec<bool> = open.iter().map(|admitted| admitted.facts.was_waiting).collect();
        let confirmed = stream::iter(waiting).zip(answers).map(|(waiting, answer)| self.confirm(answer, waiting));
        let mut confirmed = confirmed.buffered(MAX_IN_FLIGHT).collect::<Vec<_>>().await.into_iter();
        let answer = |Admitted { target, facts }: &Admitted<TicketFacts>| {
            let result = match &facts.done {
                Some(ticket) => Ok(Reallocated::ByTicket(ticket.clone())),
                None => confirmed.next()?,
            };
            Some(Answer { ticket_id: target.id.clone(), previous_worker: facts.previous_worker.clone(), result })
        };
        targets.iter().filter_map(answer).collect()
    }

    fn request(&self, Admitted { target, facts }: &Admitted<TicketFacts>) -> ReallocationRequest {
        let id = self.parameters.reallocation_id(self.call, &target.id);
        ReallocationRequest { ticket_id: target.id.clone(), metadata: self.metadata(facts, &id), idempotency_key: id }
    }

    /// After an answer that leaves the outcome open, reads the ticket; `was_waiting` is what it was before. If the service had answered, though
    /// with an error, and the ticket is unchanged afterwards, nothing has happened.
    async fn confirm(&self, answer: Reallocation, was_waiting: bool) -> Result<Reallocated, Error> {
        let Reallocation { ticket_id, result } = answer;
        let mut error = match result {
            Ok(ticket) => return Ok(Reallocated::ByAnswer(Box::new(ticket))),
            Err(error) if error.effect() == Effect::Unknown => error,
            Err(error) => return Err(error),
        };
        let id = self.parameters.reallocation_id(self.call, &ticket_id);
        let context = self.context.clone().with_key(&id);
        let Ok(ticket) = self.tickets.get_ticket(&ticket_id, &context).await else { return Err(error) };
        let is_own = ticket.metadata.get("reallocation_id").and_then(Value::as_str) == Some(&id);
        if is_own || (is_waiting(&ticket) && !was_waiting) {
            return Ok(Reallocated::ByTicket(Box::new(ticket)));
        }
        if let Error::Unavailable(outage) = &mut error
            && had_answered(outage.kind)
        {
            outage.effect = Effect::NotApplied;
        }
        Err(error)
    }

    /// What the platform wants in the record of a reallocation (contracts, section 1).
    fn metadata(&self, facts: &TicketFacts, id: &str) -> Metadata {
        let command = &self.call.command;
        let workflow_id = facts.workflow_id.as_ref().or(command.context.workflow_id.as_ref());
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

/// Whether the service answered: then the request has ended, and its effect can be read.
fn had_answered(kind: OutageKind) -> bool {
    matches!(kind, OutageKind::ServerError | OutageKind::RateLimited | OutageKind::RequestTimeout | OutageKind::Aborted)
}

/// `None` for a moment that no calendar has.
fn rfc3339(epoch_ms: u64) -> Option<String> {
    let at = i64::try_from(epoch_ms).ok().and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok())?;
    Some(at.to_string())
}
