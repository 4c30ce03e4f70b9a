//! Where a run stands: the fold of its log.
//!
//! Every event updates the sets of steps that are ready, open or pending, so a step costs the same in a run of ten steps and of a thousand.

pub mod approval;
pub mod follow_up;
mod held;
mod notes;
mod pending;
mod query;
mod variables;
mod waits;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;

use crate::autonomy::{Autonomy, RunMode};
use crate::event::{RunOutcome, RunStarted, StepOutcome, StopCause};
use crate::id::{Digest, RunId, Seq, StepIndex, StepRef};
use crate::plan::{Plan, PlannedStep};
use crate::time::{Timestamp, seconds_to_ms};

pub use approval::{Approver, OpenApproval};
pub(crate) use approval::{Objection, Question};
pub use follow_up::FollowUps;
pub use held::Held;
pub use notes::Notes;
pub use pending::ANSWER_GRACE_MS;
pub(crate) use pending::{Attempt, Pending};
pub use variables::Variables;
pub(crate) use waits::Waits;

/// The state of one run. Only [`apply`](crate::apply::apply) changes it.
#[derive(Debug, Clone, PartialEq)]
pub struct State {
    /// The run's id.
    pub run_id: RunId,
    /// The run's start, if a request named the run: tells it from an earlier run of the same id. `None`: no other run has the id.
    pub(crate) incarnation: Option<Timestamp>,
    /// Sequence number of the last event folded in.
    pub seq: Seq,
    /// Whether the run may change its targets.
    pub mode: RunMode,
    /// The playbook's level of autonomy at the run's start, if anybody had set one.
    pub autonomy: Option<Autonomy>,
    /// What the run does now.
    pub phase: Phase,
    /// Why the run stops, once it does.
    pub stopping: Option<Stop>,
    /// Why the run ended as it did, once it has and if its outcome alone does not say it.
    pub end_reason: Option<String>,
    /// A step's failure that has to stop the run, until the stop is recorded.
    pub(crate) failure: Option<Stop>,
    /// When the run started.
    pub started_at: Timestamp,
    /// When the last event happened.
    pub updated_at: Timestamp,
    /// Who started the run, as an identity `KIND:NAME`; `None` if nobody attested it.
    pub requested_by: Option<String>,
    /// What people are asked, and have answered, before the run's first step; `None` if nobody is asked.
    pub(crate) run_question: Option<Box<Question>>,
    /// Why the run is no longer needed, once that is known.
    pub withdrawn: Option<String>,
    /// What holds the run; `None` while it may go on.
    pub held: Option<Held>,
    /// Since when the run waits for room among the live runs; `None` if it does not.
    pub queued: Option<Timestamp>,
    /// When the run that had waited for room was admitted.
    pub admitted_at: Option<Timestamp>,
    /// When the run times out, its waiting for workers included; before its approval, when it is cancelled.
    pub deadline: Timestamp,
    /// The time that the run has spent waiting for workers, by which `deadline` is later.
    pub(crate) waits: Waits,
    /// The incident that the run is for.
    pub incident_id: String,
    /// The digest of the run's plan.
    pub plan_digest: Digest,
    /// Runs with equal keys are not live at the same time.
    pub concurrency_key: Option<String>,
    /// W3C `traceparent` that the run continues.
    pub traceparent: Option<String>,
    /// What templates can read.
    pub variables: Arc<Variables>,
    pub(crate) steps: Vec<StepState>,
    /// Index of the first verify entry in `steps`.
    pub(crate) first_verify: usize,
    pub(crate) ready: BTreeSet<StepIndex>,
    /// Steps that fan out and have an element to start, or whose end is not recorded yet.
    pub(crate) fanning: BTreeSet<StepIndex>,
    /// Steps whose attempt has a result with no event that follows from it yet.
    pub(crate) answered: BTreeSet<StepRef>,
    /// Steps that wait for people.
    pub(crate) asking: BTreeSet<StepRef>,
    /// Steps that people have approved or rejected, with no event that follows from it yet.
    pub(crate) decided: BTreeSet<StepRef>,
    pub(crate) pending: BTreeMap<StepRef, Pending>,
    pub(crate) timers: BTreeSet<(Timestamp, StepRef)>,
    /// Attempts among `pending`.
    pub(crate) in_flight: usize,
    /// Steps of the current phase that have not ended.
    pub(crate) unended: u32,
    /// Outputs that a skipped or shadowed step would have produced, with that step's name and outcome.
    pub(crate) absent_outputs: BTreeMap<String, (String, StepOutcome)>,
    /// Steps that were skipped, ended badly or left a follow-up, with how they ended: what makes an unstopped run `DEGRADED`.
    pub(crate) shortfalls: BTreeMap<StepIndex, StepOutcome>,
    /// Commands that the log has authorised so far.
    pub commands_sent: u64,
    /// Warnings of the steps that have ended.
    pub warnings: Notes,
    /// What the steps that have ended leave for a person to do.
    pub follow_up: FollowUps,
    pub(crate) joined: BTreeSet<String>,
    /// Whether people were asked for an approval at any time.
    pub(crate) was_asked: bool,
    /// When each step started that has started.
    pub(crate) step_starts: BTreeMap<StepIndex, Timestamp>,
}

/// What a run does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// It waits for a person.
    AwaitingApproval,
    /// It executes its actions.
    Acting,
    /// It verifies whether the actions helped.
    Verifying,
    /// It has ended.
    Ended(RunOutcome),
}

/// Why a run stops before its last step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stop {
    /// As a word.
    pub cause: StopCause,
    /// As a sentence.
    pub reason: String,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum StepState {
    /// Some of the steps that it needs have not ended.
    Waiting {
        unmet: u32,
    },
    Ready,
    Running,
    FannedOut(Box<Fan>),
    Ended(StepOutcome),
}

/// A step that fans out: which elements have started, and how those ended that have.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Fan {
    pub items: Arc<Vec<Value>>,
    pub next: u32,
    pub running: u32,
    pub max_parallel: u32,
    /// An element failed and `on_failure` is `stop`: no further element starts.
    pub halted: bool,
    pub tally: BTreeMap<&'static str, u32>,
    pub first_failure: Option<(StepOutcome, String)>,
}

impl State {
    /// The state after a run's first event, which happened at `at`.
    pub fn started(plan: &Plan, run_id: RunId, event: &RunStarted, at: Timestamp) -> Self {
        let variables = Variables::new(&run_id, event);
        let initial = |(_, step): (_, &PlannedStep)| match u32::try_from(step.needs.len()) {
            Ok(0) => StepState::Ready,
            Ok(unmet) => StepState::Waiting { unmet },
            Err(_) => StepState::Waiting { unmet: u32::MAX },
        };
        let mut state = Self {
            run_id,
            incarnation: event.named.then_some(at),
            seq: 1,
            mode: event.mode,
            autonomy: event.autonomy.clone(),
            phase: Phase::AwaitingApproval,
            stopping: None,
            end_reason: None,
            failure: None,
            started_at: at,
            updated_at: at,
            requested_by: event.requested_by.clone(),
            run_question: None,
            withdrawn: None,
            held: None,
            queued: None,
            admitted_at: None,
            deadline: at,
            waits: Waits::default(),
            incident_id: event.incident_id.clone(),
            plan_digest: event.plan_digest.clone(),
            concurrency_key: event.concurrency_key.clone(),
            traceparent: event.traceparent.clone(),
            variables: Arc::new(variables),
            steps: plan.steps().map(initial).collect(),
            first_verify: plan.actions() as usize,
            absent_outputs: BTreeMap::new(),
            shortfalls: BTreeMap::new(),
            ready: BTreeSet::new(),
            fanning: BTreeSet::new(),
            answered: BTreeSet::new(),
            asking: BTreeSet::new(),
            decided: BTreeSet::new(),
            pending: BTreeMap::new(),
            timers: BTreeSet::new(),
            in_flight: 0,
            unended: 0,
            commands_sent: 0,
            warnings: Notes::default(),
            follow_up: FollowUps::default(),
            joined: BTreeSet::new(),
            was_asked: event.approval,
            step_starts: BTreeMap::new(),
        };
        if event.approval {
            state.ask_for_run(plan, event, at);
        } else {
            state.start_acting(plan, at);
        }
        if let Some(gate) = &event.gate {
            gate.warnings.iter().for_each(|warning| state.warnings.add(warning.clone()));
            state.failure = gate.stop.clone().map(|reason| Stop { cause: StopCause::Denied, reason });
        }
        state
    }

    /// Asks people before the first step. The plan says whom; the incident alone asks anybody.
    fn ask_for_run(&mut self, plan: &Plan, event: &RunStarted, at: Timestamp) {
        let own = plan.playbook.approval.clone();
        let asks = if own.is_some() { "playbook" } else { "incident" };
        let why = format!("the {asks} asks for an approval before the first step");
        let own = own.unwrap_or_default();
        self.deadline = at.plus_ms(seconds_to_ms(own.expires_seconds));
        self.run_question = Some(Box::new(Question {
            since: self.seq,
            at,
            digest: approval::run_digest(&event.plan_digest, &event.variables),
            parameters: crate::Map::new(),
            approvers: own.approvers,
            min: own.min,
            until: self.deadline,
            why,
            by: Vec::new(),
            rejection: None,
            reminds: own.reminder,
            reminded_percent: 0,
            attempt: None,
        }));
    }

    /// Starts the actions; the run's timeout counts from `at`.
    pub(crate) fn start_acting(&mut self, plan: &Plan, at: Timestamp) {
        self.enter(plan, Phase::Acting);
        self.deadline = at.plus_ms(seconds_to_ms(plan.playbook.timeout_seconds));
    }

    /// Makes the steps of `phase` ready that need no other.
    pub(crate) fn enter(&mut self, plan: &Plan, phase: Phase) {
        let verifying = phase == Phase::Verifying;
        let of_phase = || plan.steps().map(|(index, _)| index).filter(|index| plan.is_verify(*index) == verifying);
        self.phase = phase;
        self.unended = u32::try_from(of_phase().count()).unwrap_or(u32::MAX);
        let ready = of_phase().filter(|index| matches!(self.steps.get(*index as usize), Some(StepState::Ready)));
        self.ready = ready.collect();
    }
}

/// The reason of a run that stops because it was withdrawn.
pub(crate) fn no_longer_needed(reason: &str) -> String {
    format!("no longer needed: {reason}")
}

impl Fan {
    /// Whether a further element may start.
    pub(crate) fn has_room(&self) -> bool {
        !self.halted && self.running < self.max_parallel && (self.next as usize) < self.items.len()
    }

    /// Whether every element that started has ended, and no other will start.
    pub(crate) fn has_ended(&self) -> bool {
        self.running == 0 && (self.halted || self.next as usize >= self.items.len())
    }
}
