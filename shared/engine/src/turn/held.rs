//! Accepts what holds a run and what releases it.

use crate::advance::reissue;
use crate::apply;
use crate::event::Event;
use crate::id::StepRef;
use crate::limit;
use crate::message::{HeldCommand, Hold, cut};
use crate::plan::Plan;
use crate::state::State;

/// The event of a hold, its texts within the bounds of the log.
pub(super) fn held(hold: Hold) -> Event {
    let Hold { mut by, mut reason, halt, until } = hold;
    cut(&mut by, limit::TEXT_BYTES);
    cut(&mut reason, limit::TEXT_BYTES);
    Event::RunHeld { by, reason, halt, until }
}

/// Accepts a worker's answer only for the attempt that is pending and only with its token. The whole run is held with it, unless it is held
/// already or stops.
pub(super) fn accept_answer(plan: &Plan, state: &State, answer: HeldCommand) -> Result<Vec<Event>, apply::Error> {
    let stale = || apply::Error::Stale {
        event: "attempt_held",
        why: format!("attempt {} of step {} of run {} is not pending", answer.attempt, answer.step, answer.run_id),
    };
    let step = StepRef { step: plan.find(&answer.step).ok_or_else(stale)?, item: answer.item };
    let attempt = state.expected(step, answer.attempt, &answer.token).ok_or_else(stale)?;
    if state.stopping.is_some() {
        return Ok(vec![reissue::halted_at_end(step, attempt)]);
    }
    let mut reason = answer.hold.reason.clone();
    cut(&mut reason, limit::TEXT_BYTES);
    let attempt = attempt.number;
    let event = Event::AttemptHeld { step, attempt, reason, may_have_acted: answer.may_have_acted };
    let hold = state.held.is_none().then(|| held(answer.hold));
    Ok(hold.into_iter().chain([event]).collect())
}

/// Accepts a release only by what holds the run: the end of a halt does not release what a person holds, nor the other way round.
pub(super) fn accept_release(
    state: &State,
    mut by: String,
    mut reason: String,
    halt: Option<&str>,
) -> Result<Event, apply::Error> {
    let run_id = &state.run_id;
    let stale = |why: String| apply::Error::Stale { event: "run_released", why };
    let held = state.held.as_ref().ok_or_else(|| stale(format!("run {run_id} is not held")))?;
    if held.hold.halt.as_deref() != halt {
        return Err(stale(format!("run {run_id} is held by {}", held.holder())));
    }
    cut(&mut by, limit::TEXT_BYTES);
    cut(&mut reason, limit::TEXT_BYTES);
    Ok(Event::RunReleased { by, reason })
}
