//! Who waits for which queue, within this process.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use heal_runtime::port::QueueName;
use tokio::sync::Notify;

/// One bell per queue. There are as many queues as actions, so none is ever removed.
#[derive(Debug, Default)]
pub(crate) struct Wakes {
    bells: Mutex<HashMap<QueueName, Arc<Notify>>>,
}

impl Wakes {
    pub(super) fn of(&self, queue: &QueueName) -> Arc<Notify> {
        let mut bells = self.bells.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bell) = bells.get(queue) {
            return Arc::clone(bell);
        }
        Arc::clone(bells.entry(queue.clone()).or_default())
    }

    /// Wakes everyone who waits for `queue` now.
    pub(super) fn wake(&self, queue: &QueueName) {
        let bells = self.bells.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bell) = bells.get(queue) {
            bell.notify_waiters();
        }
    }
}
