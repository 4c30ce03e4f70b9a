//! Where a process dies: before or after its n-th call that changes something.

use std::future::{Future, pending};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use tokio::sync::Notify;

/// Whether the call that the process dies at was applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    Before,
    After,
}

/// The death of one process: at which of its calls, counted from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Death {
    pub call: usize,
    pub when: When,
}

/// Counts the calls of one process, and ends it at one of them.
#[derive(Default)]
pub struct Gate {
    death: Option<Death>,
    calls: AtomicUsize,
    is_dead: AtomicBool,
    died: Notify,
    /// The call that it died at.
    last_call: Mutex<String>,
}

impl Gate {
    /// A gate of a process that dies so, or of one that does not.
    pub fn new(death: Option<Death>) -> Self {
        Self { death, ..Self::default() }
    }

    /// How many calls changed something.
    pub fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }

    /// The call at which the process died.
    pub fn last_call(&self) -> String {
        self.last_call.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Resolves when the process has died.
    pub async fn died(&self) {
        while !self.is_dead.load(Ordering::SeqCst) {
            let died = self.died.notified();
            if self.is_dead.load(Ordering::SeqCst) {
                break;
            }
            died.await;
        }
    }

    /// Makes the call, unless the process dies before it. A dead process makes no call at all.
    pub async fn around<T>(&self, name: &str, call: impl Future<Output = T>) -> T {
        let dies = self.count(name).await;
        if dies == Some(When::Before) {
            self.die().await;
        }
        let answer = call.await;
        if dies == Some(When::After) {
            self.die().await;
        }
        answer
    }

    /// Counts a call that was made already.
    pub async fn after(&self, name: &str) {
        if self.count(name).await.is_some() {
            self.die().await;
        }
    }

    /// A dead process waits here for its end.
    pub async fn check_alive(&self) {
        if self.is_dead.load(Ordering::SeqCst) {
            pending::<()>().await;
        }
    }

    async fn count(&self, name: &str) -> Option<When> {
        self.check_alive().await;
        let call = self.calls.fetch_add(1, Ordering::SeqCst);
        let death = self.death.filter(|death| death.call == call)?;
        name.clone_into(&mut self.last_call.lock().unwrap_or_else(PoisonError::into_inner));
        Some(death.when)
    }

    async fn die(&self) {
        self.is_dead.store(true, Ordering::SeqCst);
        self.died.notify_waiters();
        pending::<()>().await;
    }
}
