//! The queues: delay, visibility timeout and dead-lettering.

mod dead;
mod deliver;
mod settle;

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use heal_runtime::Timestamp;
use heal_runtime::port::{DeadLetter, DeadLetters, Delivery, Message, QueueName, Receiver, Result, Sender};
use tokio::sync::Notify;
use tokio::time::{Duration, timeout};

use crate::error::check_size;
use crate::limit;
use crate::store::Store;
use settle::Receipt;

/// Notifies this process's waiters of new messages. There are as few queues as actions, so no entry is ever removed.
#[derive(Debug, Default)]
pub(crate) struct Notifiers {
    by_queue: Mutex<HashMap<QueueName, Arc<Notify>>>,
}

impl Notifiers {
    fn get(&self, queue: &QueueName) -> Arc<Notify> {
        let mut notifiers = self.by_queue.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(notifier) = notifiers.get(queue) {
            return Arc::clone(notifier);
        }
        Arc::clone(notifiers.entry(queue.clone()).or_default())
    }

    /// Wakes every waiter of `queue`.
    fn notify(&self, queue: &QueueName) {
        let notifiers = self.by_queue.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(notifier) = notifiers.get(queue) {
            notifier.notify_waiters();
        }
    }
}

#[async_trait]
impl Sender for Store {
    async fn send(&self, messages: Vec<Message>) -> Result<()> {
        let operation = "queue.send";
        for message in &messages {
            check_size(operation, "message", &message.body)?;
        }
        if messages.is_empty() {
            return Ok(());
        }
        let now = self.now();
        let mut queues: Vec<QueueName> = messages.iter().map(|message| message.queue.clone()).collect();
        queues.dedup();
        self.write(operation, move |connection| deliver::send(connection, &messages, now)).await?;
        queues.iter().for_each(|queue| self.notifiers().notify(queue));
        Ok(())
    }
}

#[async_trait]
impl DeadLetters for Store {
    async fn list(&self, limit: usize) -> Result<Vec<DeadLetter>> {
        self.dead_letters(limit).await
    }

    async fn put_back(&self, message_ids: &BTreeSet<String>) -> Result<BTreeSet<String>> {
        let mut moved = BTreeSet::new();
        for message_id in message_ids {
            if self.redrive(message_id).await? {
                moved.insert(message_id.clone());
            }
        }
        Ok(moved)
    }
}

#[async_trait]
impl Receiver for Store {
    async fn receive(&self, queue: &QueueName, max: usize, visibility_ms: u64) -> Result<Vec<Delivery>> {
        if max == 0 {
            return Ok(Vec::new());
        }
        let request = deliver::ReceiveRequest {
            queue: queue.to_string(),
            max,
            now: self.now(),
            visible_at: self.now().plus_ms(visibility_ms),
            max_receives: self.max_receives(),
        };
        self.write("queue.receive", move |connection| deliver::receive(connection, &request)).await
    }

    async fn acknowledge(&self, receipts: Vec<String>) -> Result<()> {
        let receipts: Vec<Receipt> = receipts.iter().filter_map(|receipt| Receipt::parse(receipt)).collect();
        if receipts.is_empty() {
            return Ok(());
        }
        self.write("queue.acknowledge", move |connection| settle::acknowledge(connection, &receipts)).await
    }

    async fn nack(&self, receipt: &str, delay_ms: u64) -> Result<()> {
        let Some(receipt) = Receipt::parse(receipt) else { return Ok(()) };
        let due_at = self.now().plus_ms(delay_ms);
        let given = self.write("queue.nack", move |connection| settle::nack(connection, receipt, due_at)).await?;
        given.iter().for_each(|queue| self.notifiers().notify(queue));
        Ok(())
    }

    async fn dead_letter(&self, receipt: &str, reason: &str) -> Result<()> {
        let Some(receipt) = Receipt::parse(receipt) else { return Ok(()) };
        let reason = reason.to_owned();
        self.write("queue.dead_letter", move |connection| dead::dead_letter_delivery(connection, receipt, &reason))
            .await
    }

    async fn wait(&self, queue: &QueueName) {
        let notify = self.notifiers().get(queue);
        let name = queue.to_string();
        loop {
            // Register for notifications before reading, so that no message is missed in between.
            let mut notified = std::pin::pin!(notify.notified());
            notified.as_mut().enable();
            let queue_name = name.clone();
            let due = self.read("queue.wait", move |connection| deliver::next_due(connection, &queue_name)).await;
            let left = match due {
                Ok(Some(due_at)) if due_at <= self.now() => return,
                Ok(due_at) => until(due_at, self.now()),
                Err(error) => {
                    // The caller gets the error from its next receive. Sleep, so that it does not poll in a tight loop.
                    tracing::warn!(
                        queue = name,
                        error = &error as &dyn std::error::Error,
                        "failed to read when the next message is due"
                    );
                    tokio::time::sleep(limit::POLL).await;
                    return;
                }
            };
            if timeout(left, notified).await.is_ok() {
                return;
            }
        }
    }

    async fn dead_letters(&self, limit: usize) -> Result<Vec<DeadLetter>> {
        self.read("queue.dead_letters", move |connection| dead::list(connection, limit)).await
    }

    async fn redrive(&self, message_id: &str) -> Result<bool> {
        let Some(id) = settle::number(message_id) else { return Ok(false) };
        let now = self.now();
        let queue = self.write("queue.redrive", move |connection| dead::redrive(connection, id, now)).await?;
        queue.iter().for_each(|queue| self.notifiers().notify(queue));
        Ok(queue.is_some())
    }
}

/// The sleep before the next poll: until the next message is due, but at most [`limit::POLL`], since other processes cannot notify this one.
fn until(due_at: Option<Timestamp>, now: Timestamp) -> Duration {
    let left = due_at.map_or(limit::POLL, |due_at| Duration::from_millis(due_at.since_ms(now)));
    left.min(limit::POLL)
}
