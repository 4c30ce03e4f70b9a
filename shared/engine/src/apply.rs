//! Folds an event into the state.

mod approval;
pub(crate) mod attempt;
mod closing;
mod ending;
mod legal;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use crate::event::{Event, RunOutcome, StepOutcome, StopCause};
use crate::id::{Seq, StepIndex, StepRef};
use crate::limit;
use crate::message::Hold;
use crate::plan::Plan;
use crate::state::follow_up::Done;
use crate::state::{Approver, Attempt, Fan, Objection, Pending, Phase, State, StepState, Stop, no_longer_needed};
use crate::time::Timestamp;

/// Why an event does not fold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The event came too late or twice: drop it.
    #[error("stale event `{event}`: {why}")]
    Stale {
        /// The event's name.
        event: &'static str,
        /// What the event no longer applies to.
        why: String,
    },
    /// A person may not do this: drop it, and say why.
    #[error("refused `{event}`: {why}")]
    Refused {
        /// The event's name.
        event: &'static str,
        /// The rule, as a sentence.
        why: String,
    },
    /// The event cannot happen in this state: the log is damaged, or the engine has a fault. Stop, and keep everything.
    #[error("illegal event `{event}`: {why}")]
    Illegal {
        /// The event's name.
        event: &'static str,
        /// What the state lacks for the event.
        why: String,
    },
    /// The run has used up its budget of events.
    #[error("the run has {observed} events, the limit is {}", limit::EVENTS)]
    TooManyEvents {
        /// Events of the run.
        observed: Seq,
    },
}

/// Changes `state` to the one after `event`, which happened at `at`. Total: no panic, no I/O, no clock.
///
/// # Guarantees
/// On an error the state is unchanged.
pub fn apply(plan: &Plan, state: &mut State, event: &Event, at: Timestamp) -> Result<(), Error> {
    legal::check(plan, state, event)?;
    state.seq += 1;
    state.updated_at = at;
    match event {
        // Both are first events, which `legal` refuses.
        Event::RunStarted(_) | Event::IncidentRejected { .. } => {}
        Event::IncidentJoined { incident_id } => {
            state.joined.insert(incident_id.clone());
            lift_withdrawal(state);
        }
        Event::ApprovalExpiring { step, percent, .. } => approval::remind(state, *step, *percent),
        Event::Approved { by, groups } => {
            let by = Approver { identity: by.clone(), groups: groups.clone() };
            approval::approve_run(plan, state, by, at);
        }
        Event::Rejected { by, reason } => approval::reject_run(state, by, reason),
        Event::ApprovalRequested { .. } => approval::ask(state, event, at),
        Event::StepApproved { step, by, groups, .. } => {
            let by = Approver { identity: by.clone(), groups: groups.clone() };
            approval::approve_step(state, *step, by, at);
        }
        Event::StepRejected { step, by, reason, .. } => approval::reject_step(state, *step, by, reason, at),
        Event::CancelRequested { by } => {
            state.stopping = Some(Stop { cause: StopCause::Cancelled, reason: format!("cancelled by {by}") });
        }
        Event::RunWithdrawn { reason } => withdraw(plan, state, reason),
        Event::RunHeld { by, reason, halt, until } => {
            let hold = Hold { by: by.clone(), reason: reason.clone(), halt: halt.clone(), until: *until };
            state.hold(hold, at);
        }
        Event::RunReleased { .. } => state.release(at),
        Event::RunQueued => state.queued = Some(at),
        Event::RunAdmitted => state.admit(at),
        Event::AttemptHeld { step, may_have_acted, .. } => attempt::hold(state, *step, *may_have_acted, at),
        Event::FollowUpDone { id, by, note } => {
            state.follow_up.mark_done(id, Done { at, by: by.clone(), note: note.clone() });
        }
        Event::ConditionFalse { step } => ending::end(plan, state, *step, StepOutcome::ConditionFalse, None),
        Event::FannedOut { step, items } => {
            state.step_starts.insert(*step, at);
            fan_out(plan, state, *step, items);
        }
        Event::AttemptStarted { step, attempt, token, parameters, parameters_digest, deadline, timeout_ms } => {
            state.commands_sent += 1;
            attempt::end_timer(state, *step);
            let before = attempt::earlier(state, *step);
            let attempt = Attempt {
                since: state.seq,
                number: *attempt,
                token: token.clone(),
                parameters: parameters.clone(),
                digest: parameters_digest.clone(),
                started_at: at,
                deadline: *deadline,
                timeout_ms: *timeout_ms,
                first_issued_at: at,
                held_ms: 0,
                first_started_at: before.map_or(at, |before| before.first_started_at),
                waited_ms: before.map_or(0, |before| before.waited_ms),
                proven_not_applied: before.map_or(0, |before| before.proven_not_applied),
                may_have_acted: before.is_some_and(|before| before.may_have_acted),
                uncounted: before.map_or(0, |before| before.uncounted),
                approved: attempt::approved(state, *step, parameters_digest),
                commands_sent: state.commands_sent,
            };
            mark_started(state, *step);
            state.step_starts.entry(step.step).or_insert(at);
            state.in_flight += 1;
            set_pending(state, *step, Pending::Attempt(Box::new(attempt)));
        }
        Event::WaitStarted { step, until } => {
            mark_started(state, *step);
            state.step_starts.entry(step.step).or_insert(at);
            let since = state.seq;
            set_pending(state, *step, Pending::Wait { since, until: *until });
        }
        Event::AttemptReissued { step, token, deadline, .. } => attempt::reissue(state, *step, token, *deadline, at),
        Event::AttemptEnded { step, result, started_at, finished_at, .. } => {
            attempt::end(plan, state, *step, result, started_at.zip(*finished_at), at);
        }
        Event::RetryScheduled { step, due_at, reason, .. } => attempt::schedule_retry(state, *step, *due_at, reason),
        Event::StepEnded { step, outcome, reason } => ending::end(plan, state, *step, *outcome, reason.as_deref()),
        Event::VerifyStarted => state.enter(plan, Phase::Verifying),
        Event::Stopping { cause, reason } => state.stopping = Some(Stop { cause: *cause, reason: reason.clone() }),
        Event::RunEnded { outcome, reason } => end_run(plan, state, *outcome, reason.as_deref()),
    }
    Ok(())
}

/// Takes the step, or the element, out of those that can start. A second attempt changes nothing here.
fn mark_started(state: &mut State, step: StepRef) {
    match (state.steps.get_mut(step.step as usize), step.item) {
        (Some(StepState::FannedOut(fan)), Some(item)) if fan.next == item => {
            fan.next += 1;
            fan.running += 1;
            if !fan.has_room() {
                state.fanning.remove(&step.step);
            }
        }
        (Some(whole @ StepState::Ready), None) => {
            *whole = StepState::Running;
            state.ready.remove(&step.step);
        }
        (_, _) => {}
    }
}

fn fan_out(plan: &Plan, state: &mut State, step: StepIndex, items: &[Value]) {
    let max_parallel = plan.step(step).and_then(|step| step.spec.for_each.as_ref()).map_or(1, |each| each.max_parallel);
    let fan = Fan {
        items: Arc::new(items.to_vec()),
        next: 0,
        running: 0,
        max_parallel,
        halted: false,
        tally: BTreeMap::new(),
        first_failure: None,
    };
    state.ready.remove(&step);
    state.fanning.insert(step);
    if let Some(slot) = state.steps.get_mut(step as usize) {
        *slot = StepState::FannedOut(Box::new(fan));
    }
}

/// Replaces what `step` waits for, its timer included.
fn set_pending(state: &mut State, step: StepRef, pending: Pending) {
    clear_pending(state, step);
    state.timers.insert((pending.due_at(), step));
    state.pending.insert(step, pending);
}

fn clear_pending(state: &mut State, step: StepRef) -> Option<Pending> {
    let before = state.pending.remove(&step)?;
    state.timers.remove(&(before.due_at(), step));
    state.answered.remove(&step);
    state.decided.remove(&step);
    if let (true, Pending::Approval(question)) = (state.asking.remove(&step), &before) {
        state.wait_in_queues(&[(question.at, state.updated_at)]);
    }
    Some(before)
}

/// A run that has changed nothing stops here; another one stops before its next change.
fn withdraw(plan: &Plan, state: &mut State, reason: &str) {
    if !closing::has_changed(plan, state) {
        state.stopping = Some(Stop { cause: StopCause::Cancelled, reason: no_longer_needed(reason) });
    }
    state.withdrawn = Some(reason.to_owned());
}

/// A run that another incident joins is needed again. A person's cancellation stays.
fn lift_withdrawal(state: &mut State) {
    let Some(reason) = state.withdrawn.take() else { return };
    let own = no_longer_needed(&reason);
    if state.stopping.as_ref().is_some_and(|stop| stop.reason.starts_with(&own)) {
        state.stopping = None;
    }
}

fn end_run(plan: &Plan, state: &mut State, outcome: RunOutcome, reason: Option<&str>) {
    closing::add_follow_ups(plan, state, outcome, reason);
    state.end_reason = reason.map(ToOwned::to_owned);
    state.phase = Phase::Ended(outcome);
    state.ready.clear();
    state.fanning.clear();
    state.pending.clear();
    state.timers.clear();
    state.answered.clear();
    state.held = None;
    state.queued = None;
    state.asking.clear();
    state.decided.clear();
}

impl Objection {
    /// The error of `event`, to which this is an objection.
    pub(crate) fn of(self, event: &'static str) -> Error {
        match self {
            Self::Stale(why) => Error::Stale { event, why },
            Self::Refused(why) => Error::Refused { event, why },
        }
    }
}
