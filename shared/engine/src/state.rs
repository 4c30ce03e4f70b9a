//! Where a run stands: the fold of its log.
//!
//! Sets of what is ready, open and pending are kept up to date by every event, so that a step costs the same in a run of ten steps and of a thousand.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;

use crate::event::{RunOutcome, RunStarted, RunStatus, StepOutcome, StopCause};
use crate::id::{Digest, RunId, Seq, StepIndex, StepRef, Token};
use crate::message::AttemptResult;
use crate::plan::Plan;
use crate::template::{Lookup, Scope};
use crate::time::{Timestamp, seconds_to_ms};
use crate::{Map, limit};

mod budget;
mod notes;
mod times;
mod variables;

pub use notes::Notes;
pub use variables::Variables;

/// How long after an attempt's deadline its answer is waited for: the clocks of two machines may be this far apart.
pub const ANSWER_GRACE_MS: u64 = 5_000;

/// The state of one run. Only [`apply`](crate::apply::apply) changes it.
#[derive(Debug, Clone, PartialEq)]
pub struct State {
    pub run_id: RunId,
    /// Sequence number of the last event folded in.
    pub seq: Seq,
    pub phase: Phase,
    pub stopping: Option<Stop>,
    /// A step's failure that has to stop the run, until the stop is recorded.
    pub(crate) failure: Option<Stop>,
    pub started_at: Timestamp,
    /// The run's, or while approval is awaited that of the approval.
    pub deadline: Timestamp,
    pub incident_id: String,
    pub plan_digest: Digest,
    pub concurrency_key: Option<String>,
    pub traceparent: Option<String>,
    pub variables: Arc<Variables>,
    pub(crate) steps: Vec<StepState>,
    /// Index of the first verify entry in `steps`.
    pub(crate) first_verify: usize,
    pub(crate) ready: BTreeSet<StepIndex>,
    pub(crate) fanning: BTreeSet<StepIndex>,
    pub(crate) answered: BTreeSet<StepRef>,
    pub(crate) pending: BTreeMap<StepRef, Pending>,
    pub(crate) timers: BTreeSet<(Timestamp, StepRef)>,
    /// Attempts among `pending`.
    pub(crate) in_flight: usize,
    /// Steps of the current phase that have not ended.
    pub(crate) unended: u32,
    /// Outputs that a skipped step would have given, with that step's name.
    pub(crate) skipped_outputs: BTreeMap<String, String>,
    /// Commands that the log has authorised so far.
    pub hops: u64,
    pub warnings: Notes,
    pub follow_up: Notes,
    pub(crate) joined: BTreeSet<String>,
    /// When each step that has started did so.
    pub(crate) begun: BTreeMap<StepIndex, Timestamp>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    AwaitingApproval,
    Acting,
    Verifying,
    Ended(RunOutcome),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stop {
    pub cause: StopCause,
    pub reason: String,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum StepState {
    /// How many of its needs have not ended.
    Waiting {
        unmet: u32,
    },
    Ready,
    Running,
    FannedOut(Box<Fan>),
    Ended(StepOutcome),
}

/// A step that fans out: which elements have started, and how those that have ended did.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Fan {
    pub items: Arc<Vec<Value>>,
    pub next: u32,
    pub running: u32,
    pub max_parallel: u32,
    /// An element failed and `on_failure` is `stop`: no further one starts.
    pub halted: bool,
    pub tally: BTreeMap<&'static str, u32>,
    pub first_failure: Option<(StepOutcome, String)>,
}

/// What is expected for a step, or an element of one.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Pending {
    Attempt(Box<Attempt>),
    /// The attempt has ended; what follows from it is the next thing to say.
    Answered(Box<Attempt>, Box<AttemptResult>),
    /// The attempt that is described starts at `due_at`.
    Retry {
        since: Seq,
        due_at: Timestamp,
        attempt: Box<Attempt>,
        reason: String,
    },
    Wait {
        since: Seq,
        until: Timestamp,
    },
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Attempt {
    /// The event that authorised it.
    pub since: Seq,
    pub number: u32,
    pub token: Token,
    pub parameters: Map,
    pub digest: Digest,
    pub started_at: Timestamp,
    pub deadline: Timestamp,
    /// When the first attempt of the step started.
    pub first_started_at: Timestamp,
    pub hop: u64,
}

impl State {
    /// The state after a run's first event, which happened at `at`.
    pub fn started(plan: &Plan, run_id: RunId, event: &RunStarted, at: Timestamp) -> Self {
        let variables = Variables::new(&run_id, event);
        let waiting = |(_, step): (_, &crate::plan::PlannedStep)| match u32::try_from(step.needs.len()) {
            Ok(0) => StepState::Ready,
            Ok(unmet) => StepState::Waiting { unmet },
            Err(_) => StepState::Waiting { unmet: u32::MAX },
        };
        let mut state = Self {
            run_id,
            seq: 1,
            phase: Phase::AwaitingApproval,
            stopping: None,
            failure: None,
            started_at: at,
            deadline: at.plus_ms(seconds_to_ms(limit::APPROVAL_SECONDS)),
            incident_id: event.incident_id.clone(),
            plan_digest: event.plan_digest.clone(),
            concurrency_key: event.concurrency_key.clone(),
            traceparent: event.traceparent.clone(),
            variables: Arc::new(variables),
            steps: plan.steps().map(waiting).collect(),
            first_verify: plan.actions() as usize,
            skipped_outputs: BTreeMap::new(),
            ready: BTreeSet::new(),
            fanning: BTreeSet::new(),
            answered: BTreeSet::new(),
            pending: BTreeMap::new(),
            timers: BTreeSet::new(),
            in_flight: 0,
            unended: 0,
            hops: 0,
            warnings: Notes::default(),
            follow_up: Notes::default(),
            joined: BTreeSet::new(),
            begun: BTreeMap::new(),
        };
        if !event.approval {
            state.enter(plan, Phase::Acting);
            state.deadline = at.plus_ms(seconds_to_ms(plan.playbook.timeout_seconds));
        }
        state
    }

    /// Begins the actions, or the verification.
    pub(crate) fn enter(&mut self, plan: &Plan, phase: Phase) {
        let verifying = phase == Phase::Verifying;
        let of_phase = || plan.steps().map(|(index, _)| index).filter(|index| plan.is_verify(*index) == verifying);
        self.phase = phase;
        self.unended = u32::try_from(of_phase().count()).unwrap_or(u32::MAX);
        let ready = of_phase().filter(|index| matches!(self.steps.get(*index as usize), Some(StepState::Ready)));
        self.ready = ready.collect();
    }

    /// Where the run stands, in the words of the remediation API.
    pub const fn status(&self) -> RunStatus {
        match self.phase {
            Phase::AwaitingApproval => RunStatus::AwaitingApproval,
            Phase::Acting | Phase::Verifying => RunStatus::Running,
            Phase::Ended(outcome) => outcome.status(),
        }
    }

    pub const fn outcome(&self) -> Option<RunOutcome> {
        match self.phase {
            Phase::Ended(outcome) => Some(outcome),
            Phase::AwaitingApproval | Phase::Acting | Phase::Verifying => None,
        }
    }

    pub const fn is_ended(&self) -> bool {
        self.outcome().is_some()
    }

    /// Whether a result with these marks is waited for.
    pub fn expects(&self, step: StepRef, attempt: u32, token: &Token) -> bool {
        match self.pending.get(&step) {
            Some(Pending::Attempt(pending)) => pending.number == attempt && pending.token == *token,
            Some(Pending::Answered(..) | Pending::Retry { .. } | Pending::Wait { .. }) | None => false,
        }
    }

    /// How a step has ended, if it has.
    pub fn step_outcome(&self, step: StepIndex) -> Option<StepOutcome> {
        match self.steps.get(step as usize) {
            Some(StepState::Ended(outcome)) => Some(*outcome),
            Some(StepState::Waiting { .. } | StepState::Ready | StepState::Running | StepState::FannedOut(_))
            | None => None,
        }
    }

    /// The variables as a step's templates see them, with `item` in an element of a step that fans out.
    pub(crate) fn scope(&self, step: StepRef) -> Scope {
        let scope = Scope::new(Arc::clone(&self.variables) as Arc<dyn Lookup>);
        let item = step.item.and_then(|item| self.fan(step.step)?.items.get(item as usize).cloned());
        match item {
            Some(item) => scope.with_item(item),
            None => scope,
        }
    }

    pub(crate) fn variable(&self, name: &str) -> Option<Value> {
        self.variables.variable(name)
    }

    /// The skipped step that would have given `path`, such as `worker_unhealthy` or `steps.check.healthy`.
    pub(crate) fn skipped_giver(&self, path: &str) -> Option<&str> {
        let mut parts = path.split('.');
        match parts.next()? {
            "steps" => parts.next().and_then(|step| self.skipped_outputs.values().find(|giver| *giver == step)),
            name => self.skipped_outputs.get(name),
        }
        .map(String::as_str)
    }

    pub(crate) fn fan(&self, step: StepIndex) -> Option<&Fan> {
        match self.steps.get(step as usize) {
            Some(StepState::FannedOut(fan)) => Some(fan),
            Some(StepState::Waiting { .. } | StepState::Ready | StepState::Running | StepState::Ended(_)) | None => {
                None
            }
        }
    }
}

impl Pending {
    /// When time alone settles it.
    pub(crate) fn due_at(&self) -> Timestamp {
        match self {
            Self::Attempt(attempt) | Self::Answered(attempt, _) => attempt.deadline.plus_ms(ANSWER_GRACE_MS),
            Self::Retry { due_at, .. } => *due_at,
            Self::Wait { until, .. } => *until,
        }
    }
}

impl Fan {
    /// Whether a further element may start.
    pub(crate) fn has_room(&self) -> bool {
        !self.halted && self.running < self.max_parallel && (self.next as usize) < self.items.len()
    }

    /// Whether every element that started has ended, and none will start.
    pub(crate) fn is_over(&self) -> bool {
        self.running == 0 && (self.halted || self.next as usize >= self.items.len())
    }
}
