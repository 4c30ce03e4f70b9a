//! Results, wake-ups, approvals and cancellations: the messages of one run are one turn.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use heal_engine::RunId;

use super::dead::unreadable;
use super::{DeliveryOutcome, Inbox};
use crate::dispatcher::{DispatchError, SwitchOutcome};
use crate::message::Inbound;
use crate::port::{Delivery, HALTS};

impl Inbox {
    /// Each outcome with the index of its delivery.
    pub(super) async fn results(&self, deliveries: &[Delivery]) -> Vec<(usize, DeliveryOutcome)> {
        let mut outcomes = Vec::new();
        // Each run's messages, in the order of delivery.
        let mut runs: BTreeMap<RunId, Vec<(usize, Inbound)>> = BTreeMap::new();
        for (index, delivery) in deliveries.iter().enumerate() {
            match Inbound::parse(&delivery.body) {
                // Who answers a question of a run, or orders a hold, is what the queue attests.
                Ok(message) => {
                    let message = message.attested(self.attesting(delivery));
                    match message.run_id().cloned() {
                        Some(run_id) => runs.entry(run_id).or_default().push((index, message)),
                        None => outcomes.push((index, self.switch(delivery, message).await)),
                    }
                }
                Err(error) => outcomes.push((index, unreadable(&error, delivery))),
            }
        }
        let turns = runs.into_iter().map(async |(run_id, messages)| {
            let (indices, messages): (Vec<usize>, Vec<_>) = messages.into_iter().unzip();
            let deliveries = indices.into_iter().filter_map(|index| Some((index, deliveries.get(index)?)));
            self.turn(&run_id, deliveries.collect(), messages).await
        });
        outcomes.extend(join_all(turns).await.into_iter().flatten());
        outcomes
    }

    /// An order to the switches. A halt goes before the runs of its batch, so that they start nothing.
    async fn switch(&self, delivery: &Delivery, message: Inbound) -> DeliveryOutcome {
        let done = match &message {
            Inbound::Halt(halt) => self.dispatcher.halt(halt).await,
            Inbound::Resume { id, by } => self.dispatcher.resume(id, by).await,
            Inbound::Result(_)
            | Inbound::Late(_)
            | Inbound::Held(_)
            | Inbound::Hold { .. }
            | Inbound::Release { .. }
            | Inbound::Wake { .. }
            | Inbound::Approve { .. }
            | Inbound::Cancel { .. }
            | Inbound::ApprovalAnswer { .. }
            | Inbound::FollowUpDone { .. } => return DeliveryOutcome::Acknowledge,
        };
        match done {
            // It was resumed before, or it has ended.
            Ok(SwitchOutcome::Done | SwitchOutcome::Unknown) => DeliveryOutcome::Acknowledge,
            Ok(SwitchOutcome::Invalid(invalid)) => {
                DeliveryOutcome::dead_letter(format!("the halt is refused: {invalid}"))
            }
            Ok(SwitchOutcome::TooMany) => {
                DeliveryOutcome::dead_letter(format!("the halt is refused: {HALTS} halts last already, the limit"))
            }
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "failed to set a switch; it will be retried");
                DeliveryOutcome::back_off(delivery.receive_count)
            }
        }
    }

    /// One turn of one run, with one write: `messages` are the bodies of `deliveries`.
    pub(super) async fn turn(
        &self,
        run_id: &RunId,
        deliveries: Vec<(usize, &Delivery)>,
        messages: Vec<Inbound>,
    ) -> Vec<(usize, DeliveryOutcome)> {
        let cause_id = deliveries.first().map(|(_, delivery)| delivery.message_id.as_str()).unwrap_or_default();
        let receipts: Vec<String> = deliveries.iter().map(|(_, delivery)| delivery.receipt.clone()).collect();
        let result = self.dispatcher.receive_settling(run_id, cause_id, messages, &receipts).await;
        if let Err(error) = &result {
            tracing::warn!(run_id = %run_id, error = error as &dyn std::error::Error, "failed to continue a run");
        }
        let outcome = |delivery: &Delivery| match &result {
            Ok(_) => DeliveryOutcome::Acknowledge,
            Err(error @ DispatchError::UnknownRun { .. }) => DeliveryOutcome::dead_letter(error),
            Err(
                DispatchError::Backend(_)
                | DispatchError::MissingPlan { .. }
                | DispatchError::Plan { .. }
                | DispatchError::Log { .. }
                | DispatchError::Contended { .. }
                | DispatchError::ClaimLost { .. },
            ) => DeliveryOutcome::back_off(delivery.receive_count),
        };
        deliveries.into_iter().map(|(index, delivery)| (index, outcome(delivery))).collect()
    }
}
