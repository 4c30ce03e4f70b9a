//! The results of a replanning that was not simply triggered.

use heal_clients::orchestrator::WorkflowState;
use heal_clients::port::{Manual, call_failed, failed};
use heal_clients::{Error, OutageKind};
use heal_runtime::action::{Call, log};
use heal_runtime::{AttemptOutcome, AttemptResult, Map};

use crate::parameters::Parameters;

/// The result if the workflow's state forbids a replanning, or makes it needless.
pub(crate) fn left_alone(call: &Call, parameters: &Parameters, state: WorkflowState) -> Option<AttemptResult> {
    let target = parameters.target();
    if state.is_terminal() {
        let message = format!("workflow {target:?} is in the terminal state {state} and is not planned again");
        return Some(failed(call, target, "terminal_state", message));
    }
    (state == WorkflowState::Replanning).then(|| {
        let reason = format!("workflow {target:?} is being replanned already");
        log::done(call, "playbook_executor.trigger_replanning_not_needed", target, &reason);
        AttemptResult::no_op(reason, output(None))
    })
}

/// The result if no answer says whether a replanning was triggered. `state` is the workflow's, read afterwards.
pub(crate) fn open(call: &Call, parameters: &Parameters, error: &Error, state: Option<WorkflowState>) -> AttemptResult {
    let target = parameters.target();
    if state == Some(WorkflowState::Replanning) {
        let what = format!("workflow {target:?} is being replanned");
        log::done(call, "playbook_executor.replanning_triggered", target, &what);
        let warning = format!("the answer for {target:?} was lost; the workflow is REPLANNING now");
        return AttemptResult::succeeded(output(None)).warn(warning);
    }
    let result = call_failed(call, target, error, &manual(parameters));
    if !is_lost(error) {
        return result;
    }
    // Another attempt has another id: the orchestrator would not recognise it as the same.
    let message = format!("whether a replanning was triggered is not known: {error}");
    AttemptResult { outcome: AttemptOutcome::Unknown { message }, ..result }
}

/// Sent, and never answered. An error answer is an answer.
fn is_lost(error: &Error) -> bool {
    let Error::Unavailable(outage) = error else { return false };
    matches!(outage.kind, OutageKind::Reset | OutageKind::Timeout)
}

pub(crate) fn output(replanning_id: Option<String>) -> Map {
    [("replanning_id".to_owned(), replanning_id.into())].into_iter().collect()
}

pub(crate) fn manual(parameters: &Parameters) -> Manual {
    let target = match (&parameters.workflow_id, &parameters.plan_id) {
        (Some(workflow_id), _) => format!("workflow {workflow_id:?}"),
        (None, plan_id) => format!("plan {:?}", plan_id.as_deref().unwrap_or_default()),
    };
    let reason = &parameters.reason;
    let act = format!(
        "trigger a replanning of {target} by hand (reason {reason:?}), or run the playbook again when the orchestrator answers"
    );
    let check = format!("check whether {target} is being replanned, or was; only if it was not, {act}");
    Manual { act, check }
}
