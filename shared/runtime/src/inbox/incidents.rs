//! Incidents to runs.

use futures_util::future::join_all;
use tracing::Instrument as _;

use super::{Inbox, Verdict, again, dead_letter, done};
use crate::dispatcher::Accepted;
use crate::port::{Delivery, QueueName};
use crate::span;

impl Inbox {
    pub(super) async fn incidents(&self, deliveries: Vec<Delivery>) -> Vec<Verdict> {
        let batch = span::batch(&QueueName::Incidents, &deliveries);
        join_all(deliveries.into_iter().map(|delivery| self.incident(delivery))).instrument(batch).await
    }

    /// One message; its failure is its own. One that nobody can read is recorded, and kept as it came.
    async fn incident(&self, delivery: Delivery) -> Verdict {
        let Delivery { message_id, body, traceparent, .. } = &delivery;
        match self.dispatcher.accept(body, message_id, traceparent.as_deref()).await {
            Ok(Accepted::Rejected { reason, understood: false, .. }) => dead_letter(delivery, reason),
            Ok(accepted) => {
                tracing::debug!(?accepted, "message accepted");
                done(delivery)
            }
            Err(error) => {
                tracing::warn!(
                    message_id,
                    error = &error as &dyn std::error::Error,
                    "incident could not be accepted now"
                );
                again(delivery)
            }
        }
    }
}
