//! The fold behind a report.

use std::collections::BTreeMap;
use std::iter;

use serde_json::Value;

use super::{HeldReport, OpenStatus, Report, StepReport, StepStatus};
use crate::Map;
use crate::apply::attempt::waits_around;
use crate::event::{Commit, Event, StepOutcome};
use crate::id::{StepIndex, StepRef};
use crate::message::{AttemptOutcome, AttemptResult};
use crate::plan::Plan;
use crate::playbook::Step;
use crate::state::State;
use crate::time::Timestamp;

/// A fold that keeps what the state does not: times, attempts and outputs of every step.
pub(super) struct ReportFold<'a> {
    plan: &'a Plan,
    steps: BTreeMap<StepIndex, StepFacts>,
    /// When the newest command of each attempt in flight was issued.
    issued: BTreeMap<StepRef, Timestamp>,
    joined: Vec<String>,
    reason: Option<String>,
    ended_at: Option<Timestamp>,
}

/// What the log says of one step.
#[derive(Default)]
struct StepFacts {
    started_at: Option<Timestamp>,
    ended_at: Option<Timestamp>,
    open: Option<OpenStatus>,
    attempts: u32,
    waited_ms: u64,
    output: Option<Map>,
    warnings: Vec<String>,
    reason: Option<String>,
    tally: BTreeMap<&'static str, u32>,
    items: Option<usize>,
}

impl<'a> ReportFold<'a> {
    pub(super) const fn new(plan: &'a Plan) -> Self {
        Self { plan, steps: BTreeMap::new(), issued: BTreeMap::new(), joined: Vec::new(), reason: None, ended_at: None }
    }

    pub(super) fn read(mut self, commits: &[Commit]) -> Self {
        for commit in commits {
            for event in &commit.events {
                self.fold(event, commit.at);
            }
        }
        self
    }

    fn fold(&mut self, event: &Event, at: Timestamp) {
        match event {
            Event::RunStarted(_)
            | Event::IncidentRejected { .. }
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
            | Event::FollowUpDone { .. }
            | Event::VerifyStarted
            | Event::Stopping { .. } => {}
            Event::IncidentJoined { incident_id } => self.joined.push(incident_id.clone()),
            Event::ConditionFalse { step } => self.end_step(*step, StepOutcome::ConditionFalse, None, at),
            Event::FannedOut { step, items } => {
                let facts = self.start(*step, at, OpenStatus::Running);
                facts.items = Some(items.len());
            }
            Event::AttemptStarted { step, .. } => {
                self.issued.insert(*step, at);
                self.start(step.step, at, OpenStatus::Running).attempts += 1;
            }
            Event::AttemptReissued { step, .. } => {
                self.end_wait(*step, Some((at, at)), at);
                self.issued.insert(*step, at);
            }
            Event::AttemptHeld { step, .. } => {
                self.issued.remove(step);
                let facts = self.start(step.step, at, OpenStatus::Waiting);
                facts.attempts = facts.attempts.saturating_sub(1);
            }
            // The step has not started: its duration begins with its first attempt.
            Event::ApprovalRequested { step, .. } if step.item.is_none() => {
                self.steps.entry(step.step).or_default().open = Some(OpenStatus::AwaitingApproval);
            }
            Event::ApprovalRequested { .. } => {}
            Event::WaitStarted { step, .. } => {
                self.start(step.step, at, OpenStatus::Waiting);
            }
            Event::RetryScheduled { step, .. } if step.item.is_none() => {
                self.start(step.step, at, OpenStatus::Waiting);
            }
            Event::RetryScheduled { .. } => {}
            Event::AttemptEnded { step, result, started_at, finished_at, .. } => {
                self.end_wait(*step, started_at.zip(*finished_at), at);
                self.end_attempt(*step, result);
            }
            Event::StepEnded { step, outcome, reason } => self.end_step(*step, *outcome, reason.as_ref(), at),
            Event::RunEnded { reason, .. } => {
                self.reason.clone_from(reason);
                self.ended_at = Some(at);
            }
        }
    }

    fn start(&mut self, step: StepIndex, at: Timestamp, open: OpenStatus) -> &mut StepFacts {
        let facts = self.steps.entry(step).or_default();
        facts.started_at.get_or_insert(at);
        facts.open = Some(open);
        facts
    }

    /// Adds the waits around the time in which a worker worked on the step's newest command.
    fn end_wait(&mut self, step: StepRef, worked: Option<(Timestamp, Timestamp)>, at: Timestamp) {
        if let (Some(issued_at), Some(worked)) = (self.issued.remove(&step), worked) {
            let waits = waits_around(issued_at, worked, at);
            let waited_ms: u64 = waits.iter().map(|(from, to)| to.since_ms(*from)).sum();
            self.steps.entry(step.step).or_default().waited_ms += waited_ms;
        }
    }

    fn end_attempt(&mut self, step: StepRef, result: &AttemptResult) {
        let facts = self.steps.entry(step.step).or_default();
        facts.warnings.extend(
            result.warnings.iter().filter(|warning| !facts.warnings.contains(warning)).cloned().collect::<Vec<_>>(),
        );
        if step.item.is_none() && !result.output.is_empty() {
            facts.output = Some(result.output.clone());
        }
        if let (None, AttemptOutcome::Denied { violations }) = (step.item, &result.outcome) {
            let violations = serde_json::to_value(violations).unwrap_or(Value::Null);
            facts.output.get_or_insert_default().insert("violations".to_owned(), violations);
        }
    }

    fn end_step(&mut self, step: StepRef, outcome: StepOutcome, reason: Option<&String>, at: Timestamp) {
        let facts = self.steps.entry(step.step).or_default();
        if step.item.is_some() {
            *facts.tally.entry(outcome.as_str()).or_default() += 1;
        } else {
            facts.ended_at = Some(at);
            facts.reason = reason.cloned();
        }
    }

    pub(super) fn finish(mut self, state: &State) -> Report {
        let steps = self.plan.steps().map(|(index, planned)| {
            let facts = self.steps.remove(&index).unwrap_or_default();
            let status = match state.step_outcome(index) {
                Some(outcome) => StepStatus::Ended(outcome),
                None => StepStatus::Open(facts.open.filter(|_| !state.is_ended()).unwrap_or(OpenStatus::NotRun)),
            };
            facts.into_report(&planned.spec, status, self.plan.is_verify(index))
        });
        let steps = steps.collect();
        Report {
            run_id: state.run_id.clone(),
            incident_id: state.incident_id.clone(),
            playbook: Some(self.plan.playbook.name.clone()),
            mode: state.mode,
            autonomy: state.autonomy.clone(),
            status: state.status(),
            outcome: state.outcome(),
            reason: self.reason,
            started_at: state.started_at,
            ended_at: self.ended_at,
            waited_ms: state.waited_ms(),
            held: state.held.as_ref().map(|held| HeldReport { since: held.since, hold: held.hold.clone() }),
            queued_since: state.queued,
            steps,
            warnings: state.warnings.to_vec(),
            follow_up: state.follow_up.to_vec(),
            follow_ups: super::follow_up::list(&state.run_id, &state.follow_up),
            severity: state.severity().map(ToOwned::to_owned),
            escalation_required: state.escalation_required(),
            approvals: state.open_approvals(self.plan),
            joined: self.joined,
            traceparent: state.traceparent.clone(),
        }
    }
}

impl StepFacts {
    fn into_report(self, step: &Step, status: StepStatus, verify: bool) -> StepReport {
        let counts = self.items.map(|items| {
            let tally = self.tally.iter().map(|(outcome, count)| ((*outcome).to_owned(), Value::from(*count)));
            iter::once(("count".to_owned(), Value::from(items))).chain(tally).collect()
        });
        let success = matches!(status, StepStatus::Ended(outcome) if outcome.is_ok());
        let is_error = matches!(status, StepStatus::Ended(_)) && !success;
        let is_skipped = status == StepStatus::Ended(StepOutcome::Skipped);
        let skip = self.reason.clone().filter(|_| is_skipped);
        let warnings: Vec<_> = skip.into_iter().chain(self.warnings).collect();
        StepReport {
            name: step.name.clone(),
            kind: step.kind.clone(),
            status,
            success,
            skipped: is_skipped,
            attempts: self.attempts,
            duration_ms: self.started_at.zip(self.ended_at).map(|(start, end)| end.since_ms(start)),
            waited_ms: self.waited_ms,
            output: counts.or(self.output),
            warning: (!warnings.is_empty()).then(|| warnings.join("; ")),
            error: self.reason.clone().filter(|_| is_error),
            reason: self.reason.filter(|_| !is_error && !is_skipped),
            verify,
        }
    }
}
