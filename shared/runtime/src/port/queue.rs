//! Queues with delay, visibility and dead-lettering, at least once.

use std::collections::BTreeSet;
use std::fmt;

use async_trait::async_trait;
use heal_engine::secret::Secrets;
use serde::{Deserialize, Serialize};

use super::Result;

/// The queues of the engine.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum QueueName {
    /// Messages from outside: incidents and remediation requests.
    Incidents,
    /// Messages to runs: results, wake-ups, approvals, cancellations.
    Results,
    /// What people may want to know.
    Notify,
    /// The commands of one action.
    Action(String),
}

impl QueueName {
    /// Parses `incidents`, `results`, `notify` or `action-<name>`: the row's key in embedded stores and the stem of the SQS queue's name.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "incidents" => Some(Self::Incidents),
            "results" => Some(Self::Results),
            "notify" => Some(Self::Notify),
            other => {
                other.strip_prefix("action-").filter(|name| !name.is_empty()).map(|name| Self::Action(name.to_owned()))
            }
        }
    }
}

impl fmt::Display for QueueName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Incidents => f.write_str("incidents"),
            Self::Results => f.write_str("results"),
            Self::Notify => f.write_str("notify"),
            Self::Action(name) => write!(f, "action-{name}"),
        }
    }
}

/// A message to send.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// Where it is sent.
    pub queue: QueueName,
    /// JSON.
    pub body: String,
    /// Not delivered before this many milliseconds have passed; SQS rounds up to seconds, 900 at most.
    pub delay_ms: u64,
    /// W3C `traceparent`, sent as an attribute.
    pub traceparent: Option<String>,
}

impl Message {
    /// A message for the queue of incidents: `text` without its secrets, since a queue keeps it. `by` is who sent it, if an identity did.
    pub fn incident(secrets: &Secrets, by: Option<&str>, text: &str, traceparent: Option<String>) -> Self {
        let text = secrets.hide_message(text);
        let body = by.map_or_else(|| text.clone(), |by| crate::message::attributed(by, &text));
        Self { queue: QueueName::Incidents, body, delay_ms: 0, traceparent }
    }
}

/// A delivered message. It is delivered again after its visibility timeout unless it is acknowledged.
#[derive(Debug, Clone, PartialEq)]
pub struct Delivery {
    /// Names this delivery; the next delivery of the same message has another. A receipt is current, even past the visibility timeout,
    /// until the message is delivered again, nacked, dead-lettered or acknowledged.
    pub receipt: String,
    /// Names the message through all its deliveries.
    pub message_id: String,
    /// The body as it was sent.
    pub body: String,
    /// 1 on the first delivery.
    pub receive_count: u32,
    /// W3C `traceparent`, if the message had one.
    pub traceparent: Option<String>,
    /// The identity that the queue attests for the sender, such as `iam:AROA…:session` for SQS; `None` on a queue that attests none.
    pub sender: Option<String>,
}

/// A message that was delivered too often, or that can never be processed.
#[derive(Debug, Clone, PartialEq)]
pub struct DeadLetter {
    /// Names the message.
    pub message_id: String,
    /// The queue that it was sent to.
    pub queue: QueueName,
    /// The body as it was sent.
    pub body: String,
    /// How often it was delivered.
    pub receive_count: u32,
    /// Why it is dead.
    pub reason: String,
    /// When it was first sent.
    pub sent_at: heal_engine::Timestamp,
}

/// Puts messages on queues.
#[async_trait]
pub trait Sender: Send + Sync + 'static {
    /// Sends all messages, each at least once. On an error, some may have been sent: the caller sends all of them again later.
    async fn send(&self, messages: Vec<Message>) -> Result<()>;
}

/// Receives messages. Only embedded backends implement it: on AWS the event source mappings receive.
#[async_trait]
pub trait Receiver: Send + Sync + 'static {
    /// Up to `max` messages that are due, each invisible to other receivers for `visibility_ms`. Returns at once, empty if none is due.
    /// A message that has been delivered `max_receives` times already is moved to the dead letters instead.
    async fn receive(&self, queue: &QueueName, max: usize, visibility_ms: u64) -> Result<Vec<Delivery>>;

    /// Removes delivered messages for good. A receipt that is no longer current removes nothing.
    async fn acknowledge(&self, receipts: Vec<String>) -> Result<()>;

    /// Returns a delivery to its queue, visible again after `delay_ms`. A receipt that is no longer current changes nothing.
    async fn nack(&self, receipt: &str, delay_ms: u64) -> Result<()>;

    /// Moves a delivery to the dead letters at once, with the reason.
    async fn dead_letter(&self, receipt: &str, reason: &str) -> Result<()>;

    /// Resolves when a message may be due on `queue`: one was sent, nacked, or became visible. May resolve without a due message.
    async fn wait(&self, queue: &QueueName);

    /// Up to `limit` dead letters, oldest first.
    async fn dead_letters(&self, limit: usize) -> Result<Vec<DeadLetter>>;

    /// Returns a dead letter to its queue with a receive count of 0. False if there is none of this id.
    async fn redrive(&self, message_id: &str) -> Result<bool>;
}

/// Dead letters of every queue of a home, for people.
#[async_trait]
pub trait DeadLetters: Send + Sync + 'static {
    /// Up to `limit` of them, oldest first. They stay where they are.
    async fn list(&self, limit: usize) -> Result<Vec<DeadLetter>>;

    /// Returns these to the queues that they came from, as new messages. The answer has the ids of those that existed. On an error some may
    /// have been returned already.
    async fn put_back(&self, message_ids: &BTreeSet<String>) -> Result<BTreeSet<String>>;
}
