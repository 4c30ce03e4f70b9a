//! Keeps a withdrawn run from any further change.

use crate::event::{Event, StopCause};
use crate::id::StepRef;
use crate::plan::{Plan, PlannedStep};
use crate::state::{State, no_longer_needed};

/// `event`, unless it would start or repeat a change of a withdrawn run: that stops the run. What only reads goes on, so that a run whose
/// own effect ended the alert can still see that it helped.
pub(super) fn hold_back(plan: &Plan, state: &State, event: Event) -> Event {
    let Some(reason) = &state.withdrawn else { return event };
    let (step, attempt) =
        if let Event::AttemptStarted { step, attempt, .. } | Event::RetryScheduled { step, attempt, .. } = &event {
            (*step, *attempt)
        } else if let Event::ApprovalRequested { step, .. } = &event {
            (*step, 1)
        } else {
            return event;
        };
    if !is_change(plan, step) {
        return event;
    }
    let left_out = if attempt == 1 { "started" } else { "repeated" };
    leave_out(plan, step, reason, left_out)
}

/// Stops a withdrawn run that asks people about a change: nobody needs it any more.
pub(super) fn stop_asking(plan: &Plan, state: &State) -> Option<Event> {
    let reason = state.withdrawn.as_ref()?;
    let step = state.asking.iter().chain(&state.decided).find(|step| is_change(plan, **step))?;
    Some(leave_out(plan, *step, reason, "started"))
}

fn is_change(plan: &Plan, step: StepRef) -> bool {
    plan.step(step.step).is_some_and(PlannedStep::is_change)
}

fn leave_out(plan: &Plan, step: StepRef, reason: &str, left_out: &str) -> Event {
    let reason = format!("{}; {} was not {left_out}", no_longer_needed(reason), plan.name(step.step));
    Event::Stopping { cause: StopCause::Cancelled, reason }
}
