//! Keeps a withdrawn run from any further change.

use crate::event::{Event, StopCause};
use crate::plan::{Plan, PlannedStep};
use crate::state::{State, no_longer_needed};

/// `event`, unless it would start or repeat a change of a withdrawn run: that stops the run. What only reads goes on, so that a run whose
/// own effect ended the alert can still see that it helped.
pub(super) fn hold_back(plan: &Plan, state: &State, event: Event) -> Event {
    let (Some(reason), Event::AttemptStarted { step, attempt, .. } | Event::RetryScheduled { step, attempt, .. }) =
        (&state.withdrawn, &event)
    else {
        return event;
    };
    if !plan.step(step.step).is_some_and(PlannedStep::is_change) {
        return event;
    }
    let left_out = if *attempt == 1 { "started" } else { "repeated" };
    let reason = format!("{}; {} was not {left_out}", no_longer_needed(reason), plan.name(step.step));
    Event::Stopping { cause: StopCause::Cancelled, reason }
}
