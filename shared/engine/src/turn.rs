//! One accepted input, whole: the events that it leads to.

use crate::advance;
use crate::apply::{ApplyError, apply};
use crate::command::Command;
use crate::decide;
use crate::event::{Event, RunStarted};
use crate::id::{RunId, Seq};
use crate::limit;
use crate::message::ActionResult;
use crate::plan::Plan;
use crate::state::State;
use crate::time::Timestamp;

/// What can reach a live run.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    Result(Box<ActionResult>),
    /// Time has passed.
    Wake,
    Joined {
        incident_id: String,
    },
    Approved {
        by: String,
    },
    CancelRequested {
        by: String,
    },
}

/// What one input led to.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Turn {
    /// To be committed as one; empty where the input changes nothing.
    pub events: Vec<Event>,
    /// The turn was cut at its bound: more follows at once, from a wake-up.
    pub more: bool,
}

/// Folds a run's first event and everything that follows from it at `now`.
pub fn begin(
    plan: &Plan,
    run_id: RunId,
    event: RunStarted,
    now: Timestamp,
    entropy: u64,
) -> Result<(State, Turn), ApplyError> {
    let mut state = State::started(plan, run_id, &event, now);
    let mut turn = Turn { events: vec![Event::RunStarted(Box::new(event))], more: false };
    follow(plan, &mut state, now, entropy, &mut turn)?;
    Ok((state, turn))
}

/// Folds `input` and everything that follows from it at `now` into `state`.
///
/// # Errors
/// [`ApplyError::Stale`] where the input is about something that is over: the state is as it was, and what it owes should be sent again.
pub fn take(plan: &Plan, state: &mut State, input: Input, now: Timestamp, entropy: u64) -> Result<Turn, ApplyError> {
    let mut turn = Turn::default();
    if let Some(event) = event_of(plan, state, input)? {
        apply(plan, state, &event, now)?;
        turn.events.push(event);
    }
    follow(plan, state, now, entropy, &mut turn)?;
    Ok(turn)
}

/// The commands that the events after `seq` added to what the run owes.
pub fn owed_since(plan: &Plan, state: &State, now: Timestamp, seq: Seq) -> Vec<Command> {
    decide::since(plan, state, now, seq)
}

fn follow(plan: &Plan, state: &mut State, now: Timestamp, entropy: u64, turn: &mut Turn) -> Result<(), ApplyError> {
    let mut bytes = 0;
    while let Some(event) = advance::next(plan, state, now, entropy.wrapping_add(state.seq)) {
        apply(plan, state, &event, now)?;
        bytes += weight(&event);
        turn.events.push(event);
        if turn.events.len() >= limit::EVENTS_PER_TURN || bytes >= limit::TURN_BYTES {
            turn.more = !state.is_ended();
            break;
        }
    }
    Ok(())
}

/// Bytes of an event as far as they can be many.
fn weight(event: &Event) -> usize {
    let value = match event {
        Event::AttemptStarted { parameters, .. } => serde_json::to_string(parameters),
        Event::FannedOut { items, .. } => serde_json::to_string(items),
        Event::AttemptEnded { result, .. } => serde_json::to_string(result),
        Event::RunStarted(_)
        | Event::IncidentRejected { .. }
        | Event::IncidentJoined { .. }
        | Event::Approved { .. }
        | Event::CancelRequested { .. }
        | Event::ConditionFalse { .. }
        | Event::WaitStarted { .. }
        | Event::RetryScheduled { .. }
        | Event::StepEnded { .. }
        | Event::VerifyStarted
        | Event::Stopping { .. }
        | Event::RunEnded { .. } => return 256,
    };
    256 + value.map_or(0, |text| text.len())
}

fn event_of(plan: &Plan, state: &State, input: Input) -> Result<Option<Event>, ApplyError> {
    match input {
        Input::Wake => Ok(None),
        Input::Joined { incident_id } => Ok(Some(Event::IncidentJoined { incident_id })),
        Input::Approved { by } => Ok(Some(Event::Approved { by })),
        Input::CancelRequested { by } => Ok(Some(Event::CancelRequested { by })),
        Input::Result(result) => answered(plan, state, *result).map(Some),
    }
}

/// A result counts only for the attempt that is pending, with its token.
fn answered(plan: &Plan, state: &State, result: ActionResult) -> Result<Event, ApplyError> {
    let stale = || ApplyError::Stale {
        event: "attempt_ended",
        what: format!("attempt {} of step {} in run {}", result.attempt, result.step, result.run_id),
    };
    let index = plan.find(&result.step).ok_or_else(stale)?;
    let step = crate::id::StepRef { step: index, item: result.item };
    if !state.expects(step, result.attempt, &result.token) {
        return Err(stale());
    }
    Ok(Event::AttemptEnded { step, attempt: result.attempt, result: result.result.capped() })
}

/// Folds one more commit of a log into the state before it.
///
/// # Errors
/// A commit that does not follow; its message names the event. The state is no longer one of the log then.
pub fn fold_on(plan: &Plan, state: &mut State, commit: &crate::event::Commit) -> Result<(), ApplyError> {
    commit.events.iter().try_for_each(|event| apply(plan, state, event, commit.at))
}

/// Folds a whole log. The first commit has to be that of a run that started.
///
/// # Errors
/// A log that does not fold; its message names the event.
pub fn fold<'a>(
    plan: &Plan,
    commits: impl IntoIterator<Item = &'a crate::event::Commit>,
) -> Result<Option<State>, ApplyError> {
    let mut state = None;
    for commit in commits {
        for event in &commit.events {
            match (&mut state, event) {
                (None, Event::RunStarted(started)) => {
                    state = Some(State::started(plan, commit.run_id.clone(), started, commit.at));
                }
                (None, other) => {
                    return Err(ApplyError::Illegal {
                        event: other.name(),
                        why: "it is not a run's first event".to_owned(),
                    });
                }
                (Some(state), event) => apply(plan, state, event, commit.at)?,
            }
        }
    }
    Ok(state)
}
