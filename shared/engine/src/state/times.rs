//! When things began.

use super::State;
use crate::id::StepIndex;
use crate::time::Timestamp;

impl State {
    /// When the step's first attempt, or its wait, started; none where it has not started.
    pub fn step_started_at(&self, step: StepIndex) -> Option<Timestamp> {
        self.begun.get(&step).copied()
    }

    /// When the incident was created, by its own word: its field `created_at`, in milliseconds since the epoch.
    pub fn incident_created_at(&self) -> Option<Timestamp> {
        self.variable("created_at").and_then(|at| at.as_u64()).map(Timestamp)
    }
}
