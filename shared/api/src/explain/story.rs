//! The events of a run that explain it, each with the decisions that belong to it.

use heal_engine::event::{Commit, Event};
use heal_engine::id::{StepIndex, StepRef};
use heal_engine::message::AttemptResult;
use heal_engine::{Plan, Timestamp};
use serde::Serialize;

use super::decision::Decided;
use super::words::{attempt_text, data, describe_approval, name, safe};
use crate::moment;

/// One event, told.
#[derive(Debug, Serialize)]
pub struct Told {
    /// When it happened, counted from the run's start, and what happened.
    pub sentence: String,
    /// On each target, before the sentence's end came about.
    pub decisions: Vec<Decided>,
    /// What belongs to it, such as parameters and warnings; shown below the decisions.
    pub notes: Vec<String>,
}

impl Told {
    /// The same as lines for a terminal.
    pub fn lines(&self) -> Vec<String> {
        let decisions = self.decisions.iter().flat_map(Decided::lines);
        let notes = self.notes.iter().map(|note| format!("  {note}"));
        std::iter::once(self.sentence.clone()).chain(decisions).chain(notes).collect()
    }
}

/// What explains the run, in order; of `only`, if it is given, and of the run as a whole otherwise too.
pub fn tell(plan: Option<&Plan>, commits: &[Commit], only: Option<StepIndex>) -> Vec<Told> {
    let started_at = commits.first().map_or(Timestamp(0), |first| first.at);
    let events = commits.iter().flat_map(|commit| commit.events.iter().map(|event| (commit.at, event)));
    let wanted = events.filter(|(_, event)| match (only, step(event)) {
        (Some(only), Some(step)) => step.step == only,
        (Some(_), None) => false,
        (None, _) => true,
    });
    let told = wanted.filter_map(|(at, event)| {
        let told = event_told(plan, event, at)?;
        let since = moment::duration(at.since_ms(started_at));
        Some(Told { sentence: format!("+{since}  {}", told.sentence), ..told })
    });
    told.collect()
}

fn event_told(plan: Option<&Plan>, event: &Event, at: Timestamp) -> Option<Told> {
    let because = |reason: &Option<String>| reason.as_deref().map(|text| format!(", because {}", safe(text)));
    let plain = |sentence: String| Some(Told { sentence, decisions: Vec::new(), notes: Vec::new() });
    match event {
        Event::RunStarted(started) => plain(format!(
            "incident {} started playbook {}{}",
            safe(&started.incident_id),
            started.playbook,
            if started.approval { ", which a person has to approve first" } else { "" }
        )),
        Event::IncidentRejected { reason, .. } => plain(format!("the message was rejected: {}", safe(reason))),
        Event::Approved { by, .. } => plain(format!("{} approved the run", safe(by))),
        Event::Rejected { .. }
        | Event::ApprovalRequested { .. }
        | Event::StepApproved { .. }
        | Event::StepRejected { .. } => describe_approval(plan, event).and_then(plain),
        Event::CancelRequested { by } => plain(format!("{} asked the run to stop", safe(by))),
        Event::RunHeld { by, reason, .. } => plain(format!("{} holds the run: {}", safe(by), safe(reason))),
        Event::RunReleased { by, reason } => plain(format!("{} released the run: {}", safe(by), safe(reason))),
        Event::RunQueued => plain("the run waits: as many runs are live as the guardrails let be".to_owned()),
        Event::RunAdmitted => plain("there is room for the run, which goes on".to_owned()),
        Event::AttemptHeld { step, attempt, reason, .. } => {
            plain(format!("{}, attempt {attempt}: held, nothing was done: {}", name(plan, *step), safe(reason)))
        }
        Event::RunWithdrawn { reason } => plain(format!("the run is no longer needed: {}", safe(reason))),
        Event::ConditionFalse { step } => plain(format!("{}: not started, its condition was false", name(plan, *step))),
        Event::AttemptStarted { step, attempt, parameters, .. } => {
            let action = plan.and_then(|plan| plan.step(step.step)).map_or("?", |step| &step.spec.kind);
            Some(Told {
                sentence: format!("{}, attempt {attempt}: {action} was authorised", name(plan, *step)),
                decisions: Vec::new(),
                notes: vec![data("with", parameters)],
            })
        }
        Event::AttemptEnded { step, attempt, result, .. } => Some(ended(plan, *step, *attempt, result, at)),
        Event::RetryScheduled { step, attempt, due_at, reason } => plain(format!(
            "{}: attempt {attempt} follows in {}, because {}",
            name(plan, *step),
            moment::duration(due_at.since_ms(at)),
            safe(reason)
        )),
        Event::StepEnded { step, outcome, reason } => {
            plain(format!("{}: {}{}", name(plan, *step), outcome.as_str(), because(reason).unwrap_or_default()))
        }
        Event::Stopping { reason, .. } => plain(format!("the run stops: {}", safe(reason))),
        Event::RunEnded { outcome, reason } => {
            plain(format!("the run ended {}{}", outcome.as_str(), because(reason).unwrap_or_default()))
        }
        Event::IncidentJoined { .. }
        | Event::ApprovalExpiring { .. }
        | Event::FollowUpDone { .. }
        | Event::FannedOut { .. }
        | Event::AttemptReissued { .. }
        | Event::WaitStarted { .. }
        | Event::VerifyStarted => None,
    }
}

fn ended(plan: Option<&Plan>, step: StepRef, attempt: u32, result: &AttemptResult, at: Timestamp) -> Told {
    let step = name(plan, step);
    let outcome = result.outcome.as_str();
    let decisions =
        result.decisions.iter().map(|record| Decided::new(step.clone(), attempt, outcome, record)).collect();
    let cut =
        result.decisions_cut.map(|cut| format!("{cut} more decisions were left out: they were too many for the log"));
    let then = format!("then: {}", attempt_text(&result.outcome, at));
    let warnings = result.warnings.iter().map(|warning| format!("warning: {}", safe(warning)));
    Told {
        sentence: format!("{step}, attempt {attempt}: ended"),
        decisions,
        notes: cut.into_iter().chain([then]).chain(warnings).collect(),
    }
}

/// The step that the event is about.
const fn step(event: &Event) -> Option<StepRef> {
    match event {
        Event::ConditionFalse { step }
        | Event::AttemptStarted { step, .. }
        | Event::AttemptReissued { step, .. }
        | Event::AttemptHeld { step, .. }
        | Event::ApprovalRequested { step, .. }
        | Event::StepApproved { step, .. }
        | Event::StepRejected { step, .. }
        | Event::WaitStarted { step, .. }
        | Event::AttemptEnded { step, .. }
        | Event::RetryScheduled { step, .. }
        | Event::StepEnded { step, .. } => Some(*step),
        Event::FannedOut { step, .. } => Some(StepRef::whole(*step)),
        Event::RunStarted(_)
        | Event::IncidentRejected { .. }
        | Event::IncidentJoined { .. }
        | Event::ApprovalExpiring { .. }
        | Event::Approved { .. }
        | Event::Rejected { .. }
        | Event::CancelRequested { .. }
        | Event::RunHeld { .. }
        | Event::RunReleased { .. }
        | Event::RunQueued
        | Event::RunAdmitted
        | Event::RunWithdrawn { .. }
        | Event::FollowUpDone { .. }
        | Event::VerifyStarted
        | Event::Stopping { .. }
        | Event::RunEnded { .. } => None,
    }
}
