//! Inputs become events.

use heal_engine::turn::{self, Input};
use heal_engine::{ApplyError, RunId, Timestamp};
use heal_guard::Halt;

use super::cache::Live;
use super::{DispatchError, Dispatcher, held};

/// What inputs led to.
#[derive(Default)]
pub(super) struct Fresh {
    pub events: Vec<heal_engine::Event>,
    pub more: bool,
    /// Every input was known already, or refused.
    pub stale: bool,
    /// The rule that the last refused input broke.
    pub refused: Option<String>,
}

impl Dispatcher {
    /// Folds the inputs, after what follows from the halts; a stale one is skipped and logged.
    pub(super) fn fold(
        &self,
        run_id: &RunId,
        live: &mut Live,
        inputs: &[Input],
        halts: &[Halt],
        now: Timestamp,
    ) -> Result<Fresh, DispatchError> {
        let mut fresh = Fresh::default();
        for input in held::input(live, inputs, halts, now).into_iter().chain(inputs.iter().cloned()) {
            match turn::take(&live.plan, &mut live.state, input, now, self.ports.entropy.next()?) {
                Ok(turn) => {
                    fresh.events.extend(turn.events);
                    fresh.more |= turn.more;
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
