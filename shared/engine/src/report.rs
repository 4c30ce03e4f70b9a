//! What a run has to say to people and to other services: a second fold of the log, which keeps outputs and times and decides nothing.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use crate::event::{Commit, Event, RunOutcome, RunStatus, StepOutcome};
use crate::id::{RunId, StepIndex, StepRef};
use crate::message::{AttemptOutcome, AttemptResult};
use crate::plan::Plan;
use crate::state::State;
use crate::time::Timestamp;
use crate::{Map, turn};

mod line;

pub use line::lines;

/// A run's summary: the last line of `heal run --json`, and what `heal runs show` prints.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    pub run_id: RunId,
    pub incident_id: String,
    pub playbook: Option<String>,
    pub status: RunStatus,
    pub outcome: Option<RunOutcome>,
    /// One sentence, where the outcome alone does not say why.
    pub reason: Option<String>,
    pub started_at: Timestamp,
    pub ended_at: Option<Timestamp>,
    pub steps: Vec<StepReport>,
    pub warnings: Vec<String>,
    pub follow_up: Vec<String>,
    /// Incidents that joined this run.
    pub joined: Vec<String>,
    pub traceparent: Option<String>,
}

/// One step of the plan, in the plan's order; started or not.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StepReport {
    pub name: String,
    #[serde(rename = "type")]
    pub kind: String,
    pub status: StepStatus,
    /// Attempts started, over all elements of a step that fans out.
    pub attempts: u32,
    /// From the first start to the end; none where it did not start or has not ended.
    pub duration_ms: Option<u64>,
    /// What the step gave; of a step that fans out how many elements ended how.
    pub output: Option<Map>,
    pub warning: Option<String>,
    pub error: Option<String>,
    /// Why it ended as it did, where that is no error: nothing to do, a false condition.
    pub reason: Option<String>,
    /// Whether it belongs to the verification.
    pub verify: bool,
}

/// How a step stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", untagged)]
pub enum StepStatus {
    Ended(StepOutcome),
    Open(OpenStatus),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum OpenStatus {
    /// Not started; in a run that has ended it never will be.
    NotRun,
    Running,
    /// Between two attempts, or in a `wait`.
    Waiting,
}

impl StepStatus {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ended(outcome) => outcome.as_str(),
            Self::Open(OpenStatus::NotRun) => "not_run",
            Self::Open(OpenStatus::Running) => "running",
            Self::Open(OpenStatus::Waiting) => "waiting",
        }
    }
}

/// What a log says so far. `plan` is none for a run that was rejected.
///
/// # Errors
/// A log that does not fold.
pub fn report(plan: Option<&Plan>, run_id: &RunId, commits: &[Commit]) -> Result<Report, crate::ApplyError> {
    let empty = || crate::ApplyError::Illegal { event: "none", why: format!("run {run_id} has no event") };
    let first = commits.first().ok_or_else(empty)?;
    match (plan, first.events.first().ok_or_else(empty)?) {
        (_, Event::IncidentRejected { incident_id, playbook, reason, .. }) => {
            Ok(rejected(run_id, incident_id, playbook.as_ref(), reason, first.at))
        }
        (Some(plan), _) => {
            let state = turn::fold(plan, commits)?.ok_or_else(empty)?;
            Ok(Folding::new(plan).read(commits).finish(&state))
        }
        (None, event) => {
            Err(crate::ApplyError::Illegal { event: event.name(), why: "the run's plan is missing".to_owned() })
        }
    }
}

fn rejected(run_id: &RunId, incident_id: &str, playbook: Option<&String>, reason: &str, at: Timestamp) -> Report {
    Report {
        run_id: run_id.clone(),
        incident_id: incident_id.to_owned(),
        playbook: playbook.cloned(),
        status: RunStatus::Failed,
        outcome: Some(RunOutcome::Failed),
        reason: Some(reason.to_owned()),
        started_at: at,
        ended_at: Some(at),
        steps: Vec::new(),
        warnings: Vec::new(),
        follow_up: vec![format!("correct the message and send it again: {reason}")],
        joined: Vec::new(),
        traceparent: None,
    }
}

/// What the state does not keep: times, attempts and outputs of every step.
struct Folding<'a> {
    plan: &'a Plan,
    seen: BTreeMap<StepIndex, Seen>,
    joined: Vec<String>,
    reason: Option<String>,
    ended_at: Option<Timestamp>,
}

#[derive(Default)]
struct Seen {
    started_at: Option<Timestamp>,
    ended_at: Option<Timestamp>,
    open: Option<OpenStatus>,
    attempts: u32,
    output: Option<Map>,
    warnings: Vec<String>,
    reason: Option<String>,
    tally: BTreeMap<&'static str, u32>,
    items: Option<usize>,
}

impl<'a> Folding<'a> {
    const fn new(plan: &'a Plan) -> Self {
        Self { plan, seen: BTreeMap::new(), joined: Vec::new(), reason: None, ended_at: None }
    }

    fn read(mut self, commits: &[Commit]) -> Self {
        for commit in commits {
            for event in &commit.events {
                self.event(event, commit.at);
            }
        }
        self
    }

    fn event(&mut self, event: &Event, at: Timestamp) {
        match event {
            Event::RunStarted(_)
            | Event::IncidentRejected { .. }
            | Event::Approved { .. }
            | Event::CancelRequested { .. }
            | Event::VerifyStarted
            | Event::Stopping { .. } => {}
            Event::IncidentJoined { incident_id } => self.joined.push(incident_id.clone()),
            Event::ConditionFalse { step } => self.step_ended(*step, StepOutcome::ConditionFalse, None, at),
            Event::FannedOut { step, items } => {
                let seen = self.start(*step, at, OpenStatus::Running);
                seen.items = Some(items.len());
            }
            Event::AttemptStarted { step, .. } => self.start(step.step, at, OpenStatus::Running).attempts += 1,
            Event::WaitStarted { step, .. } => {
                self.start(step.step, at, OpenStatus::Waiting);
            }
            Event::RetryScheduled { step, .. } if step.item.is_none() => {
                self.start(step.step, at, OpenStatus::Waiting);
            }
            Event::RetryScheduled { .. } => {}
            Event::AttemptEnded { step, result, .. } => self.answered(*step, result),
            Event::StepEnded { step, outcome, reason } => self.step_ended(*step, *outcome, reason.as_ref(), at),
            Event::RunEnded { reason, .. } => {
                self.reason.clone_from(reason);
                self.ended_at = Some(at);
            }
        }
    }

    fn start(&mut self, step: StepIndex, at: Timestamp, open: OpenStatus) -> &mut Seen {
        let seen = self.seen.entry(step).or_default();
        seen.started_at.get_or_insert(at);
        seen.open = Some(open);
        seen
    }

    fn answered(&mut self, step: StepRef, result: &AttemptResult) {
        let seen = self.seen.entry(step.step).or_default();
        seen.warnings.extend(
            result.warnings.iter().filter(|warning| !seen.warnings.contains(warning)).cloned().collect::<Vec<_>>(),
        );
        if step.item.is_none() && !result.output.is_empty() {
            seen.output = Some(result.output.clone());
        }
        if let (None, AttemptOutcome::Denied { violations }) = (step.item, &result.outcome) {
            let violations = serde_json::to_value(violations).unwrap_or(Value::Null);
            seen.output.get_or_insert_default().insert("violations".to_owned(), violations);
        }
    }

    fn step_ended(&mut self, step: StepRef, outcome: StepOutcome, reason: Option<&String>, at: Timestamp) {
        let seen = self.seen.entry(step.step).or_default();
        if step.item.is_some() {
            *seen.tally.entry(outcome.as_str()).or_default() += 1;
        } else {
            seen.ended_at = Some(at);
            seen.reason = reason.cloned();
        }
    }

    fn finish(mut self, state: &State) -> Report {
        let steps = self.plan.steps().map(|(index, planned)| {
            let seen = self.seen.remove(&index).unwrap_or_default();
            let status = match state.step_outcome(index) {
                Some(outcome) => StepStatus::Ended(outcome),
                None => StepStatus::Open(seen.open.filter(|_| !state.is_ended()).unwrap_or(OpenStatus::NotRun)),
            };
            seen.into_report(&planned.spec, status, self.plan.is_verify(index))
        });
        let steps = steps.collect();
        Report {
            run_id: state.run_id.clone(),
            incident_id: state.incident_id.clone(),
            playbook: Some(self.plan.playbook.name.clone()),
            status: state.status(),
            outcome: state.outcome(),
            reason: self.reason,
            started_at: state.started_at,
            ended_at: self.ended_at,
            steps,
            warnings: state.warnings.to_vec(),
            follow_up: state.follow_up.to_vec(),
            joined: self.joined,
            traceparent: state.traceparent.clone(),
        }
    }
}

impl Seen {
    fn into_report(self, step: &crate::playbook::Step, status: StepStatus, verify: bool) -> StepReport {
        let counts = self.items.map(|items| {
            let tally = self.tally.iter().map(|(outcome, count)| ((*outcome).to_owned(), Value::from(*count)));
            std::iter::once(("count".to_owned(), Value::from(items))).chain(tally).collect()
        });
        let is_error = matches!(status, StepStatus::Ended(outcome) if !outcome.is_well());
        let is_skipped = status == StepStatus::Ended(StepOutcome::Skipped);
        let skip = self.reason.clone().filter(|_| is_skipped);
        let warnings: Vec<_> = skip.into_iter().chain(self.warnings).collect();
        StepReport {
            name: step.name.clone(),
            kind: step.kind.clone(),
            status,
            attempts: self.attempts,
            duration_ms: self.started_at.zip(self.ended_at).map(|(start, end)| end.since_ms(start)),
            output: counts.or(self.output),
            warning: (!warnings.is_empty()).then(|| warnings.join("; ")),
            error: self.reason.clone().filter(|_| is_error),
            reason: self.reason.filter(|_| !is_error && !is_skipped),
            verify,
        }
    }
}
