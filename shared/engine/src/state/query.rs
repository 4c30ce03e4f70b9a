//! What a state answers; nothing here changes it.

use std::sync::Arc;

use serde_json::Value;

use super::follow_up::ESCALATION;
use super::{Attempt, Fan, Pending, Phase, State, StepState};
use crate::autonomy::{Autonomy, AutonomyLevel};
use crate::catalog::WAIT;
use crate::event::{RunOutcome, RunStatus, StepOutcome};
use crate::id::{StepIndex, StepRef, Token};
use crate::limit;
use crate::plan::Plan;
use crate::planted::{self, Bug};
use crate::template::{Lookup, Scope};
use crate::time::Timestamp;

impl State {
    /// The run's status in the words of the remediation API.
    pub fn status(&self) -> RunStatus {
        match self.phase {
            Phase::Acting | Phase::Verifying if self.queued.is_some() => RunStatus::Pending,
            Phase::Acting | Phase::Verifying if self.open_questions().next().is_some() => RunStatus::AwaitingApproval,
            Phase::AwaitingApproval => RunStatus::AwaitingApproval,
            Phase::Acting | Phase::Verifying => RunStatus::Running,
            Phase::Ended(outcome) => outcome.status(),
        }
    }

    /// How the run ended; `None` while it is live.
    pub const fn outcome(&self) -> Option<RunOutcome> {
        match self.phase {
            Phase::Ended(outcome) => Some(outcome),
            Phase::AwaitingApproval | Phase::Acting | Phase::Verifying => None,
        }
    }

    /// Whether the run has ended.
    pub const fn is_ended(&self) -> bool {
        self.outcome().is_some()
    }

    /// Whether the run is escalated and nobody has acknowledged that: further incidents about its target join it.
    pub fn awaits_acknowledgement(&self) -> bool {
        self.outcome() == Some(RunOutcome::Escalated) && self.follow_up.done(ESCALATION).is_none()
    }

    /// Whether this attempt is pending, with this token.
    pub fn expects(&self, step: StepRef, attempt: u32, token: &Token) -> bool {
        self.expected(step, attempt, token).is_some()
    }

    /// The pending attempt of this number and with this token.
    pub(crate) fn expected(&self, step: StepRef, attempt: u32, token: &Token) -> Option<&Attempt> {
        match self.pending.get(&step)? {
            Pending::Attempt(pending) => Some(&**pending).filter(|it| it.number == attempt && it.token == *token),
            Pending::Answered(..)
            | Pending::Retry { .. }
            | Pending::Wait { .. }
            | Pending::Held { .. }
            | Pending::Approval(_) => None,
        }
    }

    /// How a step ended; `None` if it has not.
    pub fn step_outcome(&self, step: StepIndex) -> Option<StepOutcome> {
        match self.steps.get(step as usize) {
            Some(StepState::Ended(outcome)) => Some(*outcome),
            Some(StepState::Waiting { .. } | StepState::Ready | StepState::Running | StepState::FannedOut(_))
            | None => None,
        }
    }

    /// When the step's first attempt, or its wait, started; `None` if it has not started.
    pub fn step_started_at(&self, step: StepIndex) -> Option<Timestamp> {
        self.step_starts.get(&step).copied()
    }

    /// The incident's own field `created_at`, in milliseconds since the epoch.
    pub fn incident_created_at(&self) -> Option<Timestamp> {
        self.variable("created_at").and_then(|at| at.as_u64()).map(Timestamp)
    }

    /// The incident's severity, as its producer wrote it.
    pub fn severity(&self) -> Option<&str> {
        self.variables.incident_field("severity").and_then(Value::as_str).filter(|severity| !severity.trim().is_empty())
    }

    /// Whether the incident asks that a person be called.
    pub fn escalation_required(&self) -> bool {
        self.variables.incident_field("escalation_required") == Some(&Value::Bool(true))
    }

    /// Whether the run's time has passed at `now`. An attempt in flight may have waited, and its answer may extend the time: until then the
    /// run neither starts a step nor stops. A timer that is due extends it as well, by its lateness, as soon as its event is recorded.
    pub(crate) fn is_overdue(&self, now: Timestamp) -> bool {
        let late_from = self.timers.first().map(|(due_at, _)| *due_at);
        now >= self.deadline_after(self.asked_from().into_iter().chain(late_from).min(), now)
    }

    /// Whether the run takes room among the live runs: it may change its targets, waits neither for room nor for the approval of the run as
    /// a whole, and has not ended. Once it takes room, it does so until its end.
    pub fn takes_room(&self) -> bool {
        let is_going = matches!(self.phase, Phase::Acting | Phase::Verifying) && self.queued.is_none();
        is_going && !self.mode.is_shadow()
    }

    /// Whether the run is held, or waits for room, and does not stop: then nothing follows from time or from results until it goes on.
    pub(crate) const fn stands_still(&self) -> bool {
        (self.held.is_some() || self.queued.is_some()) && self.stopping.is_none()
    }

    /// The next moment at which an event follows from time alone; `None` while the run is held or waits for room, and once it has ended.
    pub fn wake_at(&self) -> Option<Timestamp> {
        if self.is_ended() || self.stands_still() {
            return None;
        }
        let timer = self.timers.first().map(|(at, _)| *at);
        let stops_by_time = self.stopping.is_none() && self.in_flight == 0 && self.asking.is_empty();
        let deadline = stops_by_time.then_some(self.deadline);
        let reminders = self.open_questions().filter_map(|(_, question)| question.next_reminder());
        timer.into_iter().chain(deadline).chain(reminders.map(|(at, _)| at)).min()
    }

    /// The limit that the run has reached, as a sentence; `None` while it may go on.
    pub fn budget_exhausted(&self) -> Option<String> {
        if self.seq >= limit::EVENTS {
            return Some(format!("the run has {} events, the limit is {}", self.seq, limit::EVENTS));
        }
        let (sent, limit) = (self.commands_sent, limit::COMMANDS_PER_RUN);
        (sent >= limit && !planted::has(Bug::CommandBudgetIgnored))
            .then(|| format!("the run has sent {sent} commands, the limit is {limit}"))
    }

    /// What an unstopped run leaves for a person, as a sentence that names the steps; `None` if it leaves nothing.
    pub(crate) fn shortfall(&self, plan: &Plan) -> Option<String> {
        let describe = |(step, outcome): (&StepIndex, &StepOutcome)| {
            let name = plan.name(*step);
            match outcome {
                StepOutcome::Skipped if plan.is_verify(*step) => format!("{name} could not probe"),
                StepOutcome::Skipped if self.step_outcome(*step) == Some(StepOutcome::Skipped) => {
                    format!("{name} was skipped")
                }
                StepOutcome::Skipped => format!("{name} was skipped in part"),
                StepOutcome::Succeeded | StepOutcome::NoOp | StepOutcome::ConditionFalse | StepOutcome::Shadowed => {
                    format!("{name} left a follow-up")
                }
                StepOutcome::Denied
                | StepOutcome::CoolingDown
                | StepOutcome::Failed
                | StepOutcome::TimedOut
                | StepOutcome::Unknown => format!("{name} ended {}", outcome.as_str()),
            }
        };
        let more = self.shortfalls.len().saturating_sub(limit::NAMED_STEPS);
        let more = (more > 0).then(|| format!("and {more} more"));
        let parts: Vec<_> = self.shortfalls.iter().take(limit::NAMED_STEPS).map(describe).chain(more).collect();
        (!parts.is_empty()).then(|| format!("incomplete: {}", parts.join(", ")))
    }

    /// What a shadow run that nothing stopped would have done, as a sentence that names the steps.
    pub(crate) fn shadow_summary(&self, plan: &Plan) -> String {
        let is_shadowed = |index: StepIndex| self.step_outcome(index) == Some(StepOutcome::Shadowed);
        let shadowed: Vec<_> = plan
            .steps()
            .filter(|(index, planned)| planned.spec.kind != WAIT && !plan.is_verify(*index) && is_shadowed(*index))
            .map(|(_, planned)| planned.spec.name.as_str())
            .collect();
        let more = shadowed.len().saturating_sub(limit::NAMED_STEPS);
        let more = (more > 0).then(|| format!("and {more} more"));
        let named: Vec<_> =
            shadowed.iter().take(limit::NAMED_STEPS).map(|name| (*name).to_owned()).chain(more).collect();
        let done = match named.as_slice() {
            [] => "a live run would have changed nothing".to_owned(),
            named => format!("a live run would have executed {}", named.join(", ")),
        };
        match self.shortfall(plan) {
            Some(shortfall) => format!("{done}; {shortfall}"),
            None => done,
        }
    }

    /// Why nothing is done for the run's incident, if its playbook is switched off.
    pub(crate) fn switched_off(&self, plan: &Plan) -> Option<String> {
        let Autonomy { level, by, reason } = self.autonomy.as_ref()?;
        let playbook = &plan.playbook.name;
        (*level == AutonomyLevel::Off).then(|| format!("playbook {playbook} is switched off by {by}: {reason}"))
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

    /// The skipped or shadowed step that would have produced `path`, such as `worker_unhealthy` or `steps.check.healthy`, with its outcome.
    pub(crate) fn absent_producer(&self, path: &str) -> Option<(&str, StepOutcome)> {
        let mut parts = path.split('.');
        match parts.next()? {
            "steps" => {
                parts.next().and_then(|step| self.absent_outputs.values().find(|(producer, _)| producer == step))
            }
            name => self.absent_outputs.get(name),
        }
        .map(|(producer, outcome)| (producer.as_str(), *outcome))
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
