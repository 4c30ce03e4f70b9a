//! One turn: an accepted input, and all events that follow from it.
//!
//! A run of one step, from its start to its end:
//!
//! ```
//! use heal_engine::autonomy::RunMode;
//! use heal_engine::event::{RunOutcome, RunStarted};
//! use heal_engine::message::{ActionResult, AttemptResult};
//! use heal_engine::turn::{self, Input};
//! use heal_engine::{Command, Map, Plan, RunId, Timestamp, decide};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let plan = Plan::compile(serde_json::from_str(
//!     r#"{"name": "restart", "description": "", "timeout_seconds": 60, "triggers": [], "verify": [], "actions": [{
//!         "name": "restart_pod", "type": "restart_pod", "needs": [], "parameters": {"pod_name": "{{ pod_name }}"},
//!         "retry": {"max_attempts": 1, "backoff_seconds": 2, "max_backoff_seconds": 60}, "timeout_seconds": 30,
//!         "on_failure": "stop", "on_unavailable": "skip", "safety": "probe"
//!     }]}"#,
//! )?)?;
//! let started = RunStarted {
//!     incident_id: "incident-1".to_owned(),
//!     incident_type: None,
//!     playbook: plan.playbook.name.clone(),
//!     plan_digest: plan.digest.clone(),
//!     variables: Map::from_iter([("pod_name".to_owned(), "worker-1".into())]),
//!     approval: false,
//!     named: false,
//!     gate: None,
//!     mode: RunMode::Live,
//!     autonomy: None,
//!     requested_by: None,
//!     concurrency_key: None,
//!     traceparent: None,
//! };
//! // Time and entropy are arguments. The events of a turn are committed before its commands are sent.
//! let (now, entropy) = (Timestamp(1_000), 7);
//! let (mut state, turn) = turn::begin(&plan, RunId::new("run-1"), started, now, entropy)?;
//! let names: Vec<_> = turn.events.iter().map(|event| event.name()).collect();
//! assert_eq!(names, ["run_started", "attempt_started"]);
//!
//! let Some(Command::Perform { command, .. }) = decide::decide(&plan, &state, now).pop() else { panic!("no command") };
//! assert_eq!(command.parameters["pod_name"], "worker-1");
//! let result = ActionResult {
//!     run_id: command.run_id,
//!     step: command.step,
//!     item: command.item,
//!     attempt: command.attempt,
//!     token: command.token,
//!     finished_at: now,
//!     started_at: Some(now),
//!     result: AttemptResult::succeeded(Map::new()),
//! };
//! let turn = turn::take(&plan, &mut state, Input::Result(Box::new(result)), now, entropy)?;
//! let names: Vec<_> = turn.events.iter().map(|event| event.name()).collect();
//! assert_eq!(names, ["attempt_ended", "step_ended", "run_ended"]);
//! assert_eq!(state.outcome(), Some(RunOutcome::Completed));
//! # Ok(())
//! # }
//! ```

mod approval;
mod brakes;
mod escalate;
mod held;
mod input;

use crate::advance;
use crate::apply::{self, apply};
use crate::event::{Commit, Event, RunStarted};
use crate::id::RunId;
use crate::limit;
use crate::message::Hold;
use crate::plan::Plan;
use crate::state::{State, Variables};
use crate::time::Timestamp;

pub use approval::ApprovalAnswer;
pub use brakes::{Brakes, HaltOfStep};
pub use escalate::escalate;
pub use input::Input;

/// What one input led to.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Turn {
    /// The events, to be written as one commit; empty if the input changes nothing.
    pub events: Vec<Event>,
    /// Whether the turn was cut at its bound, so that a wake-up has to continue it at once.
    pub more: bool,
}

/// Folds a run's first event and everything that follows from it at `now`.
///
/// # Errors
/// An event that does not fold, which is a fault of the engine.
pub fn begin(
    plan: &Plan,
    run_id: RunId,
    event: RunStarted,
    now: Timestamp,
    entropy: u64,
) -> Result<(State, Turn), apply::Error> {
    begin_under(plan, run_id, event, None, Brakes::default(), now, entropy)
}

/// As [`begin`], under `brakes`, of a run that is held from its start on if `hold` is given and it does not wait for room.
///
/// # Errors
/// As [`begin`].
pub fn begin_under(
    plan: &Plan,
    run_id: RunId,
    mut event: RunStarted,
    hold: Option<Hold>,
    brakes: Brakes<'_>,
    now: Timestamp,
    entropy: u64,
) -> Result<(State, Turn), apply::Error> {
    // A shadow run changes nothing, so nobody has to approve it; one that is switched off ends at once.
    event.approval |= event.acts() && plan.asks_approval(&Variables::scope_of(&run_id, &event));
    let mut state = State::started(plan, run_id, &event, now);
    let mut turn = Turn { events: vec![Event::RunStarted(Box::new(event))], more: false };
    let first = brakes.queue(false, &state).or_else(|| hold.map(held::held));
    if let Some(event) = first {
        apply(plan, &mut state, &event, now)?;
        turn.events.push(event);
    }
    follow(plan, &mut state, brakes, now, entropy, &mut turn)?;
    Ok((state, turn))
}

/// Folds `input` and everything that follows from it at `now` into `state`.
///
/// # Errors
/// [`apply::Error::Stale`] if the input came too late or twice: the state is unchanged, and the commands that it owes should be sent again.
pub fn take(plan: &Plan, state: &mut State, input: Input, now: Timestamp, entropy: u64) -> Result<Turn, apply::Error> {
    take_under(plan, state, input, Brakes::default(), now, entropy)
}

/// As [`take`], under `brakes`.
///
/// # Errors
/// As [`take`].
pub fn take_under(
    plan: &Plan,
    state: &mut State,
    input: Input,
    brakes: Brakes<'_>,
    now: Timestamp,
    entropy: u64,
) -> Result<Turn, apply::Error> {
    brakes.check(state, &input)?;
    let took_room = state.takes_room();
    let mut turn = Turn::default();
    for event in input::events(plan, state, input, now, entropy)? {
        apply(plan, state, &event, now)?;
        turn.events.push(event);
    }
    if let Some(event) = brakes.queue(took_room, state) {
        apply(plan, state, &event, now)?;
        turn.events.push(event);
    }
    follow(plan, state, brakes, now, entropy, &mut turn)?;
    Ok(turn)
}

/// Folds a whole log, whose first event has to start the run. `None` for an empty log.
///
/// # Errors
/// A log that does not fold; the error names the event.
pub fn fold<'a>(plan: &Plan, commits: impl IntoIterator<Item = &'a Commit>) -> Result<Option<State>, apply::Error> {
    let mut state = None;
    for commit in commits {
        for event in &commit.events {
            match (&mut state, event) {
                (None, Event::RunStarted(started)) => {
                    state = Some(State::started(plan, commit.run_id.clone(), started, commit.at));
                }
                (None, other) => {
                    let why = "a log starts with `run_started`".to_owned();
                    return Err(apply::Error::Illegal { event: other.name(), why });
                }
                (Some(state), event) => apply(plan, state, event, commit.at)?,
            }
        }
    }
    Ok(state)
}

/// Folds one more commit of a log into the state before it.
///
/// # Errors
/// A commit that does not fold; the error names the event. The state is then between two commits, and of no further use.
pub fn fold_commit(plan: &Plan, state: &mut State, commit: &Commit) -> Result<(), apply::Error> {
    commit.events.iter().try_for_each(|event| apply(plan, state, event, commit.at))
}

/// Appends the events that follow, up to the turn's bounds.
fn follow(
    plan: &Plan,
    state: &mut State,
    brakes: Brakes<'_>,
    now: Timestamp,
    entropy: u64,
    turn: &mut Turn,
) -> Result<(), apply::Error> {
    let mut bytes = 0;
    while let Some(event) = advance::next(plan, state, now, entropy.wrapping_add(state.seq)) {
        let event = brakes.hold_instead(plan, state, event);
        apply(plan, state, &event, now)?;
        bytes += estimate_bytes(&event);
        turn.events.push(event);
        if turn.events.len() >= limit::EVENTS_PER_TURN || bytes >= limit::TURN_BYTES {
            turn.more = !state.is_ended();
            break;
        }
    }
    Ok(())
}

/// The event's size in bytes: exact for the fields that can be large, a flat 256 for the others.
fn estimate_bytes(event: &Event) -> usize {
    let large = match event {
        Event::AttemptStarted { parameters, .. } => serde_json::to_string(parameters),
        Event::FannedOut { items, .. } => serde_json::to_string(items),
        Event::ApprovalRequested { parameters, .. } => serde_json::to_string(parameters),
        Event::AttemptEnded { result, .. } => serde_json::to_string(result),
        Event::AttemptReissued { .. }
        | Event::RunStarted(_)
        | Event::IncidentRejected { .. }
        | Event::IncidentJoined { .. }
        | Event::ApprovalExpiring { .. }
        | Event::Approved { .. }
        | Event::Rejected { .. }
        | Event::StepApproved { .. }
        | Event::StepRejected { .. }
        | Event::CancelRequested { .. }
        | Event::RunWithdrawn { .. }
        | Event::RunHeld { .. }
        | Event::RunReleased { .. }
        | Event::RunQueued
        | Event::RunAdmitted
        | Event::AttemptHeld { .. }
        | Event::FollowUpDone { .. }
        | Event::ConditionFalse { .. }
        | Event::WaitStarted { .. }
        | Event::RetryScheduled { .. }
        | Event::StepEnded { .. }
        | Event::VerifyStarted
        | Event::Stopping { .. }
        | Event::RunEnded { .. } => return 256,
    };
    256 + large.map_or(0, |text| text.len())
}
