//! Queues with a bug on the receiver's side.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use heal_runtime::ActionCommand;
use heal_runtime::format;
use heal_runtime::port::{DeadLetter, Delivery, QueueName, Receiver, Result};

use super::Bug;

pub struct Planted {
    bug: Bug,
    inner: Arc<dyn Receiver>,
    /// The batch of each receipt.
    batches: Mutex<BTreeMap<String, Arc<Vec<String>>>>,
}

impl Planted {
    pub fn new(bug: Bug, inner: Arc<dyn Receiver>) -> Self {
        Self { bug, inner, batches: Mutex::default() }
    }
}

/// The command under a key of its own attempt, as if the step had none.
fn without_key(body: &str) -> String {
    let Ok(command) = format::decode::<ActionCommand>(body) else { return body.to_owned() };
    let effect_key = Some(command.attempt_key());
    format::encode(&ActionCommand { effect_key, ..command })
}

#[async_trait]
impl Receiver for Planted {
    async fn receive(&self, queue: &QueueName, max: usize, visibility_ms: u64) -> Result<Vec<Delivery>> {
        let mut deliveries = self.inner.receive(queue, max, visibility_ms).await?;
        let receipts: Vec<String> = deliveries.iter().map(|delivery| delivery.receipt.clone()).collect();
        if self.bug == Bug::AcknowledgeBeforeCommit {
            self.inner.acknowledge(receipts.clone()).await?;
        }
        let batch = Arc::new(receipts.clone());
        self.batches.lock().unwrap().extend(receipts.into_iter().map(|receipt| (receipt, batch.clone())));
        if self.bug == Bug::RetryWithoutKey && matches!(queue, QueueName::Action(_)) {
            deliveries.iter_mut().for_each(|delivery| delivery.body = without_key(&delivery.body));
        }
        Ok(deliveries)
    }

    async fn acknowledge(&self, mut receipts: Vec<String>) -> Result<()> {
        if self.bug == Bug::BatchFailureSwallowed {
            let batches = self.batches.lock().unwrap();
            receipts =
                receipts.iter().filter_map(|receipt| batches.get(receipt)).flat_map(|all| all.to_vec()).collect();
        }
        self.inner.acknowledge(receipts).await
    }

    async fn nack(&self, receipt: &str, delay_ms: u64) -> Result<()> {
        if self.bug == Bug::OutcomeDefaultDeletes {
            return self.inner.acknowledge(vec![receipt.to_owned()]).await;
        }
        self.inner.nack(receipt, delay_ms).await
    }

    async fn dead_letter(&self, receipt: &str, reason: &str) -> Result<()> {
        self.inner.dead_letter(receipt, reason).await
    }

    async fn wait(&self, queue: &QueueName) {
        self.inner.wait(queue).await;
    }

    async fn dead_letters(&self, limit: usize) -> Result<Vec<DeadLetter>> {
        self.inner.dead_letters(limit).await
    }

    async fn redrive(&self, message_id: &str) -> Result<bool> {
        self.inner.redrive(message_id).await
    }
}
