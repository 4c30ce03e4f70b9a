//! Queues in memory.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use heal_runtime::Timestamp;
use heal_runtime::port::{Clock, DeadLetter, Delivery, Message, QueueName, Receiver, Result, Sender, Settles};
use tokio::sync::Notify;

use super::{Faults, lock};

/// Deliveries of one message before it becomes a dead letter, as the queues of the template have it.
pub const MAX_RECEIVES: u32 = 5;

/// How often a waiter reads the clock: a manual clock does not notify anyone when it advances.
const POLL: Duration = Duration::from_millis(5);

/// All queues, as one [`Sender`] and [`Receiver`] in memory.
pub struct Queues {
    faults: Faults,
    clock: Arc<dyn Clock>,
    model: Mutex<Model>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct Model {
    last_id: u64,
    messages: BTreeMap<u64, Entry>,
    /// Oldest first.
    dead: Vec<(u64, Entry, String)>,
}

#[derive(Debug, Clone)]
struct Entry {
    message: Message,
    sent_at: Timestamp,
    due_at: Timestamp,
    receive_count: u32,
    /// Counts deliveries and nacks over the message's life, so that no receipt is used twice.
    turn: u64,
    /// Whether the receipt of this turn is current.
    delivered: bool,
}

impl Model {
    fn send(&mut self, message: Message, now: Timestamp) {
        self.last_id += 1;
        let due_at = now.plus_ms(message.delay_ms);
        self.messages
            .insert(self.last_id, Entry { message, sent_at: now, due_at, receive_count: 0, turn: 0, delivered: false });
    }

    fn receive(&mut self, queue: &QueueName, max: usize, visibility_ms: u64, now: Timestamp) -> Vec<Delivery> {
        let mut due: Vec<_> = self
            .messages
            .iter()
            .filter(|(_, e)| e.message.queue == *queue && e.due_at <= now)
            .map(|(id, e)| (e.due_at, *id))
            .collect();
        due.sort_unstable();
        let mut deliveries = Vec::new();
        for (_, id) in due {
            if deliveries.len() == max {
                break;
            }
            let Some(entry) = self.messages.get_mut(&id) else { continue };
            if entry.receive_count >= MAX_RECEIVES {
                let reason = format!("delivered {} times and never acknowledged", entry.receive_count);
                self.dead_letter(id, reason);
                continue;
            }
            entry.receive_count += 1;
            entry.turn += 1;
            entry.delivered = true;
            entry.due_at = now.plus_ms(visibility_ms);
            deliveries.push(Delivery {
                receipt: format!("{id}.{}", entry.turn),
                message_id: id.to_string(),
                body: entry.message.body.clone(),
                receive_count: entry.receive_count,
                traceparent: entry.message.traceparent.clone(),
                sender: None,
            });
        }
        deliveries
    }

    /// The message that `receipt` is the current receipt of.
    fn current(&mut self, receipt: &str) -> Option<(u64, &mut Entry)> {
        let (id, turn) = receipt.split_once('.')?;
        let (id, turn): (u64, u64) = (id.parse().ok()?, turn.parse().ok()?);
        let entry = self.messages.get_mut(&id)?;
        (entry.delivered && entry.turn == turn).then_some((id, entry))
    }

    fn acknowledge(&mut self, receipts: &[String]) {
        for receipt in receipts {
            if let Some((id, _)) = self.current(receipt) {
                self.messages.remove(&id);
            }
        }
    }

    fn dead_letter(&mut self, id: u64, reason: String) {
        if let Some(entry) = self.messages.remove(&id) {
            self.dead.push((id, entry, reason));
        }
    }

    fn redrive(&mut self, message_id: &str, now: Timestamp) -> bool {
        let Some(index) = self.dead.iter().position(|(id, ..)| id.to_string() == message_id) else { return false };
        let (id, entry, _) = self.dead.remove(index);
        self.messages.insert(id, Entry { due_at: now, receive_count: 0, delivered: false, ..entry });
        true
    }
}

impl Queues {
    /// Empty queues that use `clock`, and whose calls fail as `faults` decides.
    pub fn new(clock: Arc<dyn Clock>, faults: Faults) -> Self {
        Self { faults, clock, model: Mutex::default(), changed: Notify::new() }
    }

    /// The number of messages that are neither acknowledged nor dead, whether due, delayed or delivered.
    pub fn pending(&self) -> usize {
        lock(&self.model).messages.len()
    }

    /// The queues with a message that is due, each once.
    pub fn due(&self) -> Vec<QueueName> {
        let now = self.clock.now();
        let mut due: Vec<QueueName> = Vec::new();
        for entry in lock(&self.model).messages.values().filter(|entry| entry.due_at <= now) {
            if !due.contains(&entry.message.queue) {
                due.push(entry.message.queue.clone());
            }
        }
        due
    }

    /// Removes a dead letter: somebody has dealt with it.
    pub fn forget(&self, message_id: &str) {
        lock(&self.model).dead.retain(|(id, ..)| id.to_string() != message_id);
    }

    /// What is pending: queue, deliveries and body of each message.
    pub fn told(&self) -> Vec<String> {
        let told = |entry: &Entry| format!("{} ×{}: {}", entry.message.queue, entry.receive_count, entry.message.body);
        lock(&self.model).messages.values().map(told).collect()
    }
}

impl Queues {
    /// Sends and acknowledges, as a part of something larger.
    pub(super) fn settle_now(&self, settles: Settles) {
        let now = self.clock.now();
        let mut model = lock(&self.model);
        for message in settles.messages {
            model.send(message, now);
        }
        model.acknowledge(&settles.acknowledges);
        drop(model);
        self.changed.notify_waiters();
    }
}

#[async_trait]
impl Sender for Queues {
    async fn send(&self, messages: Vec<Message>) -> Result<()> {
        let now = self.clock.now();
        let sent = self
            .faults
            .around("queue.send", || {
                let mut model = lock(&self.model);
                for message in messages {
                    model.send(message, now);
                }
            })
            .await;
        self.changed.notify_waiters();
        sent
    }
}

#[async_trait]
impl Receiver for Queues {
    async fn receive(&self, queue: &QueueName, max: usize, visibility_ms: u64) -> Result<Vec<Delivery>> {
        let now = self.clock.now();
        self.faults.around("queue.receive", || lock(&self.model).receive(queue, max, visibility_ms, now)).await
    }

    async fn acknowledge(&self, receipts: Vec<String>) -> Result<()> {
        self.faults.around("queue.acknowledge", || lock(&self.model).acknowledge(&receipts)).await
    }

    async fn nack(&self, receipt: &str, delay_ms: u64) -> Result<()> {
        let due_at = self.clock.now().plus_ms(delay_ms);
        let nacked = self
            .faults
            .around("queue.nack", || {
                if let Some((_, entry)) = lock(&self.model).current(receipt) {
                    entry.delivered = false;
                    entry.due_at = due_at;
                }
            })
            .await;
        self.changed.notify_waiters();
        nacked
    }

    async fn dead_letter(&self, receipt: &str, reason: &str) -> Result<()> {
        self.faults
            .around("queue.dead_letter", || {
                let mut model = lock(&self.model);
                if let Some((id, _)) = model.current(receipt) {
                    model.dead_letter(id, reason.to_owned());
                }
            })
            .await
    }

    async fn wait(&self, queue: &QueueName) {
        let is_due = || {
            let now = self.clock.now();
            lock(&self.model).messages.values().any(|entry| entry.message.queue == *queue && entry.due_at <= now)
        };
        while !is_due() {
            // A change between the check and the sleep is seen one poll later.
            let _ = tokio::time::timeout(POLL, self.changed.notified()).await;
        }
    }

    async fn dead_letters(&self, limit: usize) -> Result<Vec<DeadLetter>> {
        self.faults
            .around("queue.dead_letters", || {
                let letter = |(id, entry, reason): &(u64, Entry, String)| DeadLetter {
                    message_id: id.to_string(),
                    queue: entry.message.queue.clone(),
                    body: entry.message.body.clone(),
                    receive_count: entry.receive_count,
                    reason: reason.clone(),
                    sent_at: entry.sent_at,
                };
                lock(&self.model).dead.iter().take(limit).map(letter).collect()
            })
            .await
    }

    async fn redrive(&self, message_id: &str) -> Result<bool> {
        let now = self.clock.now();
        let redriven = self.faults.around("queue.redrive", || lock(&self.model).redrive(message_id, now)).await;
        self.changed.notify_waiters();
        redriven
    }
}

impl fmt::Debug for Queues {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queues").field("model", &self.model).field("faults", &self.faults).finish_non_exhaustive()
    }
}
