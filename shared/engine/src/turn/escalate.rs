//! The first and only turn of a run that a person has to look at.

use super::Turn;
use crate::apply::{self, apply};
use crate::event::{Event, RunOutcome, RunStarted};
use crate::id::RunId;
use crate::plan::Plan;
use crate::state::State;
use crate::time::Timestamp;

/// A run that does nothing: it starts and ends [`RunOutcome::Escalated`] for `reason` at once.
///
/// # Errors
/// As [`begin`](super::begin).
pub fn escalate(
    plan: &Plan,
    run_id: RunId,
    event: RunStarted,
    reason: String,
    now: Timestamp,
) -> Result<(State, Turn), apply::Error> {
    let mut state = State::started(plan, run_id, &event, now);
    let ended = Event::RunEnded { outcome: RunOutcome::Escalated, reason: Some(reason) };
    apply(plan, &mut state, &ended, now)?;
    Ok((state, Turn { events: vec![Event::RunStarted(Box::new(event)), ended], more: false }))
}
