//! The jobs that wait for a lane's threads.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::Job;
use crate::fault::Fault;

type Boxed = Box<dyn Job>;

/// First come, first served. It holds one job per waiting caller, so the callers bound it.
#[derive(Default)]
pub(super) struct Inbox {
    state: Mutex<State>,
    filled: Condvar,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Boxed>,
    /// Threads that wait for a job: nobody is woken where nobody sleeps.
    sleepers: usize,
    closed: bool,
}

impl Inbox {
    /// Adds a job. A closed inbox answers it at once.
    pub(super) fn put(&self, job: Boxed) {
        let mut state = self.lock();
        if state.closed {
            drop(state);
            return job.answer(Err(Fault::Closed));
        }
        state.jobs.push_back(job);
        let wake = state.sleepers > 0;
        drop(state);
        if wake {
            self.filled.notify_one();
        }
    }

    /// Waits for a job; none once the inbox is closed and empty.
    pub(super) fn take_one(&self) -> Option<Boxed> {
        self.filled_state().jobs.pop_front()
    }

    /// Waits for jobs, and moves up to `most` of them to `group`. False once the inbox is closed and empty.
    pub(super) fn take(&self, group: &mut Vec<Boxed>, most: usize) -> bool {
        let mut state = self.filled_state();
        let count = state.jobs.len().min(most);
        group.extend(state.jobs.drain(..count));
        count > 0
    }

    /// No job is taken any more; those that are there are still done.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.filled.notify_all();
    }

    /// The state, once it has a job or is closed.
    fn filled_state(&self) -> MutexGuard<'_, State> {
        let mut state = self.lock();
        while state.jobs.is_empty() && !state.closed {
            state.sleepers += 1;
            state = self.filled.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.sleepers -= 1;
        }
        state
    }

    /// Nothing in here leaves the state half changed, so a poisoned lock is as good as any.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Inbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.lock();
        f.debug_struct("Inbox").field("jobs", &state.jobs.len()).field("closed", &state.closed).finish_non_exhaustive()
    }
}

/// Closes the inbox of a thread that ends, and answers what nobody will do any more.
pub(super) struct CloseOnDrop<'a>(pub(super) &'a Inbox);

impl Drop for CloseOnDrop<'_> {
    fn drop(&mut self) {
        self.0.close();
        let left: Vec<Boxed> = self.0.lock().jobs.drain(..).collect();
        for job in left {
            job.answer(Err(Fault::Closed));
        }
    }
}
