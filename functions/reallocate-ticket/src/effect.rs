//! The reallocation itself: at most ten tickets at a time, an answer for each.

use futures_util::{StreamExt as _, stream};
use heal_clients::tickets::{self, MAX_IN_FLIGHT, Metadata, SOURCE, Ticket};
use heal_clients::{CallContext, Effect, Error, OutageKind};
use heal_runtime::action::Call;
use serde_json::Value;

use crate::facts::{Seen, is_waiting};
use crate::identity::reallocation_id;
use crate::parameters::Parameters;

/// One call's work on the ticket service.
pub(crate) struct Asked<'a> {
    pub call: &'a Call,
    pub parameters: &'a Parameters,
    pub context: &'a CallContext,
    /// The part of the attempt's time in which a reallocation may be asked for; afterwards there is time to look.
    pub changing: &'a CallContext,
    pub tickets: &'a tickets::Client,
}

/// What became of one ticket.
#[derive(Debug)]
pub(crate) struct Answer {
    pub ticket_id: String,
    pub previous_worker: Option<String>,
    pub became: Result<Became, Error>,
}

/// A ticket that was reallocated.
#[derive(Debug)]
pub(crate) enum Became {
    /// The service said so.
    Reallocated(Box<Ticket>),
    /// It did not answer, but the ticket, read afterwards, says so.
    SeenReallocated(Box<Ticket>),
}

impl Asked<'_> {
    /// Reallocates each ticket for itself; the answers are in the same order. `seen` is what was read of it before.
    pub(crate) async fn all(&self, tickets: Vec<(String, Option<Seen>)>) -> Vec<Answer> {
        stream::iter(tickets).map(|(ticket_id, seen)| self.one(ticket_id, seen)).buffered(MAX_IN_FLIGHT).collect().await
    }

    async fn one(&self, ticket_id: String, seen: Option<Seen>) -> Answer {
        let id = reallocation_id(self.call, self.parameters, &ticket_id);
        let context = self.context.clone().with_key(&id);
        let seen = match seen {
            Some(seen) => seen,
            None => match self.tickets.get_ticket(&ticket_id, &context).await {
                Ok(ticket) => Seen::of(self.call, self.parameters, &ticket),
                Err(error) => return Answer { ticket_id, previous_worker: None, became: Err(error) },
            },
        };
        let became = match seen.done.clone() {
            Some(ticket) => Ok(Became::SeenReallocated(ticket)),
            None => self.reallocate(&ticket_id, &seen, &id, &context).await,
        };
        Answer { ticket_id, previous_worker: seen.previous_worker, became }
    }

    async fn reallocate(&self, ticket_id: &str, seen: &Seen, id: &str, context: &CallContext) -> Result<Became, Error> {
        let metadata = self.metadata(seen, id);
        let changing = self.changing.clone().with_key(id);
        let answer = self.tickets.reallocate_ticket(ticket_id, &self.parameters.reason, &metadata, &changing).await;
        match answer {
            Ok(ticket) => Ok(Became::Reallocated(Box::new(ticket))),
            Err(error) if error.effect() == Effect::Unknown => self.look(ticket_id, seen, id, context, error).await,
            Err(error) => Err(error),
        }
    }

    /// After an answer that leaves it open: the ticket itself may tell. Where the service had answered, though with an error, and the
    /// ticket is unchanged afterwards, nothing has happened.
    async fn look(
        &self,
        ticket_id: &str,
        seen: &Seen,
        id: &str,
        context: &CallContext,
        mut error: Error,
    ) -> Result<Became, Error> {
        let Ok(ticket) = self.tickets.get_ticket(ticket_id, context).await else { return Err(error) };
        let is_own = ticket.metadata.get("reallocation_id").and_then(Value::as_str) == Some(id);
        if is_own || (is_waiting(&ticket) && !seen.was_waiting) {
            return Ok(Became::SeenReallocated(Box::new(ticket)));
        }
        if let Error::Unavailable(outage) = &mut error
            && had_answered(outage.kind)
        {
            outage.effect = Effect::NotApplied;
        }
        Err(error)
    }

    /// Everything that the platform wants to know of a reallocation (contracts, section 1).
    fn metadata(&self, seen: &Seen, id: &str) -> Metadata {
        let command = &self.call.command;
        let workflow_id = seen.workflow_id.as_ref().or(command.context.workflow_id.as_ref());
        let mut metadata = self.parameters.metadata.clone();
        let own = [
            ("reallocation_id", id.into()),
            ("reallocation_reason", self.parameters.reason.clone().into()),
            // Of the command, so that every try of the attempt says the same.
            ("reallocation_timestamp", rfc3339(command.issued_at.0).into()),
            ("reallocation_source", SOURCE.into()),
            ("previous_worker", seen.previous_worker.clone().into()),
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

/// Whether there was an answer: then the request is over, and what it did can be seen.
fn had_answered(kind: OutageKind) -> bool {
    matches!(kind, OutageKind::ServerError | OutageKind::RateLimited | OutageKind::RequestTimeout | OutageKind::Aborted)
}

/// None for a moment that no calendar has.
fn rfc3339(epoch_ms: u64) -> Option<String> {
    let at = i64::try_from(epoch_ms).ok().and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok())?;
    Some(at.to_string())
}
