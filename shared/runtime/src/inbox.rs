//! What a consumer of the queues does with what was delivered: each message for itself, each with a verdict.
//!
//! A host with queues of its own carries the verdicts out itself; on AWS the function's answer and two calls do. Whoever delivers does not matter here.

mod commands;
mod dead;
mod incidents;
mod results;

pub use commands::perform;

use crate::dispatcher::Dispatcher;
use crate::port::{Delivery, QueueName};

/// Milliseconds before a message that could not be handled is delivered again: doubled with each delivery up to the second number.
const GIVE_BACK_MS: (u64, u64) = (200, 30_000);

/// What is to happen with a delivered message, named by its receipt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It is dealt with.
    Done { receipt: String },
    /// Deliver it again after so many milliseconds.
    Again { receipt: String, delay_ms: u64 },
    /// It will never work: keep it for a person, with the reason.
    Bury { receipt: String, reason: String },
}

impl Verdict {
    pub fn receipt(&self) -> &str {
        match self {
            Self::Done { receipt } | Self::Again { receipt, .. } | Self::Bury { receipt, .. } => receipt,
        }
    }
}

/// The dispatcher behind its queues.
#[derive(Debug, Clone)]
pub struct Inbox {
    dispatcher: Dispatcher,
}

impl Inbox {
    pub const fn new(dispatcher: Dispatcher) -> Self {
        Self { dispatcher }
    }

    pub const fn dispatcher(&self) -> &Dispatcher {
        &self.dispatcher
    }

    /// What the dispatcher does with deliveries of `queue`: one verdict each, in no order. None of an action's own queue is for it.
    pub async fn take(&self, queue: &QueueName, deliveries: Vec<Delivery>) -> Vec<Verdict> {
        match queue {
            QueueName::Incidents => self.incidents(deliveries).await,
            QueueName::Results => self.results(deliveries).await,
            QueueName::Action(name) => {
                let reason = format!("a command for action `{name}` came to the dispatcher");
                deliveries.into_iter().map(|delivery| dead_letter(delivery, reason.clone())).collect()
            }
        }
    }

    /// What the dispatcher does with messages out of the dead-letter queue of `queue`: they were delivered too often there, whatever the
    /// reason. One verdict each.
    pub async fn take_dead(&self, queue: &QueueName, deliveries: Vec<Delivery>) -> Vec<Verdict> {
        match queue {
            // What could not be taken before may well be taken now.
            QueueName::Incidents | QueueName::Results => self.take(queue, deliveries).await,
            QueueName::Action(name) => self.dead_commands(name, deliveries).await,
        }
    }
}

fn done(delivery: Delivery) -> Verdict {
    Verdict::Done { receipt: delivery.receipt }
}

fn again(delivery: Delivery) -> Verdict {
    Verdict::Again { delay_ms: give_back_ms(delivery.receive_count), receipt: delivery.receipt }
}

fn dead_letter(delivery: Delivery, reason: impl Into<String>) -> Verdict {
    Verdict::Bury { receipt: delivery.receipt, reason: reason.into() }
}

/// Milliseconds before the next delivery of a message that has been delivered `receive_count` times.
fn give_back_ms(receive_count: u32) -> u64 {
    let (first, longest) = GIVE_BACK_MS;
    first.saturating_mul(1 << receive_count.saturating_sub(1).min(16)).min(longest)
}
