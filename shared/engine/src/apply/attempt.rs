//! Folds what happens to an attempt after its start.

use std::sync::Arc;

use super::{clear_pending, ending, set_pending};
use crate::id::{StepRef, Token};
use crate::message::{Approved, AttemptResult};
use crate::plan::Plan;
use crate::state::{Attempt, Pending, State};
use crate::time::Timestamp;

/// The last attempt of a step whose next one starts now; `None` before its first.
pub(super) fn earlier(state: &State, step: StepRef) -> Option<&Attempt> {
    match state.pending.get(&step)? {
        Pending::Retry { attempt, .. } => Some(attempt),
        Pending::Approval(question) => question.attempt.as_deref(),
        Pending::Attempt(_) | Pending::Answered(..) | Pending::Wait { .. } => None,
    }
}

/// What people have approved for the attempt of a step that starts now. A retry has the same parameters, so their approval still counts.
pub(super) fn approved(state: &State, step: StepRef) -> Option<Approved> {
    match state.step_question(step) {
        Some(question) => Some(question.approved()),
        None => earlier(state, step)?.approved.clone(),
    }
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
        attempt.proven_not_applied += u32::from(result.is_proven_not_applied());
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
