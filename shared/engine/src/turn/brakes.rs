//! What keeps a turn from starting something although the log alone would let it.

use super::Input;
use super::held;
use crate::Map;
use crate::apply;
use crate::event::Event;
use crate::message::Hold;
use crate::plan::{Plan, PlannedStep};
use crate::state::State;

/// The hold of the halt that stops a step with these rendered parameters; `None` if no halt does.
pub type HaltOfStep<'b> = &'b dyn Fn(&PlannedStep, &Map) -> Option<Hold>;

/// The brakes of one turn; the default brakes nothing.
#[derive(Clone, Copy, Default)]
#[expect(missing_debug_implementations, reason = "a function has nothing to print")]
pub struct Brakes<'b> {
    /// As many runs are live as may be: a run that would take room waits for it instead.
    pub is_full: bool,
    /// The whole run is held before it starts a change that a halt stops, or asks people about one.
    pub halted: Option<HaltOfStep<'b>>,
}

impl Brakes<'_> {
    /// # Errors
    /// [`apply::Error::Stale`]: the run cannot be admitted, because there is no room.
    pub(super) fn check(self, state: &State, input: &Input) -> Result<(), apply::Error> {
        if self.is_full && matches!(input, Input::Admit) {
            let why = format!("there is no room for run {}", state.run_id);
            return Err(apply::Error::Stale { event: "run_admitted", why });
        }
        Ok(())
    }

    /// The event that lets the run wait, if it would take room now and did not before.
    pub(super) fn queue(self, took_room: bool, state: &State) -> Option<Event> {
        (self.is_full && !took_room && state.takes_room()).then_some(Event::RunQueued)
    }

    /// `event`, unless it would start what is halted: then the hold of the run.
    pub(super) fn hold_instead(self, plan: &Plan, state: &State, event: Event) -> Event {
        let (Event::AttemptStarted { step, parameters, .. } | Event::ApprovalRequested { step, parameters, .. }) =
            &event
        else {
            return event;
        };
        // A shadow run changes nothing, so nothing of it is halted.
        let changing = plan.step(step.step).filter(|planned| planned.is_change() && !state.mode.is_shadow());
        match changing.zip(self.halted).and_then(|(planned, halted)| halted(planned, parameters)) {
            Some(hold) => held::held(hold),
            None => event,
        }
    }
}
