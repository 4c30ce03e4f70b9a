//! Reallocates many tickets at once, with a result for each.

use std::collections::HashSet;

use futures_util::StreamExt;
use futures_util::stream;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::client::Client;
use super::dialect::Metadata;
use super::ticket::Ticket;
use crate::call::CallContext;
use crate::error::Error;

/// Most concurrent calls of one batch.
pub const MAX_IN_FLIGHT: usize = 10;

/// The result for one ticket of a batch.
#[derive(Debug, Clone, PartialEq)]
pub struct Reallocation {
    /// The ticket's id, as the caller gave it.
    pub ticket_id: String,
    /// The ticket after its reallocation, or why its call failed.
    pub result: Result<Ticket, Error>,
}

impl Client {
    /// Reallocates each ticket with a call of its own, at most [`MAX_IN_FLIGHT`] at once; the results are in the order of `ticket_ids`.
    ///
    /// An id that occurs twice is reallocated once. Each call has its own idempotency key, `<batch key>:<ticket id>`, and the
    /// batch's key as `batch_id` in its metadata. A failed call does not stop the others.
    pub async fn reallocate_multiple_tickets(
        &self,
        ticket_ids: &[String],
        reason: &str,
        metadata: &Metadata,
        context: &CallContext,
    ) -> Vec<Reallocation> {
        let mut metadata = metadata.clone();
        // Each ticket gets its own id; the caller's would be the same for all of them.
        metadata.remove("reallocation_id");
        if let Some(key) = &context.idempotency_key {
            metadata.entry("batch_id").or_insert_with(|| key.as_str().into());
        }
        let mut seen = HashSet::new();
        let tickets: Vec<&String> = ticket_ids.iter().filter(|id| seen.insert(id.as_str())).collect();
        stream::iter(tickets)
            .map(|ticket_id| {
                let context = ticket_context(context, ticket_id);
                let metadata = &metadata;
                async move {
                    let result = self.reallocate_ticket(ticket_id, reason, metadata, &context).await;
                    Reallocation { ticket_id: ticket_id.clone(), result }
                }
            })
            .buffered(MAX_IN_FLIGHT)
            .collect()
            .await
    }
}

/// The batch's context with the ticket's own idempotency key.
fn ticket_context(batch: &CallContext, ticket_id: &str) -> CallContext {
    CallContext {
        idempotency_key: batch
            .idempotency_key
            .as_ref()
            .map(|key| format!("{key}:{}", utf8_percent_encode(ticket_id, NON_ALPHANUMERIC))),
        ..batch.clone()
    }
}
