//! A run as a person follows it: one line for each step, derived from the log alone.
//!
//! [`Timeline`] takes commits in order and returns lines; it does no I/O and reads no clock. [`events`] shows every single event instead,
//! [`summary`] the end of the run. Lines contain colours, which [`crate::out`] removes for files and pipes.

mod approval;
pub(crate) mod events;
mod line;
mod step;
pub(crate) mod summary;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use heal_engine::event::{Commit, Event, StepOutcome, StopCause};
use heal_engine::id::{StepIndex, StepRef};
use heal_engine::message::AttemptResult;
use heal_engine::{Plan, Timestamp};
use owo_colors::OwoColorize as _;
use step::{Items, StepProgress};

use crate::{moment, out};

/// Widest column of step names, in characters.
const NAME_COLUMN: usize = 40;
/// Steps that the progress line shows; the others are counted.
const STEPS_SHOWN: usize = 3;

/// What the commits so far say about a run.
#[derive(Debug)]
pub(crate) struct Timeline {
    plan: Option<Arc<Plan>>,
    name_width: usize,
    steps: BTreeMap<StepIndex, StepProgress>,
}

impl Timeline {
    /// `plan` is `None` for a rejected message.
    pub(crate) fn new(plan: Option<Arc<Plan>>) -> Self {
        let longest = plan.iter().flat_map(|plan| plan.steps()).map(|(_, step)| step.spec.name.chars().count()).max();
        Self { plan, name_width: longest.unwrap_or(0).min(NAME_COLUMN), steps: BTreeMap::new() }
    }

    /// The lines for a commit.
    pub(crate) fn take(&mut self, commit: &Commit) -> Vec<String> {
        commit.events.iter().filter_map(|event| self.event(event, commit)).collect()
    }

    fn event(&mut self, event: &Event, commit: &Commit) -> Option<String> {
        let at = commit.at;
        match event {
            Event::RunStarted(started) => Some(line::head(&commit.run_id, started)),
            Event::IncidentRejected { incident_id, reason, .. } => {
                Some(line::rejected(&commit.run_id, incident_id, reason))
            }
            Event::IncidentJoined { incident_id } => {
                Some(line::remark("+", &format!("incident {} joined", out::text(incident_id))))
            }
            Event::Approved { .. }
            | Event::Rejected { .. }
            | Event::ApprovalRequested { .. }
            | Event::StepApproved { .. }
            | Event::StepRejected { .. }
            | Event::ApprovalExpiring { .. } => {
                approval::line(self.plan.as_deref(), event).map(|(mark, text)| line::remark(mark, &text))
            }
            Event::RunWithdrawn { reason } => {
                Some(line::remark("■", &format!("no longer needed: {}", out::text(reason))))
            }
            Event::RunHeld { by, reason, until, .. } => {
                let until = until.map(|until| format!(" until {}", moment::rfc3339(until))).unwrap_or_default();
                Some(line::remark("‖", &format!("held by {}{until}: {}", out::text(by), out::text(reason))))
            }
            Event::RunReleased { reason, .. } => Some(line::remark("▸", &format!("goes on: {}", out::text(reason)))),
            Event::RunQueued => Some(line::remark("‖", "waits for room: as many runs are live as may be")),
            Event::RunAdmitted => Some(line::remark("▸", "there is room")),
            Event::AttemptHeld { step, .. } => {
                self.held(*step);
                None
            }
            Event::FollowUpDone { id, by, .. } => {
                Some(line::remark("+", &format!("follow-up {} done by {}", out::text(id), out::text(by))))
            }
            Event::CancelRequested { by } => Some(line::remark("■", &format!("cancelled by {}", out::text(by)))),
            Event::ConditionFalse { step } => self.ended(*step, StepOutcome::ConditionFalse, None, at),
            Event::FannedOut { step, items } => {
                let items = Items { total: items.len(), ended: BTreeMap::new() };
                self.started(StepRef::whole(*step), at).items = Some(items);
                None
            }
            Event::AttemptStarted { step, .. } => {
                let progress = self.started(*step, at);
                progress.attempts += 1;
                progress.waits_until = None;
                None
            }
            Event::AttemptReissued { .. } => None,
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
            Event::VerifyStarted => Some(line::remark("?", "was it healed?")),
            Event::Stopping { cause, reason } => match cause {
                // The step's own line shows the reason.
                StopCause::Failed | StopCause::Denied | StopCause::NotHealed => None,
                StopCause::Timeout | StopCause::Cancelled => {
                    Some(line::remark("■", &format!("stops: {}", out::text(reason))))
                }
            },
            Event::RunEnded { .. } => None,
        }
    }

    fn started(&mut self, step: StepRef, at: Timestamp) -> &mut StepProgress {
        let progress = self.steps.entry(step.step).or_default();
        progress.started_at.get_or_insert(at);
        progress
    }

    /// The attempt does not count, and the step has not started if it was its first.
    fn held(&mut self, step: StepRef) {
        let progress = self.steps.entry(step.step).or_default();
        progress.attempts = progress.attempts.saturating_sub(1);
        if progress.attempts == 0 && progress.items.is_none() {
            progress.started_at = None;
        }
    }

    fn answered(&mut self, step: StepRef, result: &AttemptResult) {
        let progress = self.steps.entry(step.step).or_default();
        if step.item.is_none() {
            progress.output.clone_from(&result.output);
            progress.warnings.extend(result.warnings.iter().cloned());
        }
    }

    /// The line for a retry; `None` for one element of a fan-out, or if the reason repeats. The progress line counts those.
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
        let progress = self.started(step, at);
        progress.waits_until = Some(due_at);
        if progress.retry_reason.replace(reason.to_owned()).is_some_and(|before| before == reason) {
            return None;
        }
        let wait = moment::duration(due_at.since_ms(at));
        let text = format!("attempt {attempt} in {wait}: {}", out::text(reason));
        Some(format!("  {} {}  {}", "↻".yellow(), self.name(step.step), text.dimmed()))
    }

    fn ended(&mut self, step: StepRef, outcome: StepOutcome, reason: Option<&str>, at: Timestamp) -> Option<String> {
        let name = self.name(step.step);
        let progress = self.steps.entry(step.step).or_default();
        if step.item.is_some() {
            if let Some(items) = &mut progress.items {
                *items.ended.entry(outcome.as_str()).or_default() += 1;
            }
            return None;
        }
        progress.ended = true;
        Some(progress.ended_line(&name, outcome, reason, at))
    }

    /// The steps in progress at `now`, and since or until when; `None` if there are none.
    pub(crate) fn in_progress(&self, now: Timestamp) -> Option<String> {
        let name = |step: &StepIndex| self.plan.as_ref().map_or("?", |plan| plan.name(*step));
        let open: Vec<_> = self.steps.iter().filter(|(_, step)| !step.ended && step.started_at.is_some()).collect();
        let shown: Vec<_> = open.iter().take(STEPS_SHOWN).map(|(step, it)| it.progress(name(step), now)).collect();
        match (shown.is_empty(), open.len().saturating_sub(STEPS_SHOWN)) {
            (true, _) => None,
            (false, 0) => Some(shown.join(" · ")),
            (false, rest) => Some(format!("{} · and {rest} more", shown.join(" · "))),
        }
    }

    /// A step's name, padded to the width of the longest one.
    fn name(&self, step: StepIndex) -> String {
        let name = self.plan.as_ref().map_or("?", |plan| plan.name(step));
        format!("{name:<width$}", width = self.name_width)
    }
}
