//! A worker that died: only a workflow that is being replanned tells that it had acted.

use heal_runtime::AttemptOutcome;
use heal_sandbox::{Fault, FaultKind, Service};

use crate::rig::{Rig, unknown};
use crate::{of_plan, of_workflow, worker};

#[tokio::test]
async fn what_was_triggered_is_not_triggered_again() {
    let rig = Rig::new();
    let (worker, command) = (worker(&rig), of_workflow(&rig, "wf-running"));
    rig.lose_worker_after(&worker, &command).await;
    let result = rig.perform(&worker, &command).await;
    assert_eq!(result.outcome, AttemptOutcome::Succeeded);
    assert_eq!(result.warnings.len(), 1);
    assert_eq!(rig.calls_of("TriggerReplanning").len(), 1);
}

#[tokio::test]
async fn an_effect_that_no_state_proves_is_left_for_a_person() {
    let rig = Rig::new();
    let worker = worker(&rig);
    for (command, told) in [
        (of_workflow(&rig, "wf-running"), "\"wf-running\" is RUNNING"),
        (crate::rig::of_run(&of_plan(&rig, "plan-1"), "run-2"), "plan \"plan-1\""),
    ] {
        rig.lose_worker(&command, &[]).await;
        let result = rig.perform(&worker, &command).await;
        assert!(unknown(&result).contains(told), "{result:?}");
    }
    let command = crate::rig::of_run(&of_workflow(&rig, "wf-running"), "run-3");
    rig.lose_worker(&command, &[]).await;
    rig.platform.set_fault(Fault::new(Service::Orchestrator, FaultKind::Refuse)).unwrap();
    assert!(unknown(&rig.perform(&worker, &command).await).contains("orchestrator is unavailable"));
    assert!(rig.platform.replannings().is_empty());
}
