//! The cooldown: what was or may have been replanned is left alone for five minutes.

use heal_runtime::{ActionCommand, AttemptOutcome, AttemptResult};
use heal_sandbox::orchestrator::OrchestratorConfig;
use heal_sandbox::{FaultKind, PlatformConfig, Service};
use heal_trigger_replanning::COOLDOWN_MS;
use serde_json::json;

use crate::rig::{Rig, attempt, of_run, unavailable, unknown};
use crate::{of_plan, of_workflow, with, worker};

/// The orchestrator as it is deployed: it never reports REPLANNING.
fn deployed() -> Rig {
    let orchestrator = OrchestratorConfig { hides_replanning: true, ..OrchestratorConfig::default() };
    Rig::with(PlatformConfig { orchestrator, ..PlatformConfig::default() })
}

fn is_cooling_down(result: &AttemptResult) -> bool {
    matches!(result.outcome, AttemptOutcome::CoolingDown { .. })
}

fn other_run(command: &ActionCommand) -> ActionCommand {
    of_run(command, "run-2")
}

#[test]
fn the_cooldown_is_five_minutes() {
    assert_eq!(COOLDOWN_MS, 300_000);
}

#[tokio::test]
async fn a_second_incident_within_the_cooldown_triggers_nothing() {
    let rig = deployed();
    let (worker, command) = (worker(&rig), of_workflow(&rig, "wf-running"));
    assert_eq!(rig.perform(&worker, &command).await.outcome, AttemptOutcome::Succeeded);
    rig.clock.advance_ms(COOLDOWN_MS - 1);
    assert!(is_cooling_down(&rig.perform(&worker, &other_run(&of_workflow(&rig, "wf-running"))).await));
    // Whichever plan it names: by now the workflow may have another one.
    let parameters = json!({"workflow_id": "wf-running", "plan_id": "plan-new"});
    assert!(is_cooling_down(&rig.perform(&worker, &with(&rig, parameters)).await));
    assert_eq!(rig.platform.replannings().len(), 1);

    rig.clock.advance_ms(1);
    let command = of_workflow(&rig, "wf-running");
    assert_eq!(rig.perform(&worker, &of_run(&command, "run-3")).await.outcome, AttemptOutcome::Succeeded);
    assert_eq!(rig.platform.replannings().len(), 2);
}

#[tokio::test]
async fn other_workflows_and_plans_have_cooldowns_of_their_own() {
    let rig = deployed();
    let worker = worker(&rig);
    assert_eq!(rig.perform(&worker, &of_workflow(&rig, "wf-running")).await.outcome, AttemptOutcome::Succeeded);
    assert_eq!(rig.perform(&worker, &other_run(&of_plan(&rig, "plan-1"))).await.outcome, AttemptOutcome::Succeeded);
    assert!(is_cooling_down(&rig.perform(&worker, &of_run(&of_plan(&rig, "plan-1"), "run-3")).await));
}

#[tokio::test]
async fn the_next_attempt_of_a_step_that_triggered_nothing_is_not_cooling_down() {
    let rig = deployed();
    let (worker, command) = (worker(&rig), of_workflow(&rig, "wf-running"));
    // Read for the policy, then away.
    let platform = rig.platform.clone();
    rig.policy.decide_by(move |_| {
        let away = FaultKind::GrpcStatus { code: "UNAVAILABLE".to_owned(), message: String::new() };
        platform
            .set_fault(heal_sandbox::Fault::new(Service::Orchestrator, away).on("GetWorkflowStatus").times(1))
            .unwrap();
        crate::rig::allow()
    });
    unavailable(&rig.perform(&worker, &command).await);
    rig.policy.decide_by(|_| crate::rig::allow());
    assert_eq!(rig.perform(&worker, &attempt(&command, 2)).await.outcome, AttemptOutcome::Succeeded);
    assert_eq!(rig.platform.replannings().len(), 1);
}

#[tokio::test]
async fn what_may_have_been_replanned_is_left_alone_by_every_run() {
    let rig = deployed();
    let (worker, command) = (worker(&rig), of_workflow(&rig, "wf-running"));
    let abort = FaultKind::AbortAfterEffect { code: "UNKNOWN".to_owned(), message: "aborted".to_owned() };
    rig.fault_times(Service::Orchestrator, "TriggerReplanning", abort, 1);
    unknown(&rig.perform(&worker, &command).await);
    for again in [attempt(&command, 2), other_run(&command)] {
        assert!(is_cooling_down(&rig.perform(&worker, &again).await));
    }
    assert_eq!(rig.platform.replannings().len(), 1);
}
