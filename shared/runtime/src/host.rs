//! The engine in one process: loops that poll the queues and pass messages to the dispatcher and to the actions.
//!
//! On AWS the event source mappings poll; here the loops poll any [`Receiver`].

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::attempt::Worker;
use crate::dispatcher::Dispatcher;
use crate::inbox::{self, Inbox};
use crate::port::{AttemptSettlement, BackendError, Delivery, DueRuns, QueueName, Receiver, Settlement};

mod action_queue;
mod ends;

/// Messages received at a time.
const BATCH: usize = 64;
/// Loops on each of the dispatcher's queues: while one waits for the disk, another computes.
const LOOPS: usize = 4;
/// Attempts of one action at a time in this process.
const ATTEMPTS_PER_ACTION: usize = 64;
/// Visibility timeout of the dispatcher's messages, in milliseconds: many times the length of a turn.
const TURN_VISIBILITY_MS: u64 = 60_000;
/// Visibility timeout of commands, in milliseconds: most attempts end within it. The command of a longer attempt is delivered again
/// meanwhile, and the attempt's claim rejects the second delivery.
const ATTEMPT_VISIBILITY_MS: u64 = 120_000;
/// Milliseconds between two sweeps for overdue runs.
const SWEEP_MS: u64 = 500;
/// Sweeps between two counts of the live runs.
const SWEEPS_PER_COUNT: u64 = 20;
/// Overdue runs that one sweep continues.
const SWEEP_RUNS: usize = 200;
/// Milliseconds to wait after a queue could not be read.
const QUEUE_FAULT_MS: u64 = 500;

/// The engine in one process.
#[derive(Clone)]
pub struct Host {
    inbox: Inbox,
    workers: Arc<BTreeMap<&'static str, Worker>>,
    receiver: Arc<dyn Receiver>,
    due_runs: Arc<dyn DueRuns>,
    /// Where runs, claims and queues lie in one database.
    settlement: Option<Arc<dyn AttemptSettlement>>,
}

impl std::fmt::Debug for Host {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Host").field("workers", &self.workers.keys()).finish_non_exhaustive()
    }
}

impl Host {
    /// A host of `dispatcher` and `workers`: polls `receiver`, and continues the overdue runs of `due_runs`.
    pub fn new(
        dispatcher: Dispatcher,
        workers: impl IntoIterator<Item = Worker>,
        receiver: Arc<dyn Receiver>,
        due_runs: Arc<dyn DueRuns>,
    ) -> Self {
        let workers = workers.into_iter().map(|worker| (worker.name(), worker)).collect();
        Self { inbox: Inbox::new(dispatcher), workers: Arc::new(workers), receiver, due_runs, settlement: None }
    }

    /// Settles each turn, and each end of an attempt, by one call of `settlement`: it stands for the same runs, claims and queues as the ports of
    /// the dispatcher and of the workers.
    #[must_use]
    pub fn settling<S: Settlement + AttemptSettlement>(self, settlement: Arc<S>) -> Self {
        let dispatcher = self.inbox.dispatcher().clone().settling(Arc::clone(&settlement) as Arc<dyn Settlement>);
        Self { inbox: Inbox::new(dispatcher), settlement: Some(settlement), ..self }
    }

    /// The dispatcher of this process.
    pub const fn dispatcher(&self) -> &Dispatcher {
        self.inbox.dispatcher()
    }

    /// Receives up to `max` messages that are due on `queue` now, processes them to their end, and returns their number. For callers with
    /// a clock of their own.
    ///
    /// # Errors
    /// The queue could not be read.
    pub async fn once(&self, queue: &QueueName, max: usize) -> Result<usize, BackendError> {
        let deliveries = self.receiver.receive(queue, max, visibility_ms(queue)).await?;
        let handled = deliveries.len();
        let settled = match queue {
            QueueName::Incidents | QueueName::Results | QueueName::Notify => self.inbox.take(queue, deliveries).await,
            QueueName::Action(name) => {
                let Some(worker) = self.workers.get(name.as_str()) else { return Ok(0) };
                join_all(deliveries.into_iter().map(|delivery| self.perform(worker, delivery))).await
            }
        };
        inbox::settle(&*self.receiver, settled).await;
        Ok(handled)
    }

    /// Runs until `stop` becomes true, then completes the messages in progress and receives no more.
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
                tracing::error!(%error, "a loop of the engine panicked");
            }
        }
    }

    /// One of the dispatcher's two queues.
    async fn dispatches(self, queue: QueueName, mut stop: watch::Receiver<bool>) {
        while let Some(deliveries) = self.next(&queue, BATCH, &mut stop).await {
            let settled = self.inbox.take(&queue, deliveries).await;
            inbox::settle(&*self.receiver, settled).await;
        }
    }

    /// Continues overdue runs: deadlines, and results that were lost.
    async fn sweeps(self, mut stop: watch::Receiver<bool>) {
        for sweep in 0_u64.. {
            if stopped(&mut stop, Duration::from_millis(SWEEP_MS)).await {
                break;
            }
            if sweep.is_multiple_of(SWEEPS_PER_COUNT)
                && let Err(error) = self.inbox.dispatcher().count_active(&*self.due_runs).await
            {
                tracing::warn!(error = &error as &dyn std::error::Error, "failed to count the live runs");
            }
            if let Err(error) = self.inbox.dispatcher().sweep(&*self.due_runs, SWEEP_RUNS).await {
                tracing::warn!(error = &error as &dyn std::error::Error, "failed to list the overdue runs");
            }
        }
    }

    /// The next messages of `queue`, waiting for them; `None` once the process is to stop.
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
                    tracing::warn!(%queue, error = &error as &dyn std::error::Error, "failed to read a queue");
                    if stopped(stop, Duration::from_millis(QUEUE_FAULT_MS)).await {
                        return None;
                    }
                }
            }
        }
    }
}

/// The visibility timeout of `queue`, in milliseconds.
const fn visibility_ms(queue: &QueueName) -> u64 {
    match queue {
        QueueName::Incidents | QueueName::Results | QueueName::Notify => TURN_VISIBILITY_MS,
        QueueName::Action(_) => ATTEMPT_VISIBILITY_MS,
    }
}

/// Waits for `length`, or until the process is to stop: then true.
async fn stopped(stop: &mut watch::Receiver<bool>, length: Duration) -> bool {
    tokio::select! {
        () = tokio::time::sleep(length) => *stop.borrow(),
        _ = stop.changed() => true,
    }
}
