//! What the drivers tell of their work, so that metrics can be attached without the drivers knowing a metrics vendor.

use std::fmt::Debug;
use std::time::Duration;

use heal_engine::event::{RunOutcome, StepOutcome};
use heal_engine::message::AttemptOutcome;

use crate::action::CallMetric;
use crate::dispatcher::Accepted;
use crate::port::{Decision, PolicyInput};

mod commit;

pub(crate) use commit::committed;

/// Told of what happened, after it. Every method has an empty default; none may block.
///
/// # Guarantees
/// What is in the log is told once, by the process whose write brought it there; a write whose answer was lost is told by nobody.
pub trait Observer: Debug + Send + Sync + 'static {
    /// A message was taken from the incidents queue, or given by a caller.
    fn incident_taken(&self, _accepted: &Accepted) {}

    fn run_started(&self, _playbook: &str) {}

    /// The run's first command is in the log, `waited` after its incident was created; after it was accepted, where the incident does not say when.
    fn first_action(&self, _playbook: &str, _waited: Duration) {}

    /// `commands` is how many the run has had.
    fn run_ended(&self, _playbook: &str, _outcome: RunOutcome, _took: Duration, _commands: u64) {}

    /// A step has ended as a whole; `took` is none where it had not started.
    fn step_ended(&self, _action: &str, _outcome: StepOutcome, _took: Option<Duration>) {}

    /// A run has used up what one run may do, and stops.
    fn budget_exceeded(&self, _playbook: &str) {}

    /// An attempt's result was stored.
    fn attempt_ended(&self, _action: &str, _ending: &AttemptOutcome) {}

    /// The policy was asked about one target.
    fn policy_decided(&self, _input: &PolicyInput, _decision: &Decision) {}

    /// An action did not make this call for one target.
    fn call_prevented(&self, _metric: &CallMetric, _why: Prevented) {}

    /// A target is left alone because it was touched too recently.
    fn cooldown_hit(&self, _action: &str) {}

    /// An attempt's result was not taken: its claim had run out.
    fn claim_lost(&self, _action: &str) {}

    /// An attempt was taken over from a worker that did not end it.
    fn claim_recovered(&self, _action: &str) {}

    /// A command of `action` was given up by its queue.
    fn step_dead_lettered(&self, _action: &str) {}

    /// So many runs have not ended, over all processes.
    fn runs_active(&self, _runs: u64) {}
}

/// Why a call was not made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prevented {
    /// The policy denied it.
    Denied,
    /// The service could not be read before.
    Unavailable,
}

/// Tells nobody.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoopObserver;

impl Observer for NoopObserver {}
