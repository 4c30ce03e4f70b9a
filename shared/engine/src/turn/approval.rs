//! A person's answer to a question of a run.

use crate::apply;
use crate::event::Event;
use crate::id::{Digest, StepRef};
use crate::limit;
use crate::message::cut;
use crate::plan::Plan;
use crate::state::{Approver, State};
use crate::time::Timestamp;

/// A person approves or rejects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApprovalAnswer {
    /// The step's name; `None`: the run as a whole.
    pub step: Option<String>,
    /// The element of a step that fans out.
    pub item: Option<u32>,
    /// What the person has read. Always there for a step; the run as a whole does not change, so an older build sends none.
    pub digest: Option<Digest>,
    /// Who answers.
    pub by: Approver,
    /// The reason of a rejection; `None`: the person approves.
    pub rejection: Option<String>,
}

impl ApprovalAnswer {
    /// An approval of the run as a whole.
    pub const fn of_run(by: Approver) -> Self {
        Self { step: None, item: None, digest: None, by, rejection: None }
    }
}

/// The event of an answer to a question that is open, for exactly what was asked, by somebody who may give it. Anybody may reject, as anybody may
/// cancel a run. A question whose time is over is not answered any more, also if nothing has woken the run since; the time of a held run stands still.
pub(super) fn accept(
    plan: &Plan,
    state: &State,
    answer: ApprovalAnswer,
    now: Timestamp,
) -> Result<Event, apply::Error> {
    let ApprovalAnswer { step: name, item, digest, by, rejection } = answer;
    let step = name.as_ref().map(|name| plan.find(name).map(|step| StepRef { step, item }));
    let found = match step {
        None => state.run_question(),
        Some(step) => step.and_then(|step| state.step_question(step)),
    };
    let found = found.filter(|_| state.stopping.is_none());
    let Some(question) = found.filter(|question| question.is_open()) else {
        let what = name.as_deref().unwrap_or("itself");
        let why = format!("run {} is not awaiting approval of {what}", state.run_id);
        return Err(apply::Error::Stale { event: "approval_answer", why });
    };
    let now = state.held.as_ref().map_or(now, |held| held.since.min(now));
    if question.until <= now {
        let late_s = now.since_ms(question.until) / 1_000;
        let why = format!("the time to answer was over {late_s} s before this answer");
        return Err(apply::Error::Refused { event: "approval_answer", why });
    }
    question.check_digest(digest.as_ref()).map_err(|objection| objection.of("approval_answer"))?;
    if rejection.is_none() {
        let checked = question.check_approver(state.requested_by.as_deref(), &by);
        checked.map_err(|objection| objection.of("approval_answer"))?;
    }
    let Approver { identity: mut by, groups } = by;
    cut(&mut by, limit::TEXT_BYTES);
    let reason = rejection.map(|mut reason| {
        cut(&mut reason, limit::TEXT_BYTES);
        reason
    });
    match (step.flatten(), digest, reason) {
        (None, _, None) => Ok(Event::Approved { by, groups }),
        (None, _, Some(reason)) => Ok(Event::Rejected { by, reason }),
        (Some(step), Some(digest), None) => Ok(Event::StepApproved { step, digest, by, groups }),
        (Some(step), Some(digest), Some(reason)) => Ok(Event::StepRejected { step, digest, by, reason }),
        // What was not read was not approved.
        (Some(_), None, _) => Err(apply::Error::Refused {
            event: "approval_answer",
            why: "the answer does not say which parameters it is for".to_owned(),
        }),
    }
}
