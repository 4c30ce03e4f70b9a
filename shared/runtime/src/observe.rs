//! What the drivers report of their work. Metrics are attached here, so that the drivers do not depend on a metrics vendor.

use std::fmt::Debug;
use std::time::Duration;

use heal_engine::event::{RunOutcome, StepOutcome};
use heal_engine::message::AttemptOutcome;
use heal_guard::{AutonomyLevel, Part, Verdict};

use crate::action::CallMetric;
use crate::dispatcher::IntakeOutcome;
use crate::port::{Decision, LiveRuns, PolicyInput};

mod commit;
mod lines;

pub(crate) use commit::committed;

/// Receives reports after the fact. Every method has an empty default; none may block.
///
/// # Guarantees
/// A committed event is reported once, by the process that committed it. If the response to the commit was lost, nobody reports it.
pub trait Observer: Debug + Send + Sync + 'static {
    /// A message from the incidents queue, or from a caller, was taken in.
    fn incident_taken(&self, _outcome: &IntakeOutcome) {}

    /// A run of `playbook` was created.
    fn run_started(&self, _playbook: &str) {}

    /// The run's first command was committed, `waited` after its incident was created, or accepted if the incident has no time.
    fn first_action(&self, _playbook: &str, _waited: Duration) {}

    /// A run ended after `took`, with `commands` commands sent.
    fn run_ended(&self, _playbook: &str, _outcome: RunOutcome, _took: Duration, _commands: u64) {}

    /// A run of an incident with this severity awaits approval, or no longer does.
    fn approval(&self, _stage: ApprovalStage, _severity: Option<&str>) {}

    /// A run ended other than `HEALED` or `COMPLETED`. `escalated`: its incident requires that a person be called.
    fn run_left_work(&self, _severity: Option<&str>, _escalated: bool) {}

    /// A step ended as a whole; `took` is `None` if it had not started.
    fn step_ended(&self, _action: &str, _outcome: StepOutcome, _took: Option<Duration>) {}

    /// A run has used up its budget of commands or events, and stops.
    fn budget_exceeded(&self, _playbook: &str) {}

    /// An attempt's result was stored.
    fn attempt_ended(&self, _action: &str, _ending: &AttemptOutcome) {}

    /// The policy decided about one target.
    fn policy_decided(&self, _input: &PolicyInput, _decision: &Decision) {}

    /// An action did not make this call for one target.
    fn call_prevented(&self, _metric: &CallMetric, _why: Prevented) {}

    /// The guard decided on one target: once for each decision that the attempt's record has, and once for an attempt that a halt stops.
    fn decided(&self, _action: &str, _verdict: &Verdict) {}

    /// A target was not touched because of its cooldown.
    fn cooldown_hit(&self, _action: &str) {}

    /// A target was not touched because a budget had no place left.
    fn budget_hit(&self, _action: &str) {}

    /// A window or the scope left a target alone, or asked for an approval.
    fn guarded(&self, _action: &str, _part: Part, _verdict: &Verdict) {}

    /// The level of autonomy of `playbook` went down by itself.
    fn demoted(&self, _playbook: &str, _level: AutonomyLevel) {}

    /// An attempt's result was not stored, because its claim had expired.
    fn claim_lost(&self, _action: &str) {}

    /// An attempt was taken over after its earlier worker's lease expired.
    fn claim_recovered(&self, _action: &str) {}

    /// A command of `action` became a dead letter.
    fn step_dead_lettered(&self, _action: &str) {}

    /// The numbers of live runs, over all processes.
    fn runs_active(&self, _live: LiveRuns) {}

    /// How long the run that waits longest for room has existed, over all processes; zero if none waits.
    fn runs_waiting(&self, _oldest: Duration) {}

    /// The number of live runs that are held, over all processes.
    fn runs_held(&self, _runs: u64) {}

    /// The number of halts in force.
    fn halts_active(&self, _halts: u64) {}

    /// A notice could not be put on its queue: people will not be told.
    fn notice_lost(&self) {}

    /// The number of storms that last.
    fn storms_active(&self, _storms: u64) {}

    /// The number of dependencies that are sick.
    fn dependencies_sick(&self, _dependencies: u64) {}
}

/// How far the wait for an approval is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ApprovalStage {
    /// The run, or a step of it, awaits approval.
    Requested,
    /// Much of the time is over.
    Expiring,
    /// A person approved the run or a step. An approval that needs several persons counts each.
    Approved,
    /// A person rejected the run or a step.
    Rejected,
    /// The time is over: the run is cancelled, or the step denied.
    Lapsed,
}

/// Why a call was not made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prevented {
    /// The policy denied it.
    Denied,
    /// The service could not be read before.
    Unavailable,
}

/// Ignores every report.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoopObserver;

impl Observer for NoopObserver {}
