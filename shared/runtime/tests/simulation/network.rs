//! A queue as it is: messages come twice, late, out of order, or to nobody.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use heal_runtime::port::{DeadLetter, Delivery, Message, QueueName, Receiver, Result, Sender};

use super::rng::Rng;
use super::seen::Seen;

/// The receiving end of one process.
pub struct Network {
    pub inner: Arc<dyn Receiver>,
    pub sender: Arc<dyn Sender>,
    pub rng: Arc<Rng>,
    pub seen: Arc<Seen>,
    pub is_faulty: Arc<AtomicBool>,
    pub batch: Mutex<Batch>,
}

/// The last messages that were received together.
#[derive(Debug, Default)]
pub struct Batch {
    receipts: Vec<String>,
    nacked: usize,
}

impl Batch {
    fn note_nack(&mut self, receipt: &str) {
        self.nacked += usize::from(self.receipts.iter().any(|received| received == receipt));
    }
}

impl Network {
    /// What a message may meet on its way.
    async fn upset(&self, queue: &QueueName, deliveries: &mut Vec<Delivery>) -> Result<()> {
        let index = self.rng.below(deliveries.len() as u64) as usize;
        match self.rng.below(100) {
            0 | 1 => {
                self.seen.note("message delivered twice");
                self.inner.nack(&deliveries[index].receipt, self.rng.below(3_000)).await?;
            }
            2 | 3 => {
                self.seen.note("message sent twice");
                let Delivery { body, traceparent, .. } = deliveries[index].clone();
                let delay_ms = self.rng.below(200_000);
                self.sender.send(vec![Message { queue: queue.clone(), body, delay_ms, traceparent }]).await?;
            }
            4 | 5 => {
                self.seen.note("message late");
                let late = deliveries.swap_remove(index);
                self.inner.nack(&late.receipt, 1 + self.rng.below(60_000)).await?;
            }
            6 | 7 => {
                self.seen.note("batch received by nobody");
                deliveries.clear();
            }
            8..=27 if deliveries.len() > 1 => {
                self.seen.note("messages out of order");
                deliveries.reverse();
            }
            _ => {}
        }
        Ok(())
    }
}

#[async_trait]
impl Receiver for Network {
    async fn receive(&self, queue: &QueueName, max: usize, visibility_ms: u64) -> Result<Vec<Delivery>> {
        let mut deliveries = self.inner.receive(queue, max, visibility_ms).await?;
        if !deliveries.is_empty() && self.is_faulty.load(Ordering::SeqCst) {
            self.upset(queue, &mut deliveries).await?;
        }
        let receipts = deliveries.iter().map(|delivery| delivery.receipt.clone()).collect();
        let before = std::mem::replace(&mut *self.batch.lock().unwrap(), Batch { receipts, nacked: 0 });
        if 0 < before.nacked && before.nacked < before.receipts.len() {
            self.seen.note("part of a batch failed");
        }
        Ok(deliveries)
    }

    async fn acknowledge(&self, receipts: Vec<String>) -> Result<()> {
        self.inner.acknowledge(receipts).await
    }

    async fn nack(&self, receipt: &str, delay_ms: u64) -> Result<()> {
        self.batch.lock().unwrap().note_nack(receipt);
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
