//! The results of an attempt.

use heal_clients::Error;
use heal_clients::orchestrator::{Replanned, WorkflowState, WorkflowStatus};
use heal_clients::port::{Manual, Workflows, failed};
use heal_runtime::action::{Call, Performed, log};
use heal_runtime::{AttemptResult, Map};
use serde_json::Value;

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
        AttemptResult::no_op(reason, nothing_triggered())
    })
}

/// The result for a workflow that has no plan.
pub(crate) fn without_plan(call: &Call, parameters: &Parameters) -> AttemptResult {
    let target = parameters.target();
    failed(call, target, "no_plan", format!("workflow {target:?} has no plan: nothing to replan"))
}

/// The result if no answer says whether a replanning was triggered. `status` is the workflow's, read afterwards.
pub(crate) fn open(
    call: &Call,
    parameters: &Parameters,
    error: &Error,
    status: Option<&WorkflowStatus>,
) -> AttemptResult {
    let target = parameters.target();
    if let Some(status) = status.filter(|status| status.state == WorkflowState::Replanning) {
        let what = format!("workflow {target:?} is being replanned");
        log::done(call, "playbook_executor.replanning_triggered", target, &what);
        let warning = format!("the answer for {target:?} was lost; the workflow is REPLANNING now");
        return AttemptResult::succeeded(told_by_state(status)).warn(warning);
    }
    // Any other state proves nothing: an orchestrator may not report REPLANNING at all (contracts, section 8).
    Workflows::change_failed(call, target, error, &manual(call, parameters))
}

/// The result of an attempt that triggered nothing, for certain: the target may be replanned by the next one.
pub(crate) fn untouched(parameters: &Parameters, result: AttemptResult) -> Performed {
    Performed { result, proven_not_applied: vec![parameters.target().to_owned()] }
}

pub(crate) fn triggered(replanned: &Replanned) -> Map {
    output(
        replanned.replanning_id.as_str().into(),
        replanned.triggered_at_ms.into(),
        replanned.estimated_completion_seconds.into(),
    )
}

/// The workflow's state proves the replanning; its last change is no earlier.
pub(crate) fn told_by_state(status: &WorkflowStatus) -> Map {
    output(Value::Null, status.updated_at_ms.into(), Value::Null)
}

fn nothing_triggered() -> Map {
    output(Value::Null, Value::Null, Value::Null)
}

fn output(replanning_id: Value, triggered_at: Value, estimated_completion_seconds: Value) -> Map {
    let pairs = [
        ("replanning_id", replanning_id),
        ("triggered_at", triggered_at),
        ("estimated_completion_seconds", estimated_completion_seconds),
    ];
    pairs.map(|(name, value)| (name.to_owned(), value)).into_iter().collect()
}

pub(crate) fn manual(call: &Call, parameters: &Parameters) -> Manual {
    let target = match (&parameters.workflow_id, parameters.plan_id()) {
        (Some(workflow_id), _) => format!("workflow {workflow_id:?}"),
        (None, plan_id) => format!("plan {:?}", plan_id.unwrap_or_default()),
    };
    let reason = Workflows::reason(call, parameters.reason.as_deref());
    let act = format!(
        "trigger a replanning of {target} by hand (reason {reason:?}), or run the playbook again when the orchestrator answers"
    );
    let check = format!("check whether {target} is being replanned, or was; only if it was not, {act}");
    Manual { act, check }
}
