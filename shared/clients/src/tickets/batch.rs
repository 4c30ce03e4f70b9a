//! Reallocates many tickets at once, with a result for each.

use futures_util::{Stream, StreamExt as _, stream};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::client::Client;
use super::dialect::Metadata;
use super::ticket::Ticket;
use crate::call::CallContext;
use crate::error::Error;

/// Calls of one batch that are in flight at once.
pub const MAX_IN_FLIGHT: usize = 10;

/// One ticket of a batch.
#[derive(Debug, Clone, PartialEq)]
pub struct ReallocationRequest {
    /// The ticket; no other request of the batch names it.
    pub ticket_id: String,
    /// This ticket's own; the batch's key with [`key_suffix`] if there are several tickets.
    pub idempotency_key: String,
    /// For the ticket's record.
    pub metadata: Metadata,
}

/// The answer for one ticket of a batch.
#[derive(Debug, Clone, PartialEq)]
pub struct Reallocation {
    /// The ticket that was asked for.
    pub ticket_id: String,
    /// The ticket as the service answered, or why it did not.
    pub result: Result<Ticket, Error>,
}

impl Client {
    /// Reallocates each ticket by a call of its own, at most [`MAX_IN_FLIGHT`] at once; the answers come in the order of `requests`.
    ///
    /// One that fails does not stop the others. `context` gives deadline and trace; each call has its request's key.
    pub fn reallocate_multiple_tickets<'a>(
        &'a self,
        requests: Vec<ReallocationRequest>,
        reason: &'a str,
        context: &'a CallContext,
    ) -> impl Stream<Item = Reallocation> + Send + 'a {
        let reallocate = move |request| {
            let ReallocationRequest { ticket_id, idempotency_key, metadata } = request;
            let context = context.clone().with_key(&idempotency_key);
            async move {
                let result = self.reallocate_ticket(&ticket_id, reason, &metadata, &context).await;
                Reallocation { ticket_id, result }
            }
        };
        stream::iter(requests).map(reallocate).buffered(MAX_IN_FLIGHT)
    }
}

/// What tells the idempotency keys of a batch's tickets apart, in characters that a header can carry.
pub fn key_suffix(ticket_id: &str) -> String {
    format!(":{}", utf8_percent_encode(ticket_id, NON_ALPHANUMERIC))
}
