//! Which questions to people, and which answers of theirs, can happen in which state.

use super::{Error, startable as step_can_start};
use crate::event::Event;
use crate::id::{Digest, StepRef};
use crate::plan::Plan;
use crate::state::{Pending, Question, State};

/// An answer counts for an open question, for exactly what was asked, and once for each person. Who may give it was checked when it was accepted,
/// so that a log folds whatever the rules are by then.
pub(super) fn check_answer(plan: &Plan, state: &State, event: &Event) -> Result<(), Error> {
    let (step, digest) =
        if let Event::StepApproved { step, digest, .. } | Event::StepRejected { step, digest, .. } = event {
            (Some(*step), Some(digest))
        } else {
            (None, None)
        };
    let approver =
        if let Event::Approved { by, .. } | Event::StepApproved { by, .. } = event { Some(by) } else { None };
    let what = || step.map_or_else(|| "itself".to_owned(), |step| plan.name(step.step).to_owned());
    let stale = || Error::Stale {
        event: event.name(),
        why: format!("run {} is not awaiting approval of {}", state.run_id, what()),
    };
    let question = state.question(step).filter(|_| state.stopping.is_none()).ok_or_else(stale)?;
    if !question.is_open() {
        return Err(stale());
    }
    question.check_digest(digest).map_err(|objection| objection.of(event.name()))?;
    match approver {
        Some(by) if question.has_approval_of(by) => {
            Err(Error::Stale { event: event.name(), why: format!("{by} has approved this already") })
        }
        Some(_) | None => Ok(()),
    }
}

/// People are asked before the first attempt, after one that the policy stopped or that was held, or once more because what they approved has
/// changed.
pub(super) fn askable(state: &State, step: StepRef) -> Result<(), String> {
    if state.stopping.is_some() {
        return Err("the run is stopping".to_owned());
    }
    match state.pending.get(&step) {
        None => step_can_start(state, step),
        Some(Pending::Answered(_, result)) if result.needs_approval() => Ok(()),
        Some(Pending::Approval(question)) if question.is_approved() => Ok(()),
        Some(Pending::Held { .. }) => Ok(()),
        Some(_) => Err(format!("step {step} cannot ask for an approval now")),
    }
}

/// The attempt after an approval does exactly what was approved.
pub(super) fn startable(state: &State, question: &Question, attempt: u32, digest: &Digest) -> Result<(), String> {
    if !question.is_approved() || state.stopping.is_some() {
        return Err("nobody has approved the attempt, or the run is stopping".to_owned());
    }
    if question.digest != *digest || question.next_attempt() != attempt {
        return Err("the attempt differs from the one that was approved".to_owned());
    }
    Ok(())
}

pub(super) fn remindable(state: &State, step: Option<StepRef>, percent: u32) -> Result<(), String> {
    let next = state.question(step).and_then(Question::next_reminder);
    match next {
        Some((_, next)) if percent >= next => Ok(()),
        Some(_) | None => Err(format!("no reminder at {percent} % is due")),
    }
}
