//! What a workflow's state means for a restart.

use heal_clients::orchestrator::WorkflowState;
use heal_clients::port::failed;
use heal_runtime::action::{Call, log};
use heal_runtime::{AttemptResult, Map};
use serde_json::Value;

/// The result if the workflow is not paused.
pub(crate) fn left_alone(call: &Call, workflow_id: &str, state: WorkflowState) -> AttemptResult {
    if state.is_terminal() {
        let message = format!("workflow {workflow_id:?} is in the terminal state {state} and cannot be resumed");
        return failed(call, workflow_id, "terminal_state", message)
            .follow_up(format!("create a new workflow instead of {workflow_id:?}, which is {state}"));
    }
    match state {
        WorkflowState::Running | WorkflowState::Pending | WorkflowState::Replanning => {
            let reason = format!("workflow {workflow_id:?} is {state}, there is nothing to resume");
            log::done(call, "playbook_executor.restart_workflow_not_needed", workflow_id, &reason);
            AttemptResult::no_op(
                reason,
                output(&Restart { state, resumed_at_ms: None, pause_duration_seconds: None }, false),
            )
        }
        WorkflowState::Unspecified
        | WorkflowState::Unknown(_)
        | WorkflowState::Paused
        | WorkflowState::Completed
        | WorkflowState::Failed
        | WorkflowState::Cancelled => {
            let message = format!("workflow {workflow_id:?} is {state}, only a PAUSED one can be resumed");
            failed(call, workflow_id, "unexpected_state", message)
        }
    }
}

/// Whether a workflow that was paused was resumed. A completed one was, and ran to its end.
pub(crate) fn is_resumed(state: WorkflowState) -> bool {
    is_running(state) || state == WorkflowState::Completed
}

/// Whether there is nothing to resume.
pub(crate) fn is_running(state: WorkflowState) -> bool {
    match state {
        WorkflowState::Running | WorkflowState::Pending | WorkflowState::Replanning => true,
        WorkflowState::Paused
        | WorkflowState::Completed
        | WorkflowState::Failed
        | WorkflowState::Cancelled
        | WorkflowState::Unspecified
        | WorkflowState::Unknown(_) => false,
    }
}

pub(crate) fn answer_lost(workflow_id: &str, state: WorkflowState) -> String {
    format!("the answer for workflow {workflow_id:?} was lost; its state is {state} now")
}

/// What is known of a restart.
#[derive(Debug)]
pub(crate) struct Restart {
    pub(crate) state: WorkflowState,
    /// Epoch milliseconds.
    pub(crate) resumed_at_ms: Option<i64>,
    pub(crate) pause_duration_seconds: Option<i64>,
}

pub(crate) fn output(restart: &Restart, is_resumed: bool) -> Map {
    let pairs: [(&str, Value); 4] = [
        ("resumed", is_resumed.into()),
        ("state", restart.state.as_str().into()),
        ("pause_duration_seconds", restart.pause_duration_seconds.into()),
        ("resumed_at", restart.resumed_at_ms.into()),
    ];
    pairs.map(|(name, value)| (name.to_owned(), value)).into_iter().collect()
}
