//! The queues: delay, visibility timeout and dead-lettering.

pub(crate) mod dead;
pub(crate) mod deliver;
mod hand;
mod leases;
mod mailbox;
mod receive;
pub(crate) mod settle;

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use heal_runtime::Timestamp;
use heal_runtime::port::{DeadLetter, DeadLetters, Delivery, Message, QueueName, Receiver, Result, Sender};
use tokio::sync::Notify;
use tokio::time::{Duration, timeout};

use crate::limit;
use crate::store::Store;
use deliver::{Due, Outgoing};
pub(crate) use hand::Survivors;
pub(crate) use leases::InHand;
use leases::Leases;
use mailbox::{Mailbox, Table};
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
    mailbox: Mailbox,
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

    /// Hands messages that were committed at `now`, each with its id, to the receivers of their queues, if this process has any.
    pub(crate) fn sent(&self, messages: &[Outgoing], ids: &[i64], now: Timestamp) {
        let doors = self.doors.lock().unwrap_or_else(PoisonError::into_inner);
        for (Outgoing { message, .. }, id) in messages.iter().zip(ids) {
            let Some(door) = doors.get(&message.queue) else { continue };
            if message.delay_ms == 0 {
                let (traceparent, body) = (message.traceparent.clone(), message.body.clone());
                door.mailbox.put(Due { id: *id, turn: 0, receive_count: 0, traceparent, body });
            } else {
                door.mailbox.is_due_later(now.plus_ms(message.delay_ms));
            }
            door.arrival.notify_waiters();
        }
    }

    /// A message is on `queue` again, due at `due_at`: wakes every waiter.
    fn returned(&self, queue: &QueueName, due_at: Timestamp) {
        let doors = self.doors.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(door) = doors.get(queue) {
            door.mailbox.is_due_later(due_at);
            door.arrival.notify_waiters();
        }
    }
}

#[async_trait]
impl Sender for Store {
    async fn send(&self, messages: Vec<Message>) -> Result<()> {
        let operation = "queue.send";
        if messages.is_empty() {
            return Ok(());
        }
        let now = self.now();
        let messages: Arc<[Outgoing]> = Outgoing::prepare(operation, messages)?.into();
        let sent = Arc::clone(&messages);
        let ids = self.write(operation, move |connection| deliver::send(connection, &sent, now)).await?;
        self.queues().sent(&messages, &ids, now);
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
        queue.iter().for_each(|queue| self.queues().returned(queue, due_at));
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
        let mut known = door.mailbox.table();
        loop {
            // Register for notifications before reading, so that no message is missed in between.
            let mut notified = std::pin::pin!(door.arrival.notified());
            notified.as_mut().enable();
            if !door.mailbox.is_empty() {
                return;
            }
            let now = self.now();
            let due_at = match std::mem::take(&mut known) {
                Table::Due(due_at) => Ok(due_at.into_iter().chain(self.queues().leases.next_visible(&name)).min()),
                Table::Unread => self.next_due(&name, now).await,
            };
            let left = match due_at {
                Ok(Some(due_at)) if due_at <= now => return door.mailbox.is_due_in_table(),
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
        queue.iter().for_each(|queue| self.queues().returned(queue, now));
        Ok(queue.is_some())
    }
}

/// The sleep before the next poll: until the next message is due, but at most [`limit::POLL`], since other processes cannot notify this one.
fn until(due_at: Option<Timestamp>, now: Timestamp) -> Duration {
    let left = due_at.map_or(limit::POLL, |due_at| Duration::from_millis(due_at.since_ms(now)));
    left.min(limit::POLL)
}
