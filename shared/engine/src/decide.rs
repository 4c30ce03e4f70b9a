//! What is owed now.

use crate::command::Command;
use crate::id::Seq;
use crate::message::{ActionCommand, Context};
use crate::plan::Plan;
use crate::state::{Pending, State};
use crate::time::Timestamp;

/// Everything that the committed `state` owes at `now`, oldest first. Same arguments, same answer; safe to carry out twice.
///
/// An attempt is owed until its deadline: afterwards its action would refuse to start anyway.
pub fn decide(plan: &Plan, state: &State, now: Timestamp) -> Vec<Command> {
    since(plan, state, now, 0)
}

/// The part of [`decide`] that follows from events after `seq`: what a commit added.
pub fn since(plan: &Plan, state: &State, now: Timestamp, seq: Seq) -> Vec<Command> {
    let mut commands: Vec<_> = state
        .pending
        .iter()
        .filter_map(|(step, pending)| match pending {
            Pending::Attempt(attempt) if attempt.since > seq && now < attempt.deadline => {
                let planned = plan.step(step.step)?;
                let command = ActionCommand {
                    run_id: state.run_id.clone(),
                    step: planned.spec.name.clone(),
                    item: step.item,
                    attempt: attempt.number,
                    token: attempt.token.clone(),
                    action: planned.spec.kind.clone(),
                    parameters: attempt.parameters.clone(),
                    parameters_digest: attempt.digest.clone(),
                    issued_at: attempt.started_at,
                    deadline: attempt.deadline,
                    context: context(plan, state),
                    hop: attempt.hop,
                };
                Some(Command::Perform { since: attempt.since, step: *step, command: Box::new(command) })
            }
            Pending::Retry { since, due_at, .. } if *since > seq => Some(Command::Wake { since: *since, at: *due_at }),
            Pending::Wait { since, until } if *since > seq => Some(Command::Wake { since: *since, at: *until }),
            Pending::Attempt(_) | Pending::Answered(..) | Pending::Retry { .. } | Pending::Wait { .. } => None,
        })
        .collect();
    commands.sort_by_key(Command::since);
    commands
}

fn context(plan: &Plan, state: &State) -> Context {
    let workflow_id = state.variable("workflow_id").and_then(|id| id.as_str().map(ToOwned::to_owned));
    Context {
        incident_id: state.incident_id.clone(),
        playbook: plan.playbook.name.clone(),
        workflow_id,
        traceparent: state.traceparent.clone(),
    }
}
