//! Folds what happens to an attempt after its start.

use std::sync::Arc;

use super::{clear_pending, ending, set_pending};
use crate::id::{Digest, StepRef, Token};
use crate::message::{Approved, AttemptResult};
use crate::plan::Plan;
use crate::state::{Attempt, Pending, State};
use crate::time::Timestamp;

/// The last attempt of a step whose next one starts now; `None` before its first.
pub(super) fn earlier(state: &State, step: StepRef) -> Option<&Attempt> {
    match state.pending.get(&step)? {
        Pending::Retry { attempt, .. } | Pending::Held { attempt, .. } => Some(attempt),
        Pending::Approval(question) => question.attempt.as_deref(),
        Pending::Attempt(_) | Pending::Answered(..) | Pending::Wait { .. } => None,
    }
}

/// What waited for a timer goes on now. The time since the timer was due is not time of the run: its wake-up was late, or the process was
/// frozen.
pub(super) fn end_timer(state: &mut State, step: StepRef) {
    let at = state.updated_at;
    let due_at = match state.pending.get_mut(&step) {
        Some(Pending::Retry { due_at, attempt, .. }) => {
            attempt.waited_ms = attempt.waited_ms.saturating_add(at.since_ms(*due_at));
            *due_at
        }
        Some(Pending::Wait { until: due_at, .. } | Pending::Held { at: due_at, .. }) => *due_at,
        // The whole time in which people were asked is waiting.
        Some(Pending::Attempt(_) | Pending::Answered(..) | Pending::Approval(_)) | None => return,
    };
    state.wait_in_queues(&[(due_at, at)]);
}

/// What people have approved for the attempt of a step that starts now, if it has the parameters with this digest: a retry has the same, one
/// after a hold may have others.
pub(super) fn approved(state: &State, step: StepRef, digest: &Digest) -> Option<Approved> {
    let approved = match state.step_question(step) {
        Some(question) => Some(question.approved()),
        None => earlier(state, step)?.approved.clone(),
    };
    approved.filter(|approved| approved.digest == *digest)
}

/// Issues the command of an attempt again: until now it waited.
pub(super) fn reissue(state: &mut State, step: StepRef, token: &Token, deadline: Timestamp, at: Timestamp) {
    let Some(Pending::Attempt(attempt)) = clear_pending(state, step) else {
        return;
    };
    state.commands_sent += 1;
    let waited_ms = attempt.waited_ms.saturating_add(at.since_ms(attempt.started_at));
    let issued_at = attempt.started_at;
    let attempt = Attempt {
        since: state.seq,
        token: token.clone(),
        started_at: at,
        deadline,
        waited_ms,
        commands_sent: state.commands_sent,
        ..*attempt
    };
    set_pending(state, step, Pending::Attempt(Box::new(attempt)));
    state.wait_in_queues(&[(issued_at, at)]);
}

/// Nothing was done about the attempt: it starts anew once the run is released. A step whose first attempt it was has not started, unless
/// an earlier worker may have acted.
pub(super) fn hold(state: &mut State, step: StepRef, may_have_acted: bool, at: Timestamp) {
    let Some(Pending::Attempt(mut attempt)) = clear_pending(state, step) else {
        return;
    };
    state.in_flight -= 1;
    if step.item.is_none() && attempt.tries() == 1 && !may_have_acted {
        state.step_starts.remove(&step.step);
    }
    attempt.uncounted += 1;
    attempt.may_have_acted |= may_have_acted;
    set_pending(state, step, Pending::Held { at, attempt });
}

/// `worked` is when a worker took the attempt and when it ended it: before that the command waited, afterwards the result.
pub(super) fn end(
    plan: &Plan,
    state: &mut State,
    step: StepRef,
    result: &AttemptResult,
    worked: Option<(Timestamp, Timestamp)>,
    at: Timestamp,
) {
    if let Some(Pending::Attempt(mut attempt)) = clear_pending(state, step) {
        state.in_flight -= 1;
        state.answered.insert(step);
        let waits = worked.map(|worked| waits_around(attempt.started_at, worked, at));
        for (from, to) in waits.iter().flatten() {
            attempt.waited_ms = attempt.waited_ms.saturating_add(to.since_ms(*from));
        }
        // Without a timer: the next event of the same turn follows from the result.
        state.pending.insert(step, Pending::Answered(attempt, Box::new(result.clone())));
        state.wait_in_queues(waits.as_ref().map_or(&[], |waits| waits));
    }
    if let (Some(planned), None) = (plan.step(step.step), step.item)
        && ending::has_output(result)
    {
        Arc::make_mut(&mut state.variables).set_step_output(&planned.spec.name, planned.kept(&result.output));
    }
}

pub(super) fn schedule_retry(state: &mut State, step: StepRef, due_at: Timestamp, reason: &str) {
    let since = state.seq;
    if let Some(Pending::Answered(mut attempt, result)) = clear_pending(state, step) {
        attempt.learn(&result);
        set_pending(state, step, Pending::Retry { since, due_at, attempt, reason: reason.to_owned() });
    }
}

/// The intervals in which the command of an attempt, and then its result, waited in a queue. The worker's clock may differ from ours.
pub(crate) fn waits_around(
    issued_at: Timestamp,
    (started_at, finished_at): (Timestamp, Timestamp),
    answered_at: Timestamp,
) -> [(Timestamp, Timestamp); 2] {
    let within = |moment: Timestamp| moment.clamp(issued_at, issued_at.max(answered_at));
    [(issued_at, within(started_at)), (within(finished_at), within(answered_at))]
}
