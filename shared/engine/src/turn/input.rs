//! What can reach a live run, and the events that record it.

use super::approval::{self, ApprovalAnswer};
use super::held;
use crate::advance::reissue;
use crate::apply;
use crate::event::Event;
use crate::id::StepRef;
use crate::incident::Resolution;
use crate::limit;
use crate::message::{ActionResult, HeldCommand, Hold, LateCommand, cut};
use crate::plan::Plan;
use crate::planted::{self, Bug};
use crate::state::State;
use crate::time::Timestamp;

/// What can reach a live run.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// An action sent the result of an attempt.
    Result(Box<ActionResult>),
    /// A worker took a command after its last moment to start, and did nothing.
    Late(Box<LateCommand>),
    /// A worker took a command whose effect is halted, and did nothing.
    Held(Box<HeldCommand>),
    /// A halt, or a person, holds the run.
    Hold(Hold),
    /// The run may go on.
    Release {
        /// The identity of who releases it.
        by: String,
        /// Why, as a sentence.
        reason: String,
        /// The halt that ended; `None`: the hold of a person.
        halt: Option<String>,
    },
    /// There may be room for a run that waits for it.
    Admit,
    /// Time has passed.
    Wake,
    /// Another incident has the run's concurrency key, or is about the target of this escalated run.
    Joined {
        /// The other incident.
        incident_id: String,
    },
    /// A person approves or rejects the run, or what a step is about to do.
    Approval(Box<ApprovalAnswer>),
    /// A person asks the run to stop.
    CancelRequested {
        /// Who asked.
        by: String,
    },
    /// An alert is over.
    Resolved(Box<Resolution>),
    /// A person did what the run had left.
    FollowUpDone {
        /// The id of the entry in this run.
        id: String,
        /// Who did it.
        by: String,
        /// What this person added.
        note: Option<String>,
    },
}

/// The events that record `input`; none for a wake-up.
pub(super) fn events(
    plan: &Plan,
    state: &State,
    input: Input,
    now: Timestamp,
    entropy: u64,
) -> Result<Vec<Event>, apply::Error> {
    let event = match input {
        Input::Wake => return Ok(Vec::new()),
        Input::Admit => Event::RunAdmitted,
        Input::Held(held) => return held::accept_answer(plan, state, *held),
        Input::Hold(hold) => held::held(hold),
        Input::Release { by, reason, halt } => held::accept_release(state, by, reason, halt.as_deref())?,
        Input::Joined { incident_id } => Event::IncidentJoined { incident_id },
        Input::Approval(answer) => approval::accept(plan, state, *answer, now)?,
        Input::CancelRequested { by } => Event::CancelRequested { by },
        Input::Resolved(resolution) => accept_resolution(state, *resolution)?,
        Input::FollowUpDone { id, by, note } => accept_done(state, id, by, note)?,
        Input::Result(result) => accept_result(plan, state, *result)?,
        Input::Late(late) => accept_late(plan, state, &late, now, entropy)?,
    };
    Ok(vec![event])
}

/// Accepts a resolution only if its alert is all that the run is for.
fn accept_resolution(state: &State, resolution: Resolution) -> Result<Event, apply::Error> {
    match resolution.mismatch(state) {
        Some(why) => Err(apply::Error::Stale { event: "run_withdrawn", why }),
        None => Ok(Event::RunWithdrawn { reason: resolution.reason }),
    }
}

/// Accepts an entry that the run has, and once.
fn accept_done(state: &State, id: String, mut by: String, mut note: Option<String>) -> Result<Event, apply::Error> {
    let stale = |why: String| apply::Error::Stale { event: "follow_up_done", why };
    if !state.follow_up.contains(&id) {
        return Err(stale(format!("run {} has no follow-up {id}", state.run_id)));
    }
    if let Some(done) = state.follow_up.done(&id) {
        return Err(stale(format!("follow-up {id} of run {} was done by {} already", state.run_id, done.by)));
    }
    cut(&mut by, limit::TEXT_BYTES);
    if let Some(note) = &mut note {
        cut(note, limit::TEXT_BYTES);
    }
    Ok(Event::FollowUpDone { id, by, note })
}

/// Accepts that nothing was done, only for the attempt that is pending and only with its token.
fn accept_late(
    plan: &Plan,
    state: &State,
    late: &LateCommand,
    now: Timestamp,
    entropy: u64,
) -> Result<Event, apply::Error> {
    let stale = || apply::Error::Stale {
        event: "attempt_reissued",
        why: format!("attempt {} of step {} of run {} is not pending", late.attempt, late.step, late.run_id),
    };
    let step = StepRef { step: plan.find(&late.step).ok_or_else(stale)?, item: late.item };
    let attempt = state.expected(step, late.attempt, &late.token).ok_or_else(stale)?;
    // It is issued again after the release, once its answer is overdue: only under the same claim, since a later copy may have acted.
    if state.stands_still() {
        let why = format!("run {} is held", late.run_id);
        return Err(apply::Error::Stale { event: "attempt_reissued", why });
    }
    Ok(reissue::late(plan, state, step, attempt, now, entropy))
}

/// Accepts a result only for the attempt that is pending, and only with its token.
fn accept_result(plan: &Plan, state: &State, result: ActionResult) -> Result<Event, apply::Error> {
    let stale = || apply::Error::Stale {
        event: "attempt_ended",
        why: format!("attempt {} of step {} of run {} is not pending", result.attempt, result.step, result.run_id),
    };
    let step = StepRef { step: plan.find(&result.step).ok_or_else(stale)?, item: result.item };
    if !state.expects(step, result.attempt, &result.token) && !planted::has(Bug::StaleResultTaken) {
        return Err(stale());
    }
    let ActionResult { attempt, started_at, finished_at, result, .. } = result;
    let finished_at = started_at.map(|started_at| finished_at.max(started_at));
    Ok(Event::AttemptEnded { step, attempt, result: result.capped(), started_at, finished_at })
}
