//! A worker that died: the workflow's state tells whether it had acted.

use heal_runtime::AttemptOutcome;
use heal_sandbox::orchestrator::{Workflow, WorkflowState};
use heal_sandbox::seed::Seed;
use heal_sandbox::{Fault, FaultKind, Service};
use serde_json::json;

use crate::rig::{Rig, failed, output, unknown};
use crate::{of, worker};

#[tokio::test]
async fn what_was_not_done_is_done() {
    let rig = Rig::new();
    let command = of(&rig, "wf-1");
    rig.lose_worker(&command, &[]).await;
    let result = rig.perform(&worker(&rig), &command).await;
    assert_eq!(result.outcome, AttemptOutcome::Succeeded);
    assert!(result.warnings.is_empty());
    assert_eq!(rig.platform.effects().len(), 1);
}

#[tokio::test]
async fn what_was_done_is_not_done_again() {
    let rig = Rig::new();
    let (worker, command) = (worker(&rig), of(&rig, "wf-1"));
    rig.lose_worker_after(&worker, &command).await;
    let result = rig.perform(&worker, &command).await;
    assert_eq!(result.outcome, AttemptOutcome::Succeeded);
    let resumed_at = rig.platform.workflow("wf-1").unwrap().updated_at;
    let expected =
        json!({"resumed": true, "state": "RUNNING", "pause_duration_seconds": null, "resumed_at": resumed_at});
    assert_eq!(result.output, output(expected));
    assert_eq!(result.warnings.len(), 1);
    assert_eq!(rig.calls_of("ResumeWorkflow").len(), 1);
}

#[tokio::test]
async fn a_workflow_that_failed_meanwhile_is_refused_as_usual() {
    let rig = Rig::new();
    let command = of(&rig, "wf-1");
    rig.lose_worker(&command, &[]).await;
    let workflows = vec![Workflow::new("wf-1", "plan-1", WorkflowState::Failed)];
    rig.platform.seed(Seed { workflows, ..Seed::default() }).unwrap();
    assert_eq!(failed(&rig.perform(&worker(&rig), &command).await).0, "terminal_state");
    assert!(rig.calls_of("ResumeWorkflow").is_empty());
}

#[tokio::test]
async fn where_the_state_cannot_be_read_a_person_has_to_check() {
    let rig = Rig::new();
    let command = of(&rig, "wf-1");
    rig.lose_worker(&command, &[]).await;
    rig.platform.set_fault(Fault::new(Service::Orchestrator, FaultKind::Refuse)).unwrap();
    let result = rig.perform(&worker(&rig), &command).await;
    assert!(unknown(&result).contains("orchestrator is unavailable"), "{result:?}");
    assert!(rig.platform.effects().is_empty());
}
