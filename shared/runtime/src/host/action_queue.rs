//! Commands to their action.

use std::sync::Arc;

use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use super::{ATTEMPTS_PER_ACTION, Host};
use crate::attempt::Worker;
use crate::inbox::{self, Verdict};
use crate::port::{Delivery, LeaseOwner, QueueName};

impl Host {
    pub(super) async fn actions(self, worker: Worker, mut stop: watch::Receiver<bool>) {
        let queue = QueueName::Action(worker.name().to_owned());
        let places = Arc::new(Semaphore::new(ATTEMPTS_PER_ACTION));
        let mut attempts = JoinSet::new();
        loop {
            // Only what can start at once is taken off the queue.
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
                    let verdict = perform(&worker, delivery).await;
                    host.settle(vec![verdict]).await;
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
}

pub(super) async fn perform(worker: &Worker, delivery: Delivery) -> Verdict {
    let holder = LeaseOwner(delivery.receipt.clone());
    inbox::perform(worker, delivery, holder, None).await
}

/// A fault inside an action costs that attempt alone: its message comes back, and its claim says what is safe then.
fn report(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "an attempt ended by a fault in its action");
    }
}
