//! A run that was, or was not, created for an input.

use heal_engine::RunId;
use heal_engine::gate::Gate;

use super::IntakeOutcome;
use crate::port::{JoinedInput, NewRun};

/// What became of the attempt to create it.
pub(super) enum Creation {
    Done(IntakeOutcome),
    Busy(JoinedInput),
    /// The run has to wait for room. What the plan gate found stays.
    Full(Option<Gate>),
    Repeated(Vec<RunId>),
    Escalated(JoinedInput),
}

/// The input of `run`, which is not to be created: `run_id` is to have its incident.
pub(super) fn joins(run: NewRun, run_id: RunId) -> JoinedInput {
    JoinedInput { dedupe_key: run.dedupe_key, run_id, at: run.commit.at, until: run.dedupe_until }
}
