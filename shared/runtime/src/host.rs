//! Everything in one process: the loops that carry messages from the queues to the dispatcher and to the actions.
//!
//! On AWS the event source mappings do this work; here it is done over any [`Receiver`].

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::attempt::Worker;
use crate::dispatcher::Dispatcher;
use crate::inbox::{Inbox, Verdict};
use crate::port::{BackendError, Delivery, QueueName, Receiver};

mod action_queue;

/// Messages taken at a time.
const BATCH: usize = 64;
/// Loops on each of the dispatcher's queues: while one waits for the disk, another computes.
const LOOPS: usize = 4;
/// Attempts of one action at a time in this process.
const ATTEMPTS_PER_ACTION: usize = 64;
/// Milliseconds in which a turn is over, many times; afterwards the message is delivered again.
const TURN_VISIBILITY_MS: u64 = 60_000;
/// Milliseconds in which most attempts are over. A longer one is delivered again meanwhile, and its claim turns the second delivery away.
const ATTEMPT_VISIBILITY_MS: u64 = 120_000;
/// Milliseconds between two looks for overdue runs.
const SWEEP_MS: u64 = 500;
/// Sweeps between two counts of the runs that have not ended.
const SWEEPS_PER_CENSUS: u64 = 20;
/// Overdue runs looked at in one sweep.
const SWEEP_RUNS: usize = 200;
/// Milliseconds to wait after a queue could not be read.
const QUEUE_FAULT_MS: u64 = 500;

/// The engine in one process.
#[derive(Clone)]
pub struct Host {
    inbox: Inbox,
    workers: Arc<BTreeMap<&'static str, Worker>>,
    receiver: Arc<dyn Receiver>,
}

impl std::fmt::Debug for Host {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Host").field("workers", &self.workers.keys()).finish_non_exhaustive()
    }
}

impl Host {
    pub fn new(dispatcher: Dispatcher, workers: impl IntoIterator<Item = Worker>, receiver: Arc<dyn Receiver>) -> Self {
        let workers = workers.into_iter().map(|worker| (worker.name(), worker)).collect();
        Self { inbox: Inbox::new(dispatcher), workers: Arc::new(workers), receiver }
    }

    pub const fn dispatcher(&self) -> &Dispatcher {
        self.inbox.dispatcher()
    }

    /// Handles what is due on `queue` at this moment, to its end, and says how many messages that were. For those who own time themselves.
    ///
    /// # Errors
    /// The queue could not be read.
    pub async fn once(&self, queue: &QueueName, max: usize) -> Result<usize, BackendError> {
        let deliveries = self.receiver.receive(queue, max, visibility_ms(queue)).await?;
        let handled = deliveries.len();
        let verdicts = match queue {
            QueueName::Incidents | QueueName::Results => self.inbox.take(queue, deliveries).await,
            QueueName::Action(name) => {
                let Some(worker) = self.workers.get(name.as_str()) else { return Ok(0) };
                join_all(deliveries.into_iter().map(|delivery| action_queue::perform(worker, delivery))).await
            }
        };
        self.settle(verdicts).await;
        Ok(handled)
    }

    /// Works until `stop` says true, then ends what it has begun and takes nothing more.
    pub async fn run(self, stop: watch::Receiver<bool>) {
        let mut loops = JoinSet::new();
        for _ in 0..LOOPS {
            loops.spawn(self.clone().dispatches(QueueName::Incidents, stop.clone()));
            loops.spawn(self.clone().dispatches(QueueName::Results, stop.clone()));
        }
        for worker in self.workers.values() {
            loops.spawn(self.clone().actions(worker.clone(), stop.clone()));
        }
        loops.spawn(self.clone().sweeps(stop));
        while let Some(ended) = loops.join_next().await {
            if let Err(error) = ended {
                tracing::error!(%error, "a loop of the engine ended by a fault");
            }
        }
    }

    /// One of the dispatcher's two queues.
    async fn dispatches(self, queue: QueueName, mut stop: watch::Receiver<bool>) {
        while let Some(deliveries) = self.next(&queue, BATCH, &mut stop).await {
            let verdicts = self.inbox.take(&queue, deliveries).await;
            self.settle(verdicts).await;
        }
    }

    /// Deadlines, and answers that never came.
    async fn sweeps(self, mut stop: watch::Receiver<bool>) {
        for sweep in 0_u64.. {
            if stopped(&mut stop, Duration::from_millis(SWEEP_MS)).await {
                break;
            }
            if sweep.is_multiple_of(SWEEPS_PER_CENSUS)
                && let Err(error) = self.inbox.dispatcher().count_active().await
            {
                tracing::warn!(error = &error as &dyn std::error::Error, "runs could not be counted");
            }
            if let Err(error) = self.inbox.dispatcher().sweep(SWEEP_RUNS).await {
                tracing::warn!(error = &error as &dyn std::error::Error, "overdue runs could not be listed");
            }
        }
    }

    /// What is due on `queue`, waiting for it; none once the process is to stop.
    async fn next(&self, queue: &QueueName, max: usize, stop: &mut watch::Receiver<bool>) -> Option<Vec<Delivery>> {
        loop {
            if *stop.borrow() {
                return None;
            }
            match self.receiver.receive(queue, max, visibility_ms(queue)).await {
                Ok(deliveries) if !deliveries.is_empty() => return Some(deliveries),
                Ok(_) => {
                    tokio::select! {
                        () = self.receiver.wait(queue) => {}
                        _ = stop.changed() => return None,
                    }
                }
                Err(error) => {
                    tracing::warn!(%queue, error = &error as &dyn std::error::Error, "queue could not be read");
                    if stopped(stop, Duration::from_millis(QUEUE_FAULT_MS)).await {
                        return None;
                    }
                }
            }
        }
    }

    /// Carries out the verdicts. What cannot be carried out is delivered again, and recognised.
    async fn settle(&self, verdicts: Vec<Verdict>) {
        let mut done = Vec::new();
        let mut rest = Vec::new();
        for verdict in verdicts {
            match verdict {
                Verdict::Done { receipt } => done.push(receipt),
                Verdict::Again { .. } | Verdict::Bury { .. } => rest.push(verdict),
            }
        }
        if !done.is_empty() {
            warn_if_failed(self.receiver.acknowledge(done).await);
        }
        let others = rest.into_iter().map(|verdict| async move {
            match verdict {
                Verdict::Done { .. } => Ok(()),
                Verdict::Again { receipt, delay_ms } => self.receiver.nack(&receipt, delay_ms).await,
                Verdict::Bury { receipt, reason } => self.receiver.dead_letter(&receipt, &reason).await,
            }
        });
        join_all(others).await.into_iter().for_each(warn_if_failed);
    }
}

/// Milliseconds in which most deliveries of `queue` are settled.
const fn visibility_ms(queue: &QueueName) -> u64 {
    match queue {
        QueueName::Incidents | QueueName::Results => TURN_VISIBILITY_MS,
        QueueName::Action(_) => ATTEMPT_VISIBILITY_MS,
    }
}

/// Waits for `length`, or for the word to stop: then true.
async fn stopped(stop: &mut watch::Receiver<bool>, length: Duration) -> bool {
    tokio::select! {
        () = tokio::time::sleep(length) => *stop.borrow(),
        _ = stop.changed() => true,
    }
}

fn warn_if_failed(result: Result<(), BackendError>) {
    if let Err(error) = result {
        tracing::warn!(
            error = &error as &dyn std::error::Error,
            "message could not be settled; it will be delivered again"
        );
    }
}
