//! Counts in metrics what the clients and the drivers report.

use std::sync::Arc;
use std::time::Duration;

use heal_clients::breaker;
use heal_clients::observe::CallOutcome;
use heal_engine::catalog::WAIT;
use heal_engine::event::{RunOutcome, StepOutcome};
use heal_engine::message::AttemptOutcome;
use heal_engine::severity::Severity;
use heal_guard::{AutonomyLevel, Part, Verdict};
use heal_runtime::action::CallMetric;
use heal_runtime::dispatcher::IntakeOutcome;
use heal_runtime::observe::{ApprovalStage, Prevented};
use heal_runtime::port::{Decision, DecisionSource, Jump, LiveRuns, PolicyInput};
use heal_telemetry::metrics::{Id, Metrics, Names, OTHER, values};

/// The metrics of one process. The same value observes the clients and the drivers.
#[derive(Debug, Clone)]
pub struct Observer {
    metrics: Metrics,
}

impl Observer {
    /// `actions` and `playbooks` are the names that a label may have; any other becomes `other`.
    pub fn new<'n>(
        metrics: &Metrics,
        actions: impl IntoIterator<Item = &'n str>,
        playbooks: impl IntoIterator<Item = &'n str>,
    ) -> Arc<Self> {
        let names = Names {
            actions: actions.into_iter().chain([WAIT]).map(ToOwned::to_owned).collect(),
            playbooks: playbooks.into_iter().map(ToOwned::to_owned).collect(),
        };
        Arc::new(Self { metrics: metrics.with_names(names) })
    }

    /// One notice at one channel of this kind: `none` if no channel gets it.
    pub fn notified(&self, channel: &str, result: &str, took: Duration) {
        self.metrics.count(Id::Notifications, &[channel, result]);
        if channel != "none" {
            self.metrics.time(Id::NotificationDuration, took, &[channel]);
        }
    }

    /// The clock of this process jumped.
    pub fn clock_jumped(&self, jump: Jump) {
        self.metrics.count(Id::ClockJumps, &[jump.as_str()]);
    }

    /// See [`Metrics::show_zeros`].
    pub fn show_zeros(&self) {
        self.metrics.show_zeros();
    }
}

impl heal_clients::Observer for Observer {
    fn ticket_reallocation(&self, outcome: CallOutcome, reason: &str, took: Duration) {
        self.metrics.count(Id::TicketReallocation, &[status(outcome), reason]);
        self.metrics.time(Id::TicketReallocationDuration, took, &[]);
    }

    fn ticket_status_update(&self, outcome: CallOutcome, new_status: &str) {
        self.metrics.count(Id::TicketStatusUpdate, &[status(outcome), new_status]);
    }

    fn orchestrator_call(&self, operation: &'static str, outcome: CallOutcome, took: Duration) {
        self.metrics.count(Id::OrchestratorCalls, &[operation, status(outcome)]);
        self.metrics.time(Id::OrchestratorCallDuration, took, &[operation]);
    }

    /// The decisions themselves are counted where they are acted on: [`heal_runtime::observe::Observer::policy_decided`].
    fn opa_validation(&self, _action: &str, _result: &'static str, source: &'static str, took: Duration) {
        self.metrics.time(Id::OpaValidationDuration, took, &[source]);
    }

    fn breaker_state(&self, service: &'static str, state: breaker::State) {
        let value = match state {
            breaker::State::Closed => values::BREAKER_CLOSED,
            breaker::State::HalfOpen => values::BREAKER_HALF_OPEN,
            breaker::State::Open => values::BREAKER_OPEN,
        };
        self.metrics.set(Id::BreakerState, value, &[service]);
    }
}

impl heal_runtime::observe::Observer for Observer {
    fn incident_taken(&self, accepted: &IntakeOutcome) {
        let result = match accepted {
            IntakeOutcome::Started { .. } => "started",
            IntakeOutcome::Known { .. } => "known",
            IntakeOutcome::Joined { .. } => "joined",
            IntakeOutcome::Rejected { .. } => "rejected",
            IntakeOutcome::Withdrawn { .. } => "withdrawn",
            IntakeOutcome::Ignored { .. } => "ignored",
            // Its outcomes are reported one by one.
            IntakeOutcome::PerTicket { .. } => return,
        };
        self.metrics.count(Id::Incidents, &[result]);
    }

    fn run_started(&self, playbook: &str) {
        self.metrics.count(Id::RunsStarted, &[playbook]);
    }

    fn first_action(&self, playbook: &str, waited: Duration) {
        self.metrics.time(Id::IncidentToFirstAction, waited, &[playbook]);
    }

    #[expect(clippy::cast_precision_loss, reason = "no run has 2^52 commands")]
    fn run_ended(&self, playbook: &str, outcome: RunOutcome, took: Duration, commands: u64) {
        self.metrics.count(Id::RunsEnded, &[playbook, outcome.as_str()]);
        self.metrics.time(Id::RunDuration, took, &[playbook, outcome.as_str()]);
        self.metrics.observe(Id::RunHops, commands as f64, &[playbook]);
    }

    fn approval(&self, stage: ApprovalStage, severity: Option<&str>) {
        let result = match stage {
            ApprovalStage::Requested => "requested",
            ApprovalStage::Expiring => "expiring",
            ApprovalStage::Approved => "approved",
            ApprovalStage::Rejected => "rejected",
            ApprovalStage::Lapsed => "lapsed",
        };
        self.metrics.count(Id::Approvals, &[result, severity_label(severity)]);
    }

    fn run_left_work(&self, severity: Option<&str>, escalated: bool) {
        self.metrics.count(Id::RunsLeftWork, &[severity_label(severity)]);
        if escalated {
            self.metrics.count(Id::Escalations, &[severity_label(severity)]);
        }
    }

    fn step_ended(&self, action: &str, outcome: StepOutcome, took: Option<Duration>) {
        if let Some(took) = took {
            self.metrics.time(Id::StepDuration, took, &[action, outcome.as_str()]);
        }
    }

    fn budget_exceeded(&self, playbook: &str) {
        self.metrics.count(Id::HopBudgetExceeded, &[playbook]);
    }

    fn attempt_ended(&self, action: &str, ending: &AttemptOutcome) {
        let status = match ending {
            AttemptOutcome::Succeeded | AttemptOutcome::NoOp { .. } => "success",
            AttemptOutcome::Denied { .. }
            | AttemptOutcome::NeedsApproval { .. }
            | AttemptOutcome::CoolingDown { .. } => "denied",
            AttemptOutcome::Unavailable { .. } => "skipped",
            AttemptOutcome::Shadowed { .. } => "shadowed",
            AttemptOutcome::Failed { .. } | AttemptOutcome::TimedOut { .. } | AttemptOutcome::Unknown { .. } => "error",
        };
        self.metrics.count(Id::Attempts, &[action, status]);
    }

    fn policy_decided(&self, input: &PolicyInput, decision: &Decision) {
        self.metrics.count(Id::OpaValidation, &[input.resource.action.as_str(), result(decision)]);
    }

    fn call_prevented(&self, metric: &CallMetric, why: Prevented) {
        let status = match why {
            Prevented::Denied => "denied",
            Prevented::Unavailable => "skipped",
        };
        match metric {
            CallMetric::TicketReallocation { reason } => self.metrics.count(Id::TicketReallocation, &[status, reason]),
            CallMetric::TicketStatusUpdate { new_status } => {
                self.metrics.count(Id::TicketStatusUpdate, &[status, new_status]);
            }
            CallMetric::OrchestratorCall { operation } => {
                self.metrics.count(Id::OrchestratorCalls, &[operation, status]);
            }
        }
    }

    fn cooldown_hit(&self, action: &str) {
        self.metrics.count(Id::CooldownHits, &[action]);
    }

    fn decided(&self, action: &str, verdict: &Verdict) {
        self.metrics.count(Id::Decisions, &[action, verdict.as_str()]);
    }

    fn budget_hit(&self, action: &str) {
        self.metrics.count(Id::BudgetHits, &[action]);
    }

    fn guarded(&self, action: &str, part: Part, verdict: &Verdict) {
        let result = match verdict {
            Verdict::Deny { .. } if part == Part::Scope => "out_of_scope",
            Verdict::Deny { .. } => "window_denied",
            Verdict::Proceed | Verdict::Hold { .. } | Verdict::Escalate { .. } | Verdict::NeedsApproval { .. } => {
                "window_asked"
            }
        };
        self.metrics.count(Id::Guarded, &[action, result]);
    }

    fn demoted(&self, playbook: &str, _level: AutonomyLevel) {
        self.metrics.count(Id::Demotions, &[playbook]);
    }

    fn claim_lost(&self, action: &str) {
        self.metrics.count(Id::ClaimsLost, &[action]);
    }

    fn claim_recovered(&self, action: &str) {
        self.metrics.count(Id::ClaimsRecovered, &[action]);
    }

    fn step_dead_lettered(&self, action: &str) {
        self.metrics.count(Id::DeadLetteredSteps, &[action]);
    }

    fn runs_active(&self, live: LiveRuns) {
        self.metrics.set(Id::RunsActive, live.active, &[]);
        self.metrics.set(Id::RunsAwaitingApproval, live.awaiting_approval, &[]);
        self.metrics.set(Id::RunsWaiting, live.waiting, &[]);
    }

    fn runs_waiting(&self, oldest: Duration) {
        self.metrics.set(Id::RunsWaitingOldest, oldest.as_secs(), &[]);
    }

    fn runs_held(&self, runs: u64) {
        self.metrics.set(Id::RunsHeld, runs, &[]);
    }

    fn halts_active(&self, halts: u64) {
        self.metrics.set(Id::HaltsActive, halts, &[]);
    }

    fn notice_lost(&self) {
        self.metrics.count(Id::Notifications, &["none", "lost"]);
    }

    fn storms_active(&self, storms: u64) {
        self.metrics.set(Id::StormsActive, storms, &[]);
    }

    fn dependencies_sick(&self, dependencies: u64) {
        self.metrics.set(Id::DependenciesSick, dependencies, &[]);
    }
}

/// A word that the engine does not know is not in the label's set and becomes `other`.
fn severity_label(severity: Option<&str>) -> &'static str {
    match severity {
        None => "none",
        Some(word) => Severity::parse(word).map_or(OTHER, Severity::as_str),
    }
}

/// An unreachable service counts as `skipped`: that is the guide's fail-safe, unless the playbook says otherwise.
const fn status(outcome: CallOutcome) -> &'static str {
    match outcome {
        CallOutcome::Success => "success",
        CallOutcome::Refused => "error",
        CallOutcome::Unavailable => "skipped",
    }
}

/// The bundled policy's allowance counts as `fallback` if its warning says that the server should have decided. A denial counts as `deny`,
/// whichever policy made it.
const fn result(decision: &Decision) -> &'static str {
    match decision {
        Decision::Allow { source: DecisionSource::Server | DecisionSource::NotValidated, .. }
        | Decision::Allow { source: DecisionSource::Bundled, warning: None } => "allow",
        Decision::Allow { source: DecisionSource::Bundled, warning: Some(_) } => "fallback",
        Decision::Allow { source: DecisionSource::Disabled, .. } => "disabled",
        Decision::Allow { source: DecisionSource::FailOpen, .. } => "fail_open",
        Decision::Deny { .. } => "deny",
        Decision::RequireApproval { .. } => "require_approval",
        Decision::Unavailable { .. } => "error",
    }
}
