//! The event source mappings: they receive for the functions, and delete what a function has processed.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use heal_aws::Queues;
use heal_aws::queue::dead::Unworkable;
use heal_runtime::port::{BackendError, DeadLetter, Delivery, QueueName, Receiver, Result};
use heal_testkit::memory;

/// Receives and deletes by itself; what a function does to a message, the function's own client does.
pub(super) struct Mapping {
    played: Arc<memory::Queues>,
    queues: Queues,
    /// What is in the hands of a function, by receipt.
    delivered: Mutex<BTreeMap<String, (QueueName, Delivery)>>,
}

impl Mapping {
    pub(super) fn new(played: Arc<memory::Queues>, queues: Queues) -> Self {
        Self { played, queues, delivered: Mutex::default() }
    }

    fn delivered(&self, receipt: &str) -> Result<(QueueName, Delivery)> {
        let delivered = self.delivered.lock().unwrap_or_else(PoisonError::into_inner).get(receipt).cloned();
        delivered.ok_or_else(|| BackendError::corrupt("mapping", format!("receipt {receipt} was never given out")))
    }
}

#[async_trait]
impl Receiver for Mapping {
    async fn receive(&self, queue: &QueueName, max: usize, visibility_ms: u64) -> Result<Vec<Delivery>> {
        let deliveries = self.played.receive(queue, max, visibility_ms).await?;
        let mut delivered = self.delivered.lock().unwrap_or_else(PoisonError::into_inner);
        for delivery in &deliveries {
            delivered.insert(delivery.receipt.clone(), (queue.clone(), delivery.clone()));
        }
        Ok(deliveries)
    }

    async fn acknowledge(&self, receipts: Vec<String>) -> Result<()> {
        self.played.acknowledge(receipts).await
    }

    async fn nack(&self, receipt: &str, delay_ms: u64) -> Result<()> {
        let (queue, _) = self.delivered(receipt)?;
        self.queues.hide(&self.queues.urls().url_of(&queue), receipt, delay_ms).await
    }

    async fn dead_letter(&self, receipt: &str, reason: &str) -> Result<()> {
        let (queue, Delivery { message_id, body, receive_count, .. }) = self.delivered(receipt)?;
        let (queue, message_id, body) = (&queue, &*message_id, &*body);
        self.queues.park(&Unworkable { queue, message_id, body, receive_count, traceparent: None, reason }).await?;
        self.played.acknowledge(vec![receipt.to_owned()]).await
    }

    async fn wait(&self, queue: &QueueName) {
        self.played.wait(queue).await;
    }

    async fn dead_letters(&self, limit: usize) -> Result<Vec<DeadLetter>> {
        self.played.dead_letters(limit).await
    }

    async fn redrive(&self, message_id: &str) -> Result<bool> {
        self.played.redrive(message_id).await
    }
}
