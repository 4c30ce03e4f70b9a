//! A run as a person follows it: one line a step, made from the log alone.
//!
//! [`Timeline`] takes commits in order and gives lines; it does no I/O and reads no clock. [`events`] shows every single event instead,
//! [`summary`] what is left to say at the end. Lines carry colours; who prints them takes them out where they don't belong.

pub(crate) mod events;
mod look;
mod progress;
pub(crate) mod summary;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use heal_engine::event::{Commit, Event, StepOutcome, StopCause};
use heal_engine::id::{StepIndex, StepRef};
use heal_engine::message::AttemptResult;
use heal_engine::{Map, Plan, Timestamp};
use owo_colors::OwoColorize as _;

use crate::{moment, out};

/// Characters of a step's name that a column gives room to.
const NAME_COLUMN: usize = 40;

/// What has been seen of a run.
#[derive(Debug)]
pub(crate) struct Timeline {
    plan: Option<Arc<Plan>>,
    name_width: usize,
    steps: BTreeMap<StepIndex, Seen>,
}

/// What has been seen of a step.
#[derive(Debug, Default)]
struct Seen {
    started_at: Option<Timestamp>,
    attempts: u32,
    output: Map,
    warnings: Vec<String>,
    items: Option<Items>,
    /// What it waits for: the next attempt, or the end of a `wait`.
    waits_until: Option<Timestamp>,
    /// Why it was tried again the last time; the same once more is not news.
    retried_for: Option<String>,
    ended: bool,
}

/// Elements of a step that fans out.
#[derive(Debug, Default)]
struct Items {
    total: usize,
    ended: BTreeMap<&'static str, usize>,
}

impl Timeline {
    /// `plan` is none for a message that was rejected.
    pub(crate) fn new(plan: Option<Arc<Plan>>) -> Self {
        let longest = plan.iter().flat_map(|plan| plan.steps()).map(|(_, step)| step.spec.name.chars().count()).max();
        Self { plan, name_width: longest.unwrap_or(0).min(NAME_COLUMN), steps: BTreeMap::new() }
    }

    /// The lines that a commit adds.
    pub(crate) fn take(&mut self, commit: &Commit) -> Vec<String> {
        commit.events.iter().filter_map(|event| self.event(event, commit)).collect()
    }

    fn event(&mut self, event: &Event, commit: &Commit) -> Option<String> {
        let at = commit.at;
        match event {
            Event::RunStarted(started) => Some(look::head(&commit.run_id, started)),
            Event::IncidentRejected { incident_id, reason, .. } => {
                Some(look::rejected(&commit.run_id, incident_id, reason))
            }
            Event::IncidentJoined { incident_id } => {
                Some(look::remark("+", &format!("incident {} joined", out::text(incident_id))))
            }
            Event::Approved { by } => Some(look::remark("+", &format!("approved by {}", out::text(by)))),
            Event::CancelRequested { by } => Some(look::remark("■", &format!("cancelled by {}", out::text(by)))),
            Event::ConditionFalse { step } => self.ended(*step, StepOutcome::ConditionFalse, None, at),
            Event::FannedOut { step, items } => {
                let items = Items { total: items.len(), ended: BTreeMap::new() };
                self.started(StepRef::whole(*step), at).items = Some(items);
                None
            }
            Event::AttemptStarted { step, .. } => {
                let seen = self.started(*step, at);
                seen.attempts += 1;
                seen.waits_until = None;
                None
            }
            Event::WaitStarted { step, until } => {
                self.started(*step, at).waits_until = Some(*until);
                None
            }
            Event::AttemptEnded { step, result, .. } => {
                self.answered(*step, result);
                None
            }
            Event::RetryScheduled { step, attempt, due_at, reason } => {
                self.retried(*step, *attempt, *due_at, reason, at)
            }
            Event::StepEnded { step, outcome, reason } => self.ended(*step, *outcome, reason.as_deref(), at),
            Event::VerifyStarted => Some(look::remark("?", "was it healed?")),
            Event::Stopping { cause, reason } => match cause {
                // The step's own line has said it.
                StopCause::Failed | StopCause::Denied | StopCause::NotHealed => None,
                StopCause::Timeout | StopCause::Cancelled => {
                    Some(look::remark("■", &format!("stops: {}", out::text(reason))))
                }
            },
            Event::RunEnded { .. } => None,
        }
    }

    fn started(&mut self, step: StepRef, at: Timestamp) -> &mut Seen {
        let seen = self.steps.entry(step.step).or_default();
        seen.started_at.get_or_insert(at);
        seen
    }

    fn answered(&mut self, step: StepRef, result: &AttemptResult) {
        let seen = self.steps.entry(step.step).or_default();
        if step.item.is_none() {
            seen.output.clone_from(&result.output);
            seen.warnings.extend(result.warnings.iter().cloned());
        }
    }

    /// A retry of one element among thousands is not told, nor one for the same reason again; the progress line has their number.
    fn retried(
        &mut self,
        step: StepRef,
        attempt: u32,
        due_at: Timestamp,
        reason: &str,
        at: Timestamp,
    ) -> Option<String> {
        if step.item.is_some() {
            return None;
        }
        let seen = self.started(step, at);
        seen.waits_until = Some(due_at);
        if seen.retried_for.replace(reason.to_owned()).is_some_and(|before| before == reason) {
            return None;
        }
        let wait = moment::duration(due_at.since_ms(at));
        let text = format!("attempt {attempt} in {wait}: {}", out::text(reason));
        Some(format!("  {} {}  {}", "↻".yellow(), self.name(step.step), text.dimmed()))
    }

    fn ended(&mut self, step: StepRef, outcome: StepOutcome, reason: Option<&str>, at: Timestamp) -> Option<String> {
        let name = self.name(step.step);
        let seen = self.steps.entry(step.step).or_default();
        if step.item.is_some() {
            if let Some(items) = &mut seen.items {
                *items.ended.entry(outcome.as_str()).or_default() += 1;
            }
            return None;
        }
        seen.ended = true;
        Some(look::step(&name, seen, outcome, reason, at))
    }

    /// A step's name, filled up to the width of the longest one.
    fn name(&self, step: StepIndex) -> String {
        let name = self.plan.as_ref().map_or("?", |plan| plan.name(step));
        format!("{name:<width$}", width = self.name_width)
    }
}
