//! Many tickets at once, with an answer for each.

use std::collections::HashSet;

use futures_util::StreamExt;
use futures_util::stream;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::client::Client;
use super::metadata::Metadata;
use super::ticket::Ticket;
use crate::call::CallContext;
use crate::error::Error;

/// Calls of one batch that are under way at once.
pub const MAX_IN_FLIGHT: usize = 10;

/// What became of one ticket of a batch.
#[derive(Debug, Clone, PartialEq)]
pub struct Reallocation {
    pub ticket_id: String,
    pub result: Result<Ticket, Error>,
}

impl Client {
    /// Reallocates each ticket for itself, at most [`MAX_IN_FLIGHT`] at once; the answers are in the order of `ticket_ids`.
    ///
    /// A ticket that is named twice is reallocated once. Each has an idempotency key of its own, made of the batch's and its
    /// id, and `batch_id` in its metadata. One that fails does not stop the others.
    pub async fn reallocate_multiple_tickets(
        &self,
        ticket_ids: &[String],
        reason: &str,
        metadata: &Metadata,
        context: &CallContext,
    ) -> Vec<Reallocation> {
        let mut metadata = metadata.clone();
        // In a batch these belong to each ticket, not to the whole.
        metadata.remove("reallocation_id");
        if let Some(key) = &context.idempotency_key {
            metadata.entry("batch_id").or_insert_with(|| key.as_str().into());
        }
        let mut seen = HashSet::new();
        let tickets: Vec<&String> = ticket_ids.iter().filter(|id| seen.insert(id.as_str())).collect();
        stream::iter(tickets)
            .map(|ticket_id| {
                let context = context_of(context, ticket_id);
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

fn context_of(batch: &CallContext, ticket_id: &str) -> CallContext {
    CallContext {
        idempotency_key: batch
            .idempotency_key
            .as_ref()
            .map(|key| format!("{key}:{}", utf8_percent_encode(ticket_id, NON_ALPHANUMERIC))),
        ..batch.clone()
    }
}
