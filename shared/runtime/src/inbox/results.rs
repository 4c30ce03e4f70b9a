//! Results, wake-ups, approvals and cancellations to their runs.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use heal_engine::RunId;
use tracing::Instrument as _;

use super::{Inbox, Verdict, again, dead_letter, done};
use crate::dispatcher::{DispatchError, Inbound};
use crate::port::{Delivery, QueueName};
use crate::span;

impl Inbox {
    pub(super) async fn results(&self, deliveries: Vec<Delivery>) -> Vec<Verdict> {
        let batch = span::batch(&QueueName::Results, &deliveries);
        let (runs, mut verdicts) = by_run(deliveries);
        let turns = runs.into_iter().map(|(run_id, messages)| self.turn(run_id, messages));
        verdicts.extend(join_all(turns).instrument(batch).await.into_iter().flatten());
        verdicts
    }

    /// The messages of one run are one turn with one write.
    pub(super) async fn turn(&self, run_id: RunId, messages: Vec<(Delivery, Inbound)>) -> Vec<Verdict> {
        let (deliveries, inbound): (Vec<_>, Vec<_>) = messages.into_iter().unzip();
        let cause_id = deliveries.first().map(|delivery| delivery.message_id.clone()).unwrap_or_default();
        let Err(error) = self.dispatcher.receive(&run_id, &cause_id, inbound).await else {
            return deliveries.into_iter().map(done).collect();
        };
        tracing::warn!(run_id = %run_id, error = &error as &dyn std::error::Error, "run could not be continued now");
        let verdict = |delivery: Delivery| match &error {
            DispatchError::UnknownRun { .. } => dead_letter(delivery, error.to_string()),
            DispatchError::Backend(_)
            | DispatchError::MissingPlan { .. }
            | DispatchError::Plan { .. }
            | DispatchError::Log { .. }
            | DispatchError::Contended { .. } => again(delivery),
        };
        deliveries.into_iter().map(verdict).collect()
    }
}

/// Each run's messages, in the order in which they were delivered.
type ByRun = BTreeMap<RunId, Vec<(Delivery, Inbound)>>;

/// Messages by their run; those that cannot be read are kept for a person.
fn by_run(deliveries: Vec<Delivery>) -> (ByRun, Vec<Verdict>) {
    let mut runs = ByRun::new();
    let mut unreadable = Vec::new();
    for delivery in deliveries {
        match Inbound::parse(&delivery.body) {
            Ok(inbound) => runs.entry(inbound.run_id().clone()).or_default().push((delivery, inbound)),
            Err(error) => unreadable.push(dead_letter(delivery, error.to_string())),
        }
    }
    (runs, unreadable)
}
