//! When things began, and when the next one is due.

use super::State;
use crate::id::StepIndex;
use crate::time::Timestamp;

impl State {
    /// The next moment at which something follows from time alone; none once the run has ended.
    pub fn wake_at(&self) -> Option<Timestamp> {
        if self.is_ended() {
            return None;
        }
        let timer = self.timers.first().map(|(at, _)| *at);
        let deadline = self.stopping.is_none().then_some(self.deadline);
        timer.into_iter().chain(deadline).min()
    }

    /// When the step's first attempt, or its wait, started; none where it has not started.
    pub fn step_started_at(&self, step: StepIndex) -> Option<Timestamp> {
        self.begun.get(&step).copied()
    }

    /// When the incident was created, by its own word: its field `created_at`, in milliseconds since the epoch.
    pub fn incident_created_at(&self) -> Option<Timestamp> {
        self.variable("created_at").and_then(|at| at.as_u64()).map(Timestamp)
    }
}
