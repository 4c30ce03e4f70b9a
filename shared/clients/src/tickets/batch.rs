//! Reallocates many tickets at once, with a result for each.

use futures_util::{Stream, StreamExt as _, stream};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::change::{Change, ChangeOutcome, TicketChange};
use super::client::Client;
use super::dialect::Metadata;
use super::ticket::Ticket;
use crate::call::CallContext;

/// Calls of one batch that are in flight at once.
pub const MAX_IN_FLIGHT: usize = 10;

/// One ticket of a batch.
#[derive(Debug, Clone, PartialEq)]
pub struct ReallocationRequest {
    /// The ticket as it was read just before; no other request of the batch is about it.
    pub before: Ticket,
    /// This ticket's own; the batch's key with [`key_suffix`] if there are several tickets.
    pub idempotency_key: String,
    /// For the ticket's record.
    pub metadata: Metadata,
}

/// The outcome for one ticket of a batch.
#[derive(Debug, Clone, PartialEq)]
pub struct Reallocation {
    /// The ticket that was asked for.
    pub ticket_id: String,
    /// What the answer and the ticket show.
    pub outcome: ChangeOutcome,
}

impl Client {
    /// Reallocates each ticket as [`Client::change_ticket`] does, at most [`MAX_IN_FLIGHT`] at once; the outcomes come in the order of `requests`.
    ///
    /// One that fails does not stop the others. The contexts give deadline and trace; each call has its request's key.
    pub fn reallocate_multiple_tickets<'a>(
        &'a self,
        requests: Vec<ReallocationRequest>,
        reason: &'a str,
        changing: &'a CallContext,
        reading: &'a CallContext,
    ) -> impl Stream<Item = Reallocation> + Send + 'a {
        let reallocate = move |request| async move {
            let ReallocationRequest { before, idempotency_key, metadata } = request;
            let [changing, reading] = [changing, reading].map(|context| context.clone().with_key(&idempotency_key));
            let change = TicketChange { change: Change::Reallocate { reason }, before: &before, metadata: &metadata };
            let outcome = self.change_ticket(&change, &changing, &reading).await;
            Reallocation { ticket_id: before.ticket_id, outcome }
        };
        stream::iter(requests).map(reallocate).buffered(MAX_IN_FLIGHT)
    }
}

/// What tells the idempotency keys of a batch's tickets apart, in characters that a header can carry.
pub fn key_suffix(ticket_id: &str) -> String {
    format!(":{}", utf8_percent_encode(ticket_id, NON_ALPHANUMERIC))
}
