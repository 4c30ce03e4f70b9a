//! Outcomes of deliveries as the answer to the event source, and as the two calls that the answer cannot express.

use aws_lambda_events::sqs::SqsBatchResponse;
use futures_util::future::join_all;
use heal_aws::Queues;
use heal_aws::queue::dead::Unworkable;
use heal_runtime::inbox::{DeliveryOutcome, Settled};
use heal_runtime::port::Delivery;

use crate::error::BatchError;
use crate::limit::HIDDEN_MS;
use crate::record::Source;

/// The calls of SQS that settle a message besides the answer.
pub(crate) trait Calls {
    /// Shortens the message's visibility timeout to `delay_ms`.
    async fn delay(&self, delivery: &Delivery, delay_ms: u64);

    /// Copies the message to the parking queue. False if that failed.
    async fn park(&self, delivery: &Delivery, reason: &str) -> bool;
}

/// The answer to the event source. A message that it does not name is deleted from the queue, so it names every message that has to be
/// delivered again.
///
/// # Errors
/// A message that has to be delivered again has no id. The whole batch is delivered again then, and each message is recognised.
pub(crate) async fn answer(calls: &impl Calls, settled: &[Settled]) -> Result<SqsBatchResponse, BatchError> {
    let retried = join_all(settled.iter().map(|settled| is_retried(calls, settled))).await;
    let mut answer = SqsBatchResponse::default();
    for (Settled { delivery, .. }, _) in settled.iter().zip(retried).filter(|(_, is_retried)| *is_retried) {
        if delivery.message_id.is_empty() {
            return Err(BatchError::Unnamed);
        }
        answer.add_failure(delivery.message_id.clone());
    }
    Ok(answer)
}

async fn is_retried(calls: &impl Calls, Settled { delivery, outcome }: &Settled) -> bool {
    match outcome {
        DeliveryOutcome::Acknowledge => false,
        DeliveryOutcome::Retry { delay_ms } => {
            calls.delay(delivery, *delay_ms).await;
            true
        }
        DeliveryOutcome::DeadLetter { reason } => !calls.park(delivery, reason).await,
    }
}

/// The queue that a batch is from.
#[derive(Debug)]
pub(crate) struct Origin<'a> {
    pub queues: &'a Queues,
    pub source: &'a Source,
}

impl Calls for Origin<'_> {
    /// A failure only means that the message is delivered again after the queue's visibility timeout, which is minutes.
    async fn delay(&self, delivery: &Delivery, delay_ms: u64) {
        let url = self.source.url(self.queues.urls());
        if let Err(error) = self.queues.hide(&url, &delivery.receipt, delay_ms.min(HIDDEN_MS)).await {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(error, "failed to set the delay of a retry; it comes after the queue's visibility timeout");
        }
    }

    async fn park(&self, delivery: &Delivery, reason: &str) -> bool {
        let Delivery { message_id, body, receive_count, traceparent, .. } = delivery;
        let queue = &self.source.queue;
        tracing::error!(event = "dispatcher.message_parked", message_id, queue = %queue, reason, "message cannot be processed");
        let receive_count = *receive_count;
        let message =
            Unworkable { queue, message_id, body, receive_count, traceparent: traceparent.as_deref(), reason };
        let parked = self.queues.park(&message).await;
        if let Err(error) = &parked {
            tracing::warn!(error = error as &dyn std::error::Error, "failed to park a message; it will be retried");
        }
        parked.is_ok()
    }
}

#[cfg(test)]
mod tests {
    use heal_runtime::inbox::join_outcomes;

    use super::*;

    /// Parks messages, or fails to.
    struct Fake {
        parks: bool,
    }

    impl Calls for Fake {
        async fn delay(&self, _: &Delivery, _: u64) {}

        async fn park(&self, _: &Delivery, _: &str) -> bool {
            self.parks
        }
    }

    fn delivery(name: &str) -> Delivery {
        Delivery {
            receipt: format!("receipt of {name}"),
            message_id: name.to_owned(),
            body: String::new(),
            receive_count: 1,
            traceparent: None,
            sender: None,
        }
    }

    async fn failures(parks: bool, outcomes: Vec<(usize, DeliveryOutcome)>) -> Vec<String> {
        let settled = join_outcomes(vec![delivery("a"), delivery("b"), delivery("c")], outcomes);
        let answer = answer(&Fake { parks }, &settled).await.unwrap();
        answer.batch_item_failures.into_iter().map(|failure| failure.item_identifier).collect()
    }

    #[tokio::test]
    async fn a_delivery_whose_outcome_the_handler_lost_is_listed_as_failed() {
        let acknowledged = |index| (index, DeliveryOutcome::Acknowledge);
        assert_eq!(failures(true, vec![acknowledged(0), acknowledged(2)]).await, ["b"]);
        assert_eq!(failures(true, Vec::new()).await, ["a", "b", "c"]);
        // An outcome too many, and one that is contradicted, delete nothing either.
        let retried = (1, DeliveryOutcome::Retry { delay_ms: 0 });
        assert_eq!(failures(true, vec![acknowledged(0), acknowledged(1), retried, acknowledged(3)]).await, ["b", "c"]);
    }

    #[tokio::test]
    async fn a_message_that_could_not_be_parked_is_listed_as_failed() {
        let dead = |index| (index, DeliveryOutcome::DeadLetter { reason: "unreadable".to_owned() });
        let outcomes = vec![dead(0), dead(1), dead(2)];
        assert_eq!(failures(true, outcomes.clone()).await, Vec::<String>::new());
        assert_eq!(failures(false, outcomes).await, ["a", "b", "c"]);
    }

    #[tokio::test]
    async fn a_failed_message_without_an_id_fails_the_batch() {
        let settled = join_outcomes(vec![delivery("")], []);
        assert!(matches!(answer(&Fake { parks: true }, &settled).await, Err(BatchError::Unnamed)));
    }
}
