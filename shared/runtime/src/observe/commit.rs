//! What one commit has to tell.

use std::time::Duration;

use engine::event::{Commit, Event, Outcome};
use engine::id::StepRef;
use engine::{Plan, State, Timestamp};

use super::Observer;

/// Milliseconds in a day: an incident that claims to be older was not created then; its clock or its unit is another.
const DAY_MS: u64 = 86_400_000;

/// Tells of what `commit` added to the run, which stands at `state` after it.
pub(crate) fn committed(observer: &dyn Observer, plan: &Plan, state: &State, commit: &Commit) {
    let playbook = plan.playbook.name.as_str();
    let mut commands = 0;
    for event in &commit.events {
        match event {
            Event::RunStarted(_) => observer.run_started(playbook),
            Event::AttemptStarted { .. } => commands += 1,
            Event::ConditionFalse { step } => {
                step_ended(observer, plan, state, *step, Outcome::ConditionFalse, commit.at);
            }
            Event::StepEnded { step, outcome, .. } => step_ended(observer, plan, state, *step, *outcome, commit.at),
            Event::RunEnded { outcome, .. } => {
                observer.run_ended(playbook, *outcome, between(state.started_at, commit.at), state.hops);
            }
            Event::IncidentRejected { .. }
            | Event::IncidentJoined { .. }
            | Event::Approved { .. }
            | Event::CancelRequested { .. }
            | Event::FannedOut { .. }
            | Event::WaitStarted { .. }
            | Event::AttemptEnded { .. }
            | Event::RetryScheduled { .. }
            | Event::VerifyStarted
            | Event::Stopping { .. } => {}
        }
    }
    if commands > 0 && state.hops == commands {
        let created = state.incident_created_at().filter(|created| commit.at.since_ms(*created) <= DAY_MS);
        observer.first_action(playbook, between(created.unwrap_or(state.started_at), commit.at));
    }
}

fn step_ended(observer: &dyn Observer, plan: &Plan, state: &State, step: StepRef, outcome: Outcome, at: Timestamp) {
    // An element of a step that fans out is told with its step.
    if let (Some(planned), None) = (plan.step(step.step), step.item) {
        let took = state.step_started_at(step.step).map(|started| between(started, at));
        observer.step_ended(&planned.spec.kind, outcome, took);
    }
}

fn between(from: Timestamp, to: Timestamp) -> Duration {
    Duration::from_millis(to.since_ms(from))
}
