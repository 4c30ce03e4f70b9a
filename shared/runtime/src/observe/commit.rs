//! The reports of one commit.

use std::time::Duration;

use heal_engine::autonomy::AutonomyLevel;
use heal_engine::event::{Commit, Event, RunOutcome, StepOutcome, StopCause};
use heal_engine::id::StepRef;
use heal_engine::state::approval::LAPSED;
use heal_engine::{Plan, State, Timestamp};

use super::{ApprovalStage, Observer, lines};

/// Milliseconds in a day. An incident that claims to be older has a wrong clock or another unit of time.
const DAY_MS: u64 = 86_400_000;

/// Reports what `commit` added to the run, whose state after it is `state`.
pub(crate) fn committed(observer: &dyn Observer, plan: &Plan, state: &State, commit: &Commit) {
    let playbook = plan.playbook.name.as_str();
    let mut commands = 0;
    for event in &commit.events {
        match event {
            Event::RunStarted(started) => {
                observer.run_started(playbook);
                lines::started(state, started.approval && !state.is_ended());
                if started.approval && !state.is_ended() {
                    observer.approval(ApprovalStage::Requested, state.severity());
                }
            }
            Event::ApprovalRequested { step, until, why, .. } => {
                lines::approval_requested(state, &lines::step_name(plan, *step), *until, why);
                observer.approval(ApprovalStage::Requested, state.severity());
            }
            Event::ApprovalExpiring { step, percent, until } => {
                let step = step.map(|step| lines::step_name(plan, step));
                lines::approval_expiring(state, step.as_deref(), *percent, *until);
                observer.approval(ApprovalStage::Expiring, state.severity());
            }
            Event::Approved { by, .. } => {
                lines::approved(None, by);
                observer.approval(ApprovalStage::Approved, state.severity());
            }
            Event::StepApproved { step, by, .. } => {
                lines::approved(Some(&lines::step_name(plan, *step)), by);
                observer.approval(ApprovalStage::Approved, state.severity());
            }
            Event::Rejected { by, reason } => {
                lines::rejected(None, by, reason);
                observer.approval(ApprovalStage::Rejected, state.severity());
            }
            Event::StepRejected { step, by, reason, .. } => {
                lines::rejected(Some(&lines::step_name(plan, *step)), by, reason);
                observer.approval(ApprovalStage::Rejected, state.severity());
            }
            Event::RunWithdrawn { reason } => lines::withdrawn(state, reason),
            Event::RunHeld { by, reason, halt, until } => lines::held(by, reason, halt.as_deref(), *until),
            Event::RunReleased { by, reason } => tracing::info!(event = "run.released", by, reason, "a run goes on"),
            Event::RunQueued => lines::queued(state),
            Event::RunAdmitted => lines::admitted(state, commit.at),
            Event::AttemptHeld { step, attempt, reason, .. } => {
                tracing::info!(step = plan.name(step.step), item = step.item, attempt, reason, "attempt.held");
            }
            Event::FollowUpDone { id, by, .. } => lines::follow_up_done(state, id, by),
            Event::AttemptStarted { .. } => commands += 1,
            Event::AttemptReissued { step, attempt, reason, .. } => {
                tracing::info!(step = plan.name(step.step), item = step.item, attempt, reason, "attempt.reissued");
            }
            Event::ConditionFalse { step } => {
                step_ended(observer, plan, state, *step, StepOutcome::ConditionFalse, commit.at);
            }
            Event::StepEnded { step, outcome, reason } => {
                let is_lapsed = reason.as_ref().is_some_and(|reason| reason.starts_with(LAPSED));
                if *outcome == StepOutcome::Denied && is_lapsed {
                    observer.approval(ApprovalStage::Lapsed, state.severity());
                }
                step_ended(observer, plan, state, *step, *outcome, commit.at);
            }
            Event::RunEnded { outcome, reason } => {
                lines::ended(state, *outcome, reason.as_deref());
                let is_shadow = state.mode.is_shadow();
                if outcome.leaves_work() && !is_shadow && !is_withdrawal(state, *outcome) {
                    observer.run_left_work(state.severity(), state.escalation_required());
                }
                // However it ended: an alarm on failed runs is about those that were to do something.
                let counted = if is_shadow { RunOutcome::Shadowed } else { *outcome };
                observer.run_ended(playbook, counted, between(state.started_at, commit.at), state.commands_sent);
            }
            Event::Stopping { cause: StopCause::Failed, .. } if state.budget_exhausted().is_some() => {
                observer.budget_exceeded(playbook);
            }
            // Of the stops of a cancelled run only that after the time for approval is an event of its own, unless the run was withdrawn or
            // its playbook is switched off.
            Event::Stopping { cause: StopCause::Cancelled, .. }
                if state.withdrawn.is_none() && !is_switched_off(state) =>
            {
                observer.approval(ApprovalStage::Lapsed, state.severity());
            }
            Event::IncidentRejected { .. }
            | Event::IncidentJoined { .. }
            | Event::CancelRequested { .. }
            | Event::FannedOut { .. }
            | Event::WaitStarted { .. }
            | Event::AttemptEnded { .. }
            | Event::RetryScheduled { .. }
            | Event::VerifyStarted
            | Event::Stopping { .. } => {}
        }
    }
    if commands > 0 && state.commands_sent == commands {
        let created = state.incident_created_at().filter(|created| commit.at.since_ms(*created) <= DAY_MS);
        observer.first_action(playbook, between(created.unwrap_or(state.started_at), commit.at));
    }
}

/// Nobody has to know that a run ended which was no longer needed.
fn is_withdrawal(state: &State, outcome: RunOutcome) -> bool {
    state.withdrawn.is_some() && outcome == RunOutcome::Cancelled
}

fn is_switched_off(state: &State) -> bool {
    state.autonomy.as_ref().is_some_and(|autonomy| autonomy.level == AutonomyLevel::Off)
}

fn step_ended(observer: &dyn Observer, plan: &Plan, state: &State, step: StepRef, outcome: StepOutcome, at: Timestamp) {
    // The elements of a fan-out are reported with their step.
    if let (Some(planned), None) = (plan.step(step.step), step.item) {
        let took = state.step_started_at(step.step).map(|started| between(started, at));
        observer.step_ended(&planned.spec.kind, outcome, took);
    }
}

fn between(from: Timestamp, to: Timestamp) -> Duration {
    Duration::from_millis(to.since_ms(from))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
mod tests {
    use std::sync::Mutex;

    use heal_engine::autonomy::RunMode;
    use heal_engine::event::RunStarted;
    use heal_engine::turn::{self, Input};
    use heal_engine::{Map, RunId, limit};
    use serde_json::json;

    use super::*;

    /// Records the playbooks of runs that had used up their budget.
    #[derive(Debug, Default)]
    struct Budgets(Mutex<Vec<String>>);

    impl Observer for Budgets {
        fn budget_exceeded(&self, playbook: &str) {
            self.0.lock().unwrap().push(playbook.to_owned());
        }
    }

    fn plan() -> Plan {
        let playbook = json!({
            "name": "in_circles", "description": "", "timeout_seconds": 3_600, "triggers": [], "verify": [],
            "actions": [{
                "name": "first", "type": "count", "needs": [], "timeout_seconds": 60, "on_failure": "stop", "on_unavailable": "skip",
                "retry": {"max_attempts": 1, "backoff_seconds": 2, "max_backoff_seconds": 60}, "safety": "idempotent", "parameters": {},
            }],
        });
        Plan::compile(serde_json::from_value(playbook).unwrap()).unwrap()
    }

    #[test]
    fn a_run_that_used_up_its_budget_is_reported_and_a_cancelled_one_is_not() {
        for (hops, input, reported) in [
            (limit::COMMANDS_PER_RUN, Input::Wake, vec!["in_circles".to_owned()]),
            (0, Input::CancelRequested { by: "somebody".to_owned() }, Vec::new()),
        ] {
            let (plan, now) = (plan(), Timestamp(1_800_000_000_000));
            let started = RunStarted {
                incident_id: "inc-1".to_owned(),
                incident_type: None,
                playbook: "in_circles".to_owned(),
                plan_digest: plan.digest.clone(),
                variables: Map::new(),
                approval: false,
                named: false,
                gate: None,
                mode: RunMode::Live,
                autonomy: None,
                requested_by: None,
                concurrency_key: None,
                traceparent: None,
            };
            let (mut state, _) = turn::begin(&plan, RunId::new("run-1"), started, now, 1).unwrap();
            state.commands_sent = hops;
            let events = turn::take(&plan, &mut state, input, now, 1).unwrap().events;
            let commit = Commit {
                run_id: RunId::new("run-1"),
                first_seq: 1,
                cause_id: String::new(),
                at: now,
                events,
                chain: None,
            };
            let budgets = Budgets::default();
            committed(&budgets, &plan, &state, &commit);
            assert_eq!(*budgets.0.lock().unwrap(), reported, "{commit:?}");
        }
    }
}
