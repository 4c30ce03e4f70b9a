//! Reminds of a run that awaits approval, before its time is over.

use crate::event::Event;
use crate::state::State;
use crate::time::Timestamp;

/// The reminder that is due, if there is one.
pub(super) fn next(state: &State, now: Timestamp) -> Option<Event> {
    let percent = state.due_reminder(now)?;
    Some(Event::ApprovalExpiring { percent, until: state.deadline })
}
