//! A worker that died: the pods tell whether it had acted.

use heal_restart_pod::CLOCK_ERROR_MS;
use heal_runtime::AttemptOutcome;
use heal_runtime::port::{Clock as _, SystemClock};
use heal_sandbox::seed::Seed;
use heal_sandbox::{Fault, FaultKind, Service};
use serde_json::Value;

use crate::rig::{short, unknown};
use crate::{cluster, of, worker};

#[tokio::test]
async fn an_old_pod_was_not_deleted_and_is_deleted() {
    let rig = cluster(0, 0);
    let command = of(&rig, "worker-1");
    rig.lose_worker(&command, &[]).await;
    let result = rig.perform(&worker(&rig).await, &command).await;
    assert_eq!(result.outcome, AttemptOutcome::Succeeded);
    assert!(result.warnings.is_empty());
    assert_eq!(rig.platform.effects().len(), 1);
}

#[tokio::test]
async fn a_pod_that_came_after_the_command_is_waited_for_and_not_deleted() {
    let rig = cluster(0, 0);
    let (worker, command) = (worker(&rig).await, of(&rig, "worker-1"));
    rig.lose_worker_after(&worker, &command).await;
    let result = rig.perform(&worker, &command).await;
    assert_eq!(result.outcome, AttemptOutcome::Succeeded);
    assert_eq!(result.output["replaced_by"], "worker-1");
    assert_eq!(result.warnings.len(), 1);
    assert_eq!(rig.platform.effects().len(), 1);
}

#[tokio::test]
async fn a_young_pod_that_has_restarted_already_is_the_commands_pod() {
    let rig = cluster(0, 0);
    rig.platform.seed(Seed::unhealthy_worker()).unwrap();
    rig.clock.set(SystemClock.now().plus_ms(CLOCK_ERROR_MS / 2));
    let command = of(&rig, "worker-1");
    rig.lose_worker(&command, &[]).await;
    let result = rig.perform(&worker(&rig).await, &command).await;
    assert_eq!((result.outcome, result.warnings.len()), (AttemptOutcome::Succeeded, 0));
    assert_eq!(rig.platform.effects().len(), 1, "seven restarts: it was there before the command");
}

#[tokio::test]
async fn a_pod_whose_name_does_not_come_back_is_gone() {
    let rig = cluster(0, 0);
    let (worker, command) = (worker(&rig).await, of(&rig, "executor-7d9f8-x2k4q"));
    rig.lose_worker_after(&worker, &command).await;
    let result = rig.perform(&worker, &command).await;
    assert_eq!(result.outcome, AttemptOutcome::Succeeded);
    assert_eq!(result.output["replaced_by"], Value::Null);
    assert_eq!(result.warnings.len(), 2, "nobody saw its replacement: {:?}", result.warnings);
    assert_eq!(rig.platform.effects().len(), 1);
}

#[tokio::test]
async fn a_pod_on_its_way_out_is_waited_for() {
    let rig = cluster(0, 3_000);
    let (worker, command) = (worker(&rig).await, of(&rig, "worker-1"));
    // Its worker gives up while the pod is terminating, and dies before it stores the result.
    rig.lose_worker_after(&worker, &short(&rig, command.clone())).await;
    let pods = rig.platform.pods();
    assert_eq!(pods.iter().find(|pod| pod.name == "worker-1").unwrap().restarts, 7, "the old one is still there");
    let result = rig.perform(&worker, &command).await;
    assert_eq!(result.output["replaced_by"], "worker-1", "{result:?}");
    assert_eq!(rig.platform.effects().len(), 1);
}

#[tokio::test]
async fn where_the_api_does_not_answer_a_person_has_to_check() {
    let rig = cluster(0, 0);
    let command = of(&rig, "worker-1");
    rig.lose_worker(&command, &[]).await;
    rig.platform.set_fault(Fault::new(Service::Kubernetes, FaultKind::Refuse)).unwrap();
    let result = rig.perform(&worker(&rig).await, &command).await;
    assert!(unknown(&result).contains("kubernetes is unavailable"), "{result:?}");
    assert!(rig.platform.effects().is_empty());
}
