//! Incidents to runs.

use futures_util::future::join_all;
use tokio::sync::watch;
use tracing::Instrument as _;

use super::{BATCH, Host, Verdict, give_back_ms};
use crate::port::{Delivery, QueueName};
use crate::span;

impl Host {
    pub(super) async fn incidents(self, mut stop: watch::Receiver<bool>) {
        while let Some(deliveries) = self.next(&QueueName::Incidents, BATCH, &mut stop).await {
            self.take_incidents(deliveries).await;
        }
    }

    pub(super) async fn take_incidents(&self, deliveries: Vec<Delivery>) {
        let batch = span::batch(&QueueName::Incidents, &deliveries);
        let verdicts = join_all(deliveries.into_iter().map(|delivery| self.incident(delivery))).instrument(batch).await;
        self.settle(verdicts).await;
    }

    /// One message; its failure is its own.
    async fn incident(&self, delivery: Delivery) -> Verdict {
        let Delivery { receipt, message_id, body, receive_count, traceparent } = delivery;
        match self.dispatcher.accept(&body, &message_id, traceparent.as_deref()).await {
            Ok(accepted) => {
                tracing::debug!(?accepted, "message accepted");
                Verdict::Done(receipt)
            }
            Err(error) => {
                tracing::warn!(
                    message_id,
                    error = &error as &dyn std::error::Error,
                    "incident could not be accepted now"
                );
                Verdict::Again { receipt, delay_ms: give_back_ms(receive_count) }
            }
        }
    }
}
