//! A run's summary for people and other services: a second fold of the log, which keeps outputs and times and decides nothing.

mod fold;
pub mod follow_up;

use serde::Serialize;
use serde_json::{Value, json};

use crate::autonomy::{Autonomy, RunMode};
use crate::event::{Commit, Event, RunOutcome, RunStatus, StepOutcome};
use crate::id::RunId;
use crate::message::Hold;
use crate::plan::Plan;
use crate::state::OpenApproval;
use crate::time::Timestamp;
use crate::{Map, apply, turn};
use fold::ReportFold;
pub use follow_up::FollowUp;

/// A run's summary: the last line of `heal run --json`, and what `heal runs show` prints.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// The run's id.
    pub run_id: RunId,
    /// The incident that the run is for.
    pub incident_id: String,
    /// The playbook's name; `None` for a rejected message.
    pub playbook: Option<String>,
    /// Whether the run may change its targets; not written if it may.
    #[serde(skip_serializing_if = "RunMode::is_live")]
    pub mode: RunMode,
    /// The playbook's level of autonomy at the run's start, if anybody had set one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub autonomy: Option<Autonomy>,
    /// The status in the words of the remediation API.
    pub status: RunStatus,
    /// How the run ended; `None` while it is live.
    pub outcome: Option<RunOutcome>,
    /// Why the run ended so, in one sentence, if the outcome alone does not say it.
    pub reason: Option<String>,
    /// When the run started.
    pub started_at: Timestamp,
    /// When the run ended; `None` while it is live.
    pub ended_at: Option<Timestamp>,
    /// Milliseconds in which the run waited in queues, by which its timeout was extended; not written if 0.
    #[serde(skip_serializing_if = "is_zero")]
    pub waited_ms: u64,
    /// What holds the run; not written while nothing does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held: Option<HeldReport>,
    /// Since when the run waits for room among the live runs; not written if it does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queued_since: Option<Timestamp>,
    /// The steps of the plan, in the plan's order.
    pub steps: Vec<StepReport>,
    /// What a person should know.
    pub warnings: Vec<String>,
    /// What is left for a person to do.
    pub follow_up: Vec<String>,
    /// The same, each with an id and with who did it.
    pub follow_ups: Vec<FollowUp>,
    /// The incident's severity, as its producer wrote it.
    pub severity: Option<String>,
    /// Whether the incident asks that a person be called.
    pub escalation_required: bool,
    /// What people are asked to approve; not written if nobody is asked.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub approvals: Vec<OpenApproval>,
    /// Incidents that joined this run.
    pub joined: Vec<String>,
    /// W3C `traceparent` that the run continues.
    pub traceparent: Option<String>,
}

/// What holds a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HeldReport {
    /// Since when the run's time stands still.
    pub since: Timestamp,
    /// Who holds the run, why, and until when.
    #[serde(flatten)]
    pub hold: Hold,
}

/// One step of the plan, started or not.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StepReport {
    /// The step's name in its playbook.
    pub name: String,
    /// The action's name, or `wait`.
    #[serde(rename = "type")]
    pub kind: String,
    /// How the step stands.
    pub status: StepStatus,
    /// Whether the step ended well; false while it has not ended.
    pub success: bool,
    /// Whether the step was skipped, which also counts as a success.
    pub skipped: bool,
    /// Attempts that started, over all elements of a step that fans out.
    pub attempts: u32,
    /// Milliseconds from the first start to the end; `None` if the step did not start or has not ended.
    pub duration_ms: Option<u64>,
    /// Milliseconds of `duration_ms` in which commands and results of the step waited in queues, each by itself; not written if 0.
    #[serde(skip_serializing_if = "is_zero")]
    pub waited_ms: u64,
    /// The step's output; for a step that fans out, how many elements ended with which outcome.
    pub output: Option<Map>,
    /// The step's warnings, joined by `; `.
    pub warning: Option<String>,
    /// Why the step failed or was denied.
    pub error: Option<String>,
    /// Why the step ended without an error: it had nothing to do, or its condition was false.
    pub reason: Option<String>,
    /// Whether the step belongs to the verification.
    pub verify: bool,
}

/// How a step stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", untagged)]
pub enum StepStatus {
    /// It has ended.
    Ended(StepOutcome),
    /// It has not ended.
    Open(OpenStatus),
}

/// How a step stands that has not ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum OpenStatus {
    /// It has not started; if the run has ended, it never will.
    NotRun,
    /// An attempt of it is in flight.
    Running,
    /// It is between two attempts, or in a `wait`.
    Waiting,
    /// People are asked whether it may start.
    AwaitingApproval,
}

impl StepStatus {
    /// The status's word in every interface.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ended(outcome) => outcome.as_str(),
            Self::Open(OpenStatus::NotRun) => "not_run",
            Self::Open(OpenStatus::Running) => "running",
            Self::Open(OpenStatus::Waiting) => "waiting",
            Self::Open(OpenStatus::AwaitingApproval) => "awaiting_approval",
        }
    }
}

/// The report of a run so far. `plan` is `None` for a rejected message.
///
/// # Errors
/// A log that is empty or does not fold.
pub fn report(plan: Option<&Plan>, run_id: &RunId, commits: &[Commit]) -> Result<Report, apply::Error> {
    let empty = || apply::Error::Illegal { event: "none", why: format!("run {run_id} has no event") };
    let first = commits.first().ok_or_else(empty)?;
    match (plan, first.events.first().ok_or_else(empty)?) {
        (_, Event::IncidentRejected { incident_id, reason, .. }) => {
            Ok(report_rejection(run_id, incident_id, reason, commits))
        }
        (Some(plan), _) => {
            let state = turn::fold(plan, commits)?.ok_or_else(empty)?;
            Ok(ReportFold::new(plan).read(commits).finish(&state))
        }
        (None, event) => {
            Err(apply::Error::Illegal { event: event.name(), why: "the run's plan is missing".to_owned() })
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
const fn is_zero(milliseconds: &u64) -> bool {
    *milliseconds == 0
}

fn report_rejection(run_id: &RunId, incident_id: &str, reason: &str, commits: &[Commit]) -> Report {
    let at = commits.first().map_or(Timestamp(0), |first| first.at);
    let follow_ups = follow_up::of_rejection(reason, at, commits);
    Report {
        run_id: run_id.clone(),
        incident_id: incident_id.to_owned(),
        playbook: None,
        mode: RunMode::Live,
        autonomy: None,
        status: RunStatus::Failed,
        outcome: Some(RunOutcome::Failed),
        reason: Some(reason.to_owned()),
        started_at: at,
        ended_at: Some(at),
        waited_ms: 0,
        held: None,
        queued_since: None,
        steps: Vec::new(),
        warnings: Vec::new(),
        follow_up: follow_ups.to_vec(),
        follow_ups: follow_up::list(run_id, &follow_ups),
        severity: None,
        escalation_required: false,
        approvals: Vec::new(),
        joined: Vec::new(),
        traceparent: None,
    }
}

/// The events of `commit` as people and scripts read them: one object each, as `{"run_id","seq","at","event",…}`.
///
/// `step` is the step's name, `at` is in milliseconds since the epoch, and the attempt's token is left out: it is secret.
pub fn lines(plan: Option<&Plan>, commit: &Commit) -> Vec<Value> {
    let line = |(offset, event): (u64, _)| {
        let mut line = serde_json::to_value(event).unwrap_or(Value::Null);
        if let Value::Object(fields) = &mut line {
            if let (Some(plan), Some(index)) = (plan, fields.get("step").and_then(Value::as_u64)) {
                let index = u32::try_from(index).unwrap_or(u32::MAX);
                fields.insert("step".to_owned(), json!(plan.name(index)));
                let kind = plan.step(index).map(|step| step.spec.kind.clone());
                fields.insert("action".to_owned(), json!(kind));
            }
            fields.insert("run_id".to_owned(), json!(commit.run_id));
            fields.insert("seq".to_owned(), json!(commit.first_seq + offset));
            fields.insert("at".to_owned(), json!(commit.at));
            fields.remove("token");
        }
        line
    };
    (0..).zip(&commit.events).map(line).collect()
}
