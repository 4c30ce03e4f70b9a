//! The queue of jobs that wait for a pool's threads.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::Job;
use crate::error::JobError;

type Boxed = Box<dyn Job>;

/// A FIFO queue. It holds at most one job per waiting caller.
#[derive(Default)]
pub(super) struct JobQueue {
    state: Mutex<State>,
    filled: Condvar,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Boxed>,
    /// Threads that wait for a job. At 0, [`JobQueue::put`] saves the notification.
    sleepers: usize,
    /// How many jobs the writer waits for; 0 if it does not.
    wanted: usize,
    closed: bool,
}

impl JobQueue {
    /// Adds a job. If the queue is closed, answers the job with [`JobError::Closed`].
    pub(super) fn put(&self, job: Boxed) {
        let mut state = self.lock();
        if state.closed {
            drop(state);
            return job.answer(Err(JobError::Closed));
        }
        state.jobs.push_back(job);
        let wake = state.sleepers > 0 && state.jobs.len() >= state.wanted;
        drop(state);
        if wake {
            self.filled.notify_one();
        }
    }

    /// Waits for a job. `None` once the queue is closed and empty.
    pub(super) fn take_one(&self) -> Option<Boxed> {
        self.filled_state().jobs.pop_front()
    }

    /// Waits for a job, and leaves it there. `false` once the queue is closed and empty.
    pub(super) fn wait(&self) -> bool {
        !self.filled_state().jobs.is_empty()
    }

    /// Waits until there are `enough` jobs, for `most` at the longest, and returns how many there are. Only for a queue that one thread takes from.
    pub(super) fn wait_for(&self, enough: usize, most: Duration) -> usize {
        let mut state = self.lock();
        state.wanted = enough;
        state.sleepers += 1;
        let is_waiting = |state: &mut State| state.jobs.len() < enough && !state.closed;
        let (mut state, _) =
            self.filled.wait_timeout_while(state, most, is_waiting).unwrap_or_else(PoisonError::into_inner);
        state.sleepers -= 1;
        state.wanted = 0;
        state.jobs.len()
    }

    /// Moves up to `most` jobs to `group`.
    pub(super) fn take(&self, group: &mut Vec<Boxed>, most: usize) {
        let mut state = self.lock();
        let count = state.jobs.len().min(most);
        group.extend(state.jobs.drain(..count));
    }

    /// Refuses further jobs. Queued jobs still run.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.filled.notify_all();
    }

    /// Waits until the state has a job or is closed.
    fn filled_state(&self) -> MutexGuard<'_, State> {
        let mut state = self.lock();
        while state.jobs.is_empty() && !state.closed {
            state.sleepers += 1;
            state = self.filled.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.sleepers -= 1;
        }
        state
    }

    /// Locks the state. A panic cannot leave it half changed, so poisoning is ignored.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for JobQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.lock();
        f.debug_struct("JobQueue")
            .field("jobs", &state.jobs.len())
            .field("closed", &state.closed)
            .finish_non_exhaustive()
    }
}

/// Closes the queue when its thread ends, and answers the jobs that will not run.
pub(super) struct CloseOnDrop<'a>(pub(super) &'a JobQueue);

impl Drop for CloseOnDrop<'_> {
    fn drop(&mut self) {
        self.0.close();
        let left: Vec<Boxed> = self.0.lock().jobs.drain(..).collect();
        for job in left {
            job.answer(Err(JobError::Closed));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use rusqlite::Connection;

    use super::*;

    struct Nothing;

    impl Job for Nothing {
        fn run(&mut self, _: &Connection) -> Result<(), JobError> {
            Ok(())
        }

        fn answer(self: Box<Self>, _: Result<(), JobError>) {}
    }

    /// So long that a test which waits for its end hangs.
    const LONG: Duration = Duration::from_hours(1);

    #[test]
    fn who_waits_for_several_jobs_goes_on_with_the_last_of_them_or_at_the_end_of_the_time() {
        let queue = Arc::new(JobQueue::default());
        queue.put(Box::new(Nothing));
        queue.wait_for(1, LONG);
        queue.wait_for(2, Duration::from_millis(1));
        let waiting = {
            let queue = Arc::clone(&queue);
            std::thread::spawn(move || queue.wait_for(3, LONG))
        };
        (0..2).for_each(|_| queue.put(Box::new(Nothing)));
        waiting.join().unwrap();
        let mut group = Vec::new();
        queue.take(&mut group, 9);
        assert_eq!(group.len(), 3);
        // Afterwards each job wakes its thread.
        let one = {
            let queue = Arc::clone(&queue);
            std::thread::spawn(move || queue.take_one().is_some())
        };
        queue.put(Box::new(Nothing));
        assert!(one.join().unwrap());
        queue.close();
        queue.wait_for(1, LONG);
    }
}
