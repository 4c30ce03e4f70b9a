//! One action's queue: as many attempts at a time as there are places.

use std::sync::Arc;

use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use super::ends::Directly;
use super::{ATTEMPTS_PER_ACTION, Host};
use crate::attempt::Worker;
use crate::inbox::{self, Settled};
use crate::port::{Delivery, LeaseOwner, QueueName};

impl Host {
    pub(super) async fn actions(self, worker: Worker, mut stop: watch::Receiver<bool>) {
        let queue = QueueName::Action(worker.name().to_owned());
        let places = Arc::new(Semaphore::new(ATTEMPTS_PER_ACTION));
        let mut attempts = JoinSet::new();
        loop {
            // Receive only commands that can start at once.
            let Ok(first) = Arc::clone(&places).acquire_owned().await else { break };
            let free = 1 + places.available_permits();
            let Some(deliveries) = self.next(&queue, free, &mut stop).await else { break };
            let mut first = Some(first);
            for delivery in deliveries {
                let place = match first.take() {
                    Some(place) => place,
                    None => match Arc::clone(&places).acquire_owned().await {
                        Ok(place) => place,
                        Err(_) => break,
                    },
                };
                let (host, worker) = (self.clone(), worker.clone());
                attempts.spawn(async move {
                    let settled = host.perform(&worker, delivery).await;
                    inbox::settle(&*host.receiver, vec![settled]).await;
                    drop(place);
                });
            }
            while let Some(ended) = attempts.try_join_next() {
                report(ended);
            }
        }
        while let Some(ended) = attempts.join_next().await {
            report(ended);
        }
    }

    pub(super) async fn perform(&self, worker: &Worker, delivery: Delivery) -> Settled {
        let holder = LeaseOwner(delivery.receipt.clone());
        let Some(settlement) = &self.settlement else { return inbox::perform(worker, delivery, holder, None).await };
        let ends = Directly {
            dispatcher: self.dispatcher().clone(),
            settlement: Arc::clone(settlement),
            receipt: delivery.receipt.clone(),
        };
        inbox::perform(&worker.clone().ending_by(Arc::new(ends)), delivery, holder, None).await
    }
}

/// A panic inside an action costs that attempt alone: its command is delivered again, and the claim decides what is safe then.
fn report(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "an action panicked");
    }
}
