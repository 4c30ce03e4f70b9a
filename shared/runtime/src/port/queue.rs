//! Queues with delay, visibility and dead-lettering, at least once.

use std::fmt;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::Result;

/// The queues of the engine.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum QueueName {
    /// What comes in from outside: incidents and remediation requests.
    Incidents,
    /// What comes back to the dispatcher: results, wake-ups, approvals, cancellations.
    Results,
    /// The commands of one action.
    Action(String),
}

impl QueueName {
    /// `incidents`, `results`, or `action-<name>`: the row's key in embedded stores and the stem of the SQS queue's name.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "incidents" => Some(Self::Incidents),
            "results" => Some(Self::Results),
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
            Self::Action(name) => write!(f, "action-{name}"),
        }
    }
}

/// A message to be sent.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    pub queue: QueueName,
    pub body: String,
    /// Not delivered before this many milliseconds have passed; SQS rounds up to seconds, 900 at most.
    pub delay_ms: u64,
    /// W3C `traceparent`, carried beside the body.
    pub traceparent: Option<String>,
}

/// A message as it was delivered. It comes back after its visibility unless it is acknowledged.
#[derive(Debug, Clone, PartialEq)]
pub struct Delivery {
    /// Names this delivery; the next delivery of the same message has another. It is current, even past its visibility, until the
    /// message is delivered again, given back, buried or removed.
    pub receipt: String,
    /// Names the message through all its deliveries.
    pub message_id: String,
    pub body: String,
    /// 1 on the first delivery.
    pub receive_count: u32,
    pub traceparent: Option<String>,
}

/// A message that was delivered too often, or given up, with what is known of the reason.
#[derive(Debug, Clone, PartialEq)]
pub struct DeadLetter {
    pub message_id: String,
    pub queue: QueueName,
    pub body: String,
    pub receive_count: u32,
    pub reason: String,
    pub sent_at: heal_engine::Timestamp,
}

/// Puts messages on queues.
#[async_trait]
pub trait Sender: Send + Sync + 'static {
    /// Sends all of them, each at least once. On an error, some may have been sent: the caller sends all again later.
    async fn send(&self, messages: Vec<Message>) -> Result<()>;
}

/// Takes messages off queues. On AWS this is the event source mapping's work, so only embedded backends have it.
#[async_trait]
pub trait Receiver: Send + Sync + 'static {
    /// Up to `max` messages that are due, each invisible to others for `visibility_ms`. Returns at once, empty where nothing is due.
    /// A message that has been delivered `max_receives` times already goes to the dead letters instead.
    async fn receive(&self, queue: &QueueName, max: usize, visibility_ms: u64) -> Result<Vec<Delivery>>;

    /// Removes delivered messages for good. A receipt that is no longer current removes nothing.
    async fn acknowledge(&self, receipts: Vec<String>) -> Result<()>;

    /// Gives a delivery back, visible again after `delay_ms`. A receipt that is no longer current changes nothing.
    async fn nack(&self, receipt: &str, delay_ms: u64) -> Result<()>;

    /// Moves a delivery to the dead letters at once, with the reason.
    async fn dead_letter(&self, receipt: &str, reason: &str) -> Result<()>;

    /// Resolves when something may be due on `queue`: a message was sent, given back, or became visible. May wake too often.
    async fn wait(&self, queue: &QueueName);

    /// Dead letters; the one that died first comes first.
    async fn dead_letters(&self, limit: usize) -> Result<Vec<DeadLetter>>;

    /// Puts a dead letter back on its queue with a receive count of 0. False where it is not there.
    async fn redrive(&self, message_id: &str) -> Result<bool>;
}
