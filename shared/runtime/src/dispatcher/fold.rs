//! Inputs become events.

use std::sync::Arc;

use heal_engine::Map;
use heal_engine::plan::PlannedStep;
use heal_engine::turn::{self, Brakes, Input};
use heal_engine::{ApplyError, RunId, Timestamp};
use heal_guard::Halt;

use super::cache::Live;
use super::{DispatchError, Dispatcher, held};
use crate::halts;

/// What inputs led to.
#[derive(Default)]
pub(super) struct Fresh {
    pub events: Vec<heal_engine::Event>,
    pub more: bool,
    /// Every input was known already, or refused.
    pub stale: bool,
    /// Of the inputs given, those that were neither; what follows from the halts is not counted.
    pub taken: usize,
    /// The rule that the last refused input broke.
    pub refused: Option<String>,
}

/// What a turn has to heed beside the run's log.
#[derive(Clone, Copy)]
pub(super) struct Around<'a> {
    pub halts: &'a [Halt],
    /// There is no room for a further run.
    pub is_full: bool,
    pub now: Timestamp,
}

impl Dispatcher {
    /// Folds the inputs, after what follows from the halts; a stale one is skipped and logged.
    pub(super) fn fold(
        &self,
        run_id: &RunId,
        live: &mut Live,
        inputs: &[Input],
        around: Around<'_>,
    ) -> Result<Fresh, DispatchError> {
        let Around { halts, is_full, now } = around;
        let plan = Arc::clone(&live.plan);
        let halted = |step: &PlannedStep, parameters: &Map| held::of_step(halts, &plan, step, parameters, now);
        let may_admit = halts::of_run(halts, &plan.playbook.name, now).is_none();
        let brakes = Brakes { is_full, halted: Some(&halted) };
        let taken = inputs.iter().filter(|input| may_admit || !matches!(input, Input::Admit)).cloned();
        let mut fresh = Fresh::default();
        let of_halts = held::input(live, inputs, halts, now).map(|input| (input, 0));
        for (input, counts) in of_halts.into_iter().chain(taken.map(|input| (input, 1))) {
            match turn::take_under(&plan, &mut live.state, input, brakes, now, self.ports.entropy.next()?) {
                Ok(turn) => {
                    fresh.events.extend(turn.events);
                    fresh.more |= turn.more;
                    fresh.taken += counts;
                }
                Err(ApplyError::Stale { event, why }) => {
                    tracing::debug!(run_id = %run_id, event, why, "input is known already");
                    fresh.stale = true;
                }
                Err(ApplyError::Refused { why, .. }) => {
                    fresh.refused = Some(why);
                    fresh.stale = true;
                }
                Err(cause @ (ApplyError::Illegal { .. } | ApplyError::TooManyEvents { .. })) => {
                    tracing::error!(run_id = %run_id, error = %cause, "run cannot continue");
                    return Err(DispatchError::Log { run_id: run_id.clone(), cause });
                }
            }
        }
        fresh.stale &= fresh.events.is_empty();
        Ok(fresh)
    }
}
