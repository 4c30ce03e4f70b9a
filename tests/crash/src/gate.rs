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

/// Counts the calls of one process, and ends it at one of them.
#[derive(Default)]
pub struct Gate {
    dies_at: Option<(usize, When)>,
    calls: AtomicUsize,
    is_dead: AtomicBool,
    died: Notify,
    /// The call that it died at.
    last_call: Mutex<&'static str>,
}

impl Gate {
    /// A gate of a process that dies at this call, counted from 0.
    pub fn dying_at(call: usize, when: When) -> Self {
        Self { dies_at: Some((call, when)), ..Self::default() }
    }

    /// How many calls changed something.
    pub fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }

    /// The call at which the process died.
    pub fn last_call(&self) -> &'static str {
        *self.last_call.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Resolves when the process has died.
    pub async fn death(&self) {
        while !self.is_dead.load(Ordering::SeqCst) {
            let died = self.died.notified();
            if self.is_dead.load(Ordering::SeqCst) {
                break;
            }
            died.await;
        }
    }

    /// Makes the call, unless the process dies before it. A dead process makes no call at all.
    pub async fn around<T>(&self, name: &'static str, call: impl Future<Output = T>) -> T {
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
    pub async fn after(&self, name: &'static str) {
        if self.count(name).await.is_some() {
            self.die().await;
        }
    }

    async fn count(&self, name: &'static str) -> Option<When> {
        if self.is_dead.load(Ordering::SeqCst) {
            pending::<()>().await;
        }
        let call = self.calls.fetch_add(1, Ordering::SeqCst);
        let (_, when) = self.dies_at.filter(|(at, _)| *at == call)?;
        *self.last_call.lock().unwrap_or_else(PoisonError::into_inner) = name;
        Some(when)
    }

    async fn die(&self) {
        self.is_dead.store(true, Ordering::SeqCst);
        self.died.notify_waiters();
        pending::<()>().await;
    }
}
