//! The queues: delay, visibility timeout and dead-lettering.

pub(crate) mod dead;
pub(crate) mod deliver;
mod hand;
mod leases;
mod receive;
pub(crate) mod settle;

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
pub(crate) use hand::Survivors;
use leases::Leases;
use settle::Receipt;

/// The queues of this process: their deliveries in hand, and whoever waits for messages.
#[derive(Debug, Default)]
pub(crate) struct Queues {
    pub leases: Leases,
    /// There are as few queues as actions, so no entry is ever removed.
    doors: Mutex<HashMap<QueueName, Arc<Door>>>,
}

/// Where one queue's receivers wait.
#[derive(Debug, Default)]
struct Door {
    /// Notified of new messages.
    arrival: Notify,
    /// Receivers of a queue go one after another, so that what one has leased and settled is nothing that another has just read.
    receiving: tokio::sync::Mutex<()>,
}

impl Queues {
    fn door(&self, queue: &QueueName) -> Arc<Door> {
        let mut doors = self.doors.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(door) = doors.get(queue) {
            return Arc::clone(door);
        }
        Arc::clone(doors.entry(queue.clone()).or_default())
    }

    /// Wakes every waiter of `queue`.
    pub(crate) fn notify(&self, queue: &QueueName) {
        let doors = self.doors.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(door) = doors.get(queue) {
            door.arrival.notify_waiters();
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
        queues.iter().for_each(|queue| self.queues().notify(queue));
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
        self.receive_leased(queue, max, visibility_ms).await
    }

    async fn acknowledge(&self, receipts: Vec<String>) -> Result<()> {
        let receipts: Vec<Receipt> =
            self.queues().leases.current(&receipts).into_iter().map(|(receipt, _)| receipt).collect();
        if receipts.is_empty() {
            return Ok(());
        }
        let removed = receipts.clone();
        self.write("queue.acknowledge", move |connection| settle::acknowledge(connection, &removed)).await?;
        self.queues().leases.settled(&receipts);
        Ok(())
    }

    async fn nack(&self, receipt: &str, delay_ms: u64) -> Result<()> {
        let Some((receipt, mut lease)) = self.queues().leases.current(&[receipt.to_owned()]).pop() else {
            return Ok(());
        };
        if self.disk().is_full() {
            // The message is not to blame.
            lease.receive_count = lease.receive_count.saturating_sub(1);
        }
        let due_at = self.now().plus_ms(delay_ms);
        let queue =
            self.write("queue.nack", move |connection| settle::nack(connection, receipt, lease, due_at)).await?;
        self.queues().leases.returned(&[receipt]);
        queue.iter().for_each(|queue| self.queues().notify(queue));
        Ok(())
    }

    async fn dead_letter(&self, receipt: &str, reason: &str) -> Result<()> {
        let Some((receipt, lease)) = self.queues().leases.current(&[receipt.to_owned()]).pop() else { return Ok(()) };
        let (reason, delivered) = (reason.to_owned(), Some((receipt.turn, lease.receive_count)));
        let work = move |connection: &rusqlite::Connection| {
            dead::dead_letter(connection, receipt.id, delivered, &reason).map(drop)
        };
        self.write("queue.dead_letter", work).await?;
        self.queues().leases.settled(&[receipt]);
        Ok(())
    }

    async fn wait(&self, queue: &QueueName) {
        let door = self.queues().door(queue);
        let name = queue.to_string();
        loop {
            // Register for notifications before reading, so that no message is missed in between.
            let mut notified = std::pin::pin!(door.arrival.notified());
            notified.as_mut().enable();
            let now = self.now();
            let view = self.queues().leases.view(&name, now);
            let queue_name = name.clone();
            let work = move |connection: &rusqlite::Connection| {
                let due_at = deliver::next_due(connection, &queue_name, &view.hidden)?;
                Ok(due_at.into_iter().chain(view.next_visible).min())
            };
            let left = match self.read("queue.wait", work).await {
                Ok(Some(due_at)) if due_at <= now => return,
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
        queue.iter().for_each(|queue| self.queues().notify(queue));
        Ok(queue.is_some())
    }
}

/// The sleep before the next poll: until the next message is due, but at most [`limit::POLL`], since other processes cannot notify this one.
fn until(due_at: Option<Timestamp>, now: Timestamp) -> Duration {
    let left = due_at.map_or(limit::POLL, |due_at| Duration::from_millis(due_at.since_ms(now)));
    left.min(limit::POLL)
}
