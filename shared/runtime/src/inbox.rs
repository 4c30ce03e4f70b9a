//! From deliveries to outcomes: every message of a batch is acknowledged, retried or dead-lettered on its own.
//!
//! A host with its own queues applies the outcomes with [`settle`]; on AWS, the function's answer and two calls of SQS apply them. The inbox
//! does not know which.
//!
//! *Invariant*: results are built from the deliveries. A handler that loses or contradicts an outcome costs one more delivery, never a message.

mod dead;
mod results;

use futures_util::future::join_all;
use heal_engine::Timestamp;
use heal_engine::secret::{Secrets, hide_text};
use tracing::Instrument as _;

use crate::attempt::{self, CommandOutcome, Worker};
use crate::dispatcher::{Dispatcher, IntakeOutcome};
use crate::message;
use crate::port::{BackendError, Delivery, LeaseOwner, QueueName, Receiver};
use crate::span;

/// Backoff before a message is retried, in milliseconds: doubled with each delivery.
const FIRST_RETRY_MS: u64 = 200;
/// The longest backoff, in milliseconds.
const LONGEST_RETRY_MS: u64 = 30_000;
/// Milliseconds added to the end of another worker's lease before its message is delivered again.
const AFTER_LEASE_MS: u64 = 50;

/// A delivered message with its outcome.
#[derive(Debug, Clone, PartialEq)]
pub struct Settled {
    /// The message.
    pub delivery: Delivery,
    /// What is to happen to it.
    pub outcome: DeliveryOutcome,
}

impl Settled {
    /// A dead letter is kept for people: its body loses its secrets, which no intake reads.
    fn hide(&mut self, secrets: &Secrets) {
        if matches!(self.outcome, DeliveryOutcome::DeadLetter { .. }) {
            self.delivery.body = secrets.hide_message(&self.delivery.body);
        }
    }
}

/// What is to happen to a delivered message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeliveryOutcome {
    /// Processed: remove it from the queue.
    Acknowledge,
    /// Not processed: deliver it again.
    Retry {
        /// Not before this many milliseconds have passed.
        delay_ms: u64,
    },
    /// It can never be processed: keep it for a person.
    DeadLetter {
        /// Why it cannot be processed.
        reason: String,
    },
}

impl Default for DeliveryOutcome {
    /// Without a known outcome a message is retried: removing it would lose it.
    fn default() -> Self {
        Self::Retry { delay_ms: FIRST_RETRY_MS }
    }
}

impl DeliveryOutcome {
    /// A retry after the backoff of a message that has been delivered `receive_count` times.
    fn back_off(receive_count: u32) -> Self {
        let doubled = FIRST_RETRY_MS.saturating_mul(1 << receive_count.saturating_sub(1).min(16));
        Self::Retry { delay_ms: doubled.min(LONGEST_RETRY_MS) }
    }

    fn dead_letter(reason: impl std::fmt::Display) -> Self {
        Self::DeadLetter { reason: hide_text(&reason.to_string()).into_owned() }
    }
}

/// The dispatcher behind its queues.
#[derive(Debug, Clone)]
pub struct Inbox {
    dispatcher: Dispatcher,
    /// The sender whose messages say who orders a change.
    trusted: Option<String>,
}

impl Inbox {
    /// An inbox in front of `dispatcher`.
    pub const fn new(dispatcher: Dispatcher) -> Self {
        Self { dispatcher, trusted: None }
    }

    /// Believes what messages of `sender`, an identity that the queue attests, say about who orders a change: it is the API, which has
    /// identified its caller. What any other sender says is replaced by its own identity.
    #[must_use]
    pub fn trusting(self, sender: Option<String>) -> Self {
        Self { trusted: sender, ..self }
    }

    /// The identity that the queue attests for a delivery, unless the delivery's own word counts.
    pub(in crate::inbox) fn attesting<'d>(&self, delivery: &'d Delivery) -> Option<&'d str> {
        delivery.sender.as_deref().filter(|sender| self.trusted.as_deref() != Some(*sender))
    }

    /// The dispatcher behind this inbox.
    pub const fn dispatcher(&self) -> &Dispatcher {
        &self.dispatcher
    }

    /// Processes deliveries of `queue`. A command for an action does not belong here, and is dead-lettered.
    pub async fn take(&self, queue: &QueueName, deliveries: Vec<Delivery>) -> Vec<Settled> {
        let batch = || span::batch(queue, &deliveries);
        let outcomes: Vec<(usize, DeliveryOutcome)> = match queue {
            QueueName::Incidents => {
                let outcomes = deliveries.iter().map(|delivery| self.incident(delivery));
                join_all(outcomes).instrument(batch()).await.into_iter().enumerate().collect()
            }
            QueueName::Results => self.results(&deliveries).instrument(batch()).await,
            QueueName::Action(_) | QueueName::Notify => {
                let reason = format!("the dispatcher received a message of the queue `{queue}`");
                deliveries.iter().map(|_| DeliveryOutcome::dead_letter(&reason)).enumerate().collect()
            }
        };
        let mut settled = join_outcomes(deliveries, outcomes);
        if *queue == QueueName::Incidents {
            settled.iter_mut().for_each(|settled| settled.hide(self.dispatcher.secrets()));
        }
        settled
    }

    /// Processes messages from the dead-letter queue of `queue`, which were delivered too often there.
    pub async fn take_dead(&self, queue: &QueueName, deliveries: Vec<Delivery>) -> Vec<Settled> {
        match queue {
            // The cause of the earlier failures may be gone.
            QueueName::Incidents | QueueName::Results | QueueName::Notify => self.take(queue, deliveries).await,
            QueueName::Action(name) => {
                let outcomes = join_all(deliveries.iter().map(|delivery| self.dead_command(name, delivery))).await;
                join_outcomes(deliveries, outcomes.into_iter().enumerate())
            }
        }
    }

    /// One incident. A message that is not readable as one is recorded as a failed run, and kept in the dead letters.
    async fn incident(&self, delivery: &Delivery) -> DeliveryOutcome {
        let Delivery { message_id, body, traceparent, receive_count, sender, receipt } = delivery;
        let attributed = message::read_attributed(body).filter(|_| self.attesting(delivery).is_none());
        let (by, body) = match &attributed {
            Some((by, body)) => (Some(by.as_str()), *body),
            None => (sender.as_deref(), body.as_str()),
        };
        let receipts = std::slice::from_ref(receipt);
        match self.dispatcher.accept_settling(body, message_id, traceparent.as_deref(), by, receipts).await {
            Ok(IntakeOutcome::Rejected { reason, understood: false, .. }) => DeliveryOutcome::dead_letter(reason),
            Ok(intake) => {
                tracing::debug!(?intake, "message accepted");
                DeliveryOutcome::Acknowledge
            }
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(message_id, error, "failed to accept an incident; it will be retried");
                DeliveryOutcome::back_off(*receive_count)
            }
        }
    }
}

/// Performs one command with `worker`. `holder` is unique to this delivery; the attempt ends before `latest`, if given.
pub async fn perform(worker: &Worker, delivery: Delivery, holder: LeaseOwner, latest: Option<Timestamp>) -> Settled {
    let outcome = match worker.handle_before(&delivery.body, holder, latest).await {
        Ok(CommandOutcome::Answered(_) | CommandOutcome::Late | CommandOutcome::Held) => DeliveryOutcome::Acknowledge,
        Ok(CommandOutcome::Busy { until }) => {
            DeliveryOutcome::Retry { delay_ms: worker.wait_ms(until) + AFTER_LEASE_MS }
        }
        Ok(CommandOutcome::Lost) => DeliveryOutcome::Retry { delay_ms: 0 },
        Err(error @ (attempt::Error::Unreadable(_) | attempt::Error::WrongAction { .. })) => {
            worker.observer().step_dead_lettered(worker.name());
            DeliveryOutcome::dead_letter(error)
        }
        Err(attempt::Error::Backend(error)) => {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(action = worker.name(), error, "failed to make an attempt; its command will be retried");
            DeliveryOutcome::back_off(delivery.receive_count)
        }
    };
    let mut settled = Settled { delivery, outcome };
    settled.hide(&Secrets::default());
    settled
}

/// Joins deliveries with what a handler reported of them, each outcome with the index of its delivery.
///
/// A delivery without an outcome is retried, and so is one with two that differ. An index without a delivery is ignored.
pub fn join_outcomes(
    deliveries: Vec<Delivery>,
    reported: impl IntoIterator<Item = (usize, DeliveryOutcome)>,
) -> Vec<Settled> {
    let mut outcomes: Vec<Option<DeliveryOutcome>> = vec![None; deliveries.len()];
    for (index, outcome) in reported {
        if let Some(known) = outcomes.get_mut(index) {
            *known = Some(match known.take() {
                Some(earlier) if earlier != outcome => DeliveryOutcome::default(),
                Some(_) | None => outcome,
            });
        }
    }
    let settled = deliveries.into_iter().zip(outcomes).map(|(delivery, outcome)| {
        let outcome = outcome.unwrap_or_else(|| DeliveryOutcome::back_off(delivery.receive_count));
        Settled { delivery, outcome }
    });
    settled.collect()
}

/// Applies outcomes to the queue that the messages came from. If that fails, the message is delivered again, and its consumer recognises it.
pub async fn settle(receiver: &dyn Receiver, settled: Vec<Settled>) {
    let mut acknowledged = Vec::new();
    let mut others = Vec::new();
    for Settled { delivery, outcome } in settled {
        match outcome {
            DeliveryOutcome::Acknowledge => acknowledged.push(delivery.receipt),
            DeliveryOutcome::Retry { .. } | DeliveryOutcome::DeadLetter { .. } => {
                others.push((delivery.receipt, outcome));
            }
        }
    }
    if !acknowledged.is_empty() {
        warn_if_failed(receiver.acknowledge(acknowledged).await);
    }
    let others = others.into_iter().map(|(receipt, outcome)| async move {
        match outcome {
            DeliveryOutcome::Acknowledge => Ok(()),
            DeliveryOutcome::Retry { delay_ms } => receiver.nack(&receipt, delay_ms).await,
            DeliveryOutcome::DeadLetter { reason } => receiver.dead_letter(&receipt, &reason).await,
        }
    });
    join_all(others).await.into_iter().for_each(warn_if_failed);
}

fn warn_if_failed(result: Result<(), BackendError>) {
    if let Err(error) = result {
        let error = &error as &dyn std::error::Error;
        tracing::warn!(error, "failed to settle a message; it will be delivered again");
    }
}
