//! The commands that a run owes, in the imperative. They follow from committed state only.

use crate::id::{Seq, StepRef};
use crate::message::{ActionCommand, Context, effect_key};
use crate::plan::Plan;
use crate::state::{Attempt, Pending, State};
use crate::time::Timestamp;

/// One message to be sent. Sending it twice is safe: its receiver recognises it.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Tell an action to execute one attempt.
    Perform {
        /// Sequence number of the event that authorised the attempt.
        since: Seq,
        /// The step, or the element of a step that fans out.
        step: StepRef,
        /// The message for the action.
        command: Box<ActionCommand>,
    },
    /// Wake the run at `at`, or soon after.
    Wake {
        /// Sequence number of the event that scheduled the wake-up.
        since: Seq,
        /// The moment that the run waits for.
        at: Timestamp,
    },
}

impl Command {
    /// Sequence number of the event that this command follows from.
    pub const fn since(&self) -> Seq {
        match self {
            Self::Perform { since, .. } | Self::Wake { since, .. } => *since,
        }
    }
}

/// Everything that the committed `state` owes at `now`, oldest first. Equal arguments give equal commands.
///
/// A run that is held or waits for room owes nothing. An attempt is owed until its last moment to start; afterwards its action would do nothing.
pub fn decide(plan: &Plan, state: &State, now: Timestamp) -> Vec<Command> {
    since(plan, state, now, 0)
}

/// The part of [`decide`] that follows from events after `seq`: what a commit added.
pub fn since(plan: &Plan, state: &State, now: Timestamp, seq: Seq) -> Vec<Command> {
    if state.held.is_some() || state.queued.is_some() {
        return Vec::new();
    }
    let command = |(step, pending): (&StepRef, &Pending)| match pending {
        Pending::Attempt(attempt) if attempt.since > seq && now < attempt.deadline => {
            let command = Box::new(action_command(plan, state, *step, attempt)?);
            Some(Command::Perform { since: attempt.since, step: *step, command })
        }
        Pending::Retry { since, due_at: at, .. } | Pending::Wait { since, until: at } if *since > seq => {
            Some(Command::Wake { since: *since, at: *at })
        }
        Pending::Approval(question) if question.since > seq => {
            Some(Command::Wake { since: question.since, at: question.until })
        }
        Pending::Attempt(_)
        | Pending::Answered(..)
        | Pending::Retry { .. }
        | Pending::Wait { .. }
        | Pending::Held { .. }
        | Pending::Approval(_) => None,
    };
    let mut commands: Vec<_> = state.pending.iter().filter_map(command).collect();
    commands.sort_by_key(Command::since);
    commands
}

fn action_command(plan: &Plan, state: &State, step: StepRef, attempt: &Attempt) -> Option<ActionCommand> {
    let planned = plan.step(step.step)?;
    Some(ActionCommand {
        run_id: state.run_id.clone(),
        incarnation: state.incarnation,
        step: planned.spec.name.clone(),
        item: step.item,
        attempt: attempt.number,
        token: attempt.token.clone(),
        action: planned.spec.kind.clone(),
        parameters: attempt.parameters.clone(),
        parameters_digest: attempt.digest.clone(),
        issued_at: attempt.first_issued_at,
        deadline: attempt.deadline,
        timeout_ms: attempt.timeout_ms,
        // An attempt that an older build started keeps the key that it was started with.
        effect_key: attempt.timeout_ms.map(|_| {
            effect_key(&state.run_id, state.incarnation, &planned.spec.name, step.item, attempt.proven_not_applied)
        }),
        shadow: state.mode.is_shadow(),
        context: Context {
            incident_id: state.incident_id.clone(),
            playbook: plan.playbook.name.clone(),
            workflow_id: state.variable("workflow_id").and_then(|id| id.as_str().map(ToOwned::to_owned)),
            traceparent: state.traceparent.clone(),
        },
        commands_sent: attempt.commands_sent,
        approved: attempt.approved.clone(),
    })
}
