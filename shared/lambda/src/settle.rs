//! Verdicts carried out: what the answer to the event source says, and what is done beside it.

use std::collections::HashMap;

use aws_lambda_events::sqs::SqsBatchResponse;
use futures_util::future::join_all;
use heal_aws::Queues;
use heal_aws::queue::dead::Unworkable;
use heal_runtime::inbox::Verdict;
use heal_runtime::port::Delivery;

use crate::error::BatchError;
use crate::limit::HIDDEN_MS;
use crate::record::Source;

/// What is kept of a delivery until its verdict is there.
#[derive(Debug, Clone)]
struct Kept {
    message_id: String,
    body: String,
    receive_count: u32,
    traceparent: Option<String>,
}

/// A batch between its deliveries and their verdicts, by receipt.
#[derive(Debug)]
pub(crate) struct Batch<'a> {
    queues: &'a Queues,
    source: &'a Source,
    kept: HashMap<String, Kept>,
}

impl<'a> Batch<'a> {
    pub(crate) fn new(queues: &'a Queues, source: &'a Source, deliveries: &[Delivery]) -> Self {
        let kept = deliveries.iter().map(|delivery| {
            let kept = Kept {
                message_id: delivery.message_id.clone(),
                body: delivery.body.clone(),
                receive_count: delivery.receive_count,
                traceparent: delivery.traceparent.clone(),
            };
            (delivery.receipt.clone(), kept)
        });
        Self { queues, source, kept: kept.collect() }
    }

    /// The answer to the event source: what is not named in it is deleted from the queue.
    ///
    /// # Errors
    /// Where a failure cannot be named; the whole batch comes back then, and each record is recognised.
    pub(crate) async fn settle(&self, verdicts: Vec<Verdict>) -> Result<SqsBatchResponse, BatchError> {
        let failed = join_all(verdicts.iter().map(|verdict| self.carry_out(verdict))).await;
        let mut answer = SqsBatchResponse::default();
        for message_id in failed.into_iter().flatten() {
            if message_id.is_empty() {
                return Err(BatchError::Unnamed);
            }
            answer.add_failure(message_id);
        }
        Ok(answer)
    }

    /// The id of the message where it has to come back.
    async fn carry_out(&self, verdict: &Verdict) -> Option<String> {
        let kept = self.kept.get(verdict.receipt())?;
        match verdict {
            Verdict::Done { .. } => None,
            Verdict::Again { receipt, delay_ms } => {
                self.delay(receipt, *delay_ms).await;
                Some(kept.message_id.clone())
            }
            Verdict::Bury { reason, .. } => self.park(kept, reason).await,
        }
    }

    /// Without this the message would come back only after the queue's visibility, which is minutes.
    async fn delay(&self, receipt: &str, delay_ms: u64) {
        let url = self.source.url(self.queues.urls());
        if let Err(error) = self.queues.hide(&url, receipt, delay_ms.min(HIDDEN_MS)).await {
            tracing::warn!(error = &error as &dyn std::error::Error, "message comes back later than it should");
        }
    }

    async fn park(&self, kept: &Kept, reason: &str) -> Option<String> {
        let message = Unworkable {
            queue: &self.source.queue,
            message_id: &kept.message_id,
            body: &kept.body,
            receive_count: kept.receive_count,
            traceparent: kept.traceparent.as_deref(),
            reason,
        };
        tracing::error!(
            event = "dispatcher.message_parked",
            message_id = kept.message_id,
            queue = %self.source.queue,
            reason,
            "message cannot be carried out"
        );
        match self.queues.park(&message).await {
            Ok(()) => None,
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "message could not be parked");
                Some(kept.message_id.clone())
            }
        }
    }
}
