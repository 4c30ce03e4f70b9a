//! A worker that died: the uid that it stored before its effect tells whether it had acted.

use heal_restart_pod::spec;
use heal_runtime::AttemptOutcome;
use heal_runtime::attempt::LEASE_MS;
use heal_runtime::port::{ClaimKey, ClaimStore as _};
use heal_sandbox::{Fault, FaultKind, Service};
use serde_json::{Value, json};

use crate::rig::{When, short, unknown};
use crate::{EXECUTOR, WORKER, cluster, of, uid, worker};

async fn stored_intent(rig: &crate::rig::Rig, command: &heal_runtime::ActionCommand) -> Option<Value> {
    let key = ClaimKey { action: command.action.clone(), attempt: command.attempt_key() };
    rig.claims.intent(&key).await.unwrap()
}

#[tokio::test]
async fn the_uid_is_stored_before_the_effect() {
    let rig = cluster(0, 0);
    let (worker, command) = (worker(&rig).await, of(&rig, EXECUTOR));
    // The first call takes the claim, the second reserves the pod and stores the intent.
    let mut reservations = 0;
    rig.faults.decide_by(move |operation| {
        reservations += u32::from(operation == "claims.reserve");
        (operation == "claims.reserve" && reservations == 2).then_some(When::Before)
    });
    rig.deliver(&worker, &command).await.unwrap_err();
    rig.faults.clear();
    assert!(rig.platform.effects().is_empty(), "nothing is deleted that is not stored");
    let uid = uid(&rig, EXECUTOR);
    rig.lose_worker_after(&worker, &command).await;
    assert_eq!(stored_intent(&rig, &command).await.unwrap()["uid"], json!(uid));
}

#[tokio::test]
async fn a_worker_that_died_before_it_stored_a_uid_had_deleted_nothing() {
    for name in [WORKER, EXECUTOR] {
        let rig = cluster(0, 0);
        let command = of(&rig, name);
        rig.lose_worker(&command, &[]).await;
        let result = rig.perform(&worker(&rig).await, &command).await;
        assert_eq!((&result.outcome, result.warnings.len()), (&AttemptOutcome::Succeeded, 0), "{result:?}");
        assert_eq!(rig.platform.effects().len(), 1);
    }
}

/// Pods of any age, of whatever clock: the pods here are younger than the command.
#[tokio::test]
async fn a_pod_that_is_still_there_was_not_deleted_and_is_deleted() {
    for name in [WORKER, EXECUTOR] {
        let rig = cluster(0, 0);
        let (worker, command) = (worker(&rig).await, of(&rig, name));
        // The worker dies between the stored uid and the deletion.
        rig.fault(Service::Kubernetes, "delete_pod", FaultKind::Status { code: 503, retry_after_seconds: None });
        rig.lose_worker_after(&worker, &command).await;
        assert!(rig.platform.effects().is_empty() && stored_intent(&rig, &command).await.is_some());
        rig.platform.clear_faults();
        let result = rig.perform(&worker, &command).await;
        assert_eq!((&result.outcome, result.warnings.len()), (&AttemptOutcome::Succeeded, 0), "{result:?}");
        assert_eq!(rig.platform.effects().len(), 1);
    }
}

#[tokio::test]
async fn a_pod_that_was_deleted_is_not_deleted_again_and_its_replacement_is_named() {
    for name in [WORKER, EXECUTOR] {
        let rig = cluster(0, 0);
        let (worker, command) = (worker(&rig).await, of(&rig, name));
        let before = rig.platform.pods();
        rig.lose_worker_after(&worker, &command).await;
        let result = rig.perform(&worker, &command).await;
        assert_eq!(result.outcome, AttemptOutcome::Succeeded, "{result:?}");
        let pods = rig.platform.pods();
        let new = pods.iter().find(|pod| before.iter().all(|old| old.uid != pod.uid)).unwrap();
        assert_eq!(result.output["replaced_by"], json!(new.name));
        assert_eq!(result.warnings.len(), 1);
        assert_eq!(rig.platform.effects().len(), 1);
    }
}

#[tokio::test]
async fn a_pod_on_its_way_out_is_waited_for() {
    let rig = cluster(0, 3_000);
    let (worker, command) = (worker(&rig).await, of(&rig, WORKER));
    // Its worker gives up while the pod is terminating, and dies before it stores the result.
    rig.lose_worker_after(&worker, &short(&rig, command.clone())).await;
    let pods = rig.platform.pods();
    assert_eq!(pods.iter().find(|pod| pod.name == WORKER).unwrap().restarts, 7, "the old one is still there");
    let result = rig.perform(&worker, &command).await;
    assert_eq!(result.output["replaced_by"], WORKER, "{result:?}");
    assert_eq!(rig.platform.effects().len(), 1);
}

#[tokio::test]
async fn where_the_api_does_not_answer_a_person_has_to_check() {
    let rig = cluster(0, 0);
    let (worker, command) = (worker(&rig).await, of(&rig, WORKER));
    rig.lose_worker_after(&worker, &command).await;
    rig.platform.set_fault(Fault::new(Service::Kubernetes, FaultKind::Refuse)).unwrap();
    let result = rig.perform(&worker, &command).await;
    assert!(unknown(&result).contains("kubernetes is unavailable"), "{result:?}");
    assert_eq!(rig.platform.effects().len(), 1);
}

#[tokio::test]
async fn a_store_that_cannot_be_read_leaves_the_attempt_to_the_next_worker() {
    let rig = cluster(0, 0);
    let (worker, command) = (worker(&rig).await, of(&rig, WORKER));
    rig.lose_worker_after(&worker, &command).await;
    rig.faults.fail_next_of("claims.intent", 1, When::Before);
    rig.deliver(&worker, &command).await.unwrap_err();
    rig.clock.advance_ms(LEASE_MS + 1);
    assert_eq!(rig.perform(&worker, &command).await.output["replaced_by"], WORKER);
    assert_eq!(rig.platform.effects().len(), 1);
}

/// A later attempt has a claim of its own, and finds what the earlier one did.
#[tokio::test]
async fn a_later_attempt_with_the_uid_leaves_the_replacement_alone() {
    let rig = cluster(0, 0);
    let worker = worker(&rig).await;
    let parameters = json!({"pod_name": WORKER, "pod_uid": uid(&rig, WORKER)});
    let command = rig.command(&spec(), parameters);
    rig.perform(&worker, &command).await;
    let result = rig.perform(&worker, &crate::rig::attempt(&command, 2)).await;
    assert_eq!(result.outcome, AttemptOutcome::Succeeded, "the step's own earlier attempt did it: {result:?}");
    assert_eq!(result.output["replaced_by"], WORKER);
    assert_eq!(rig.platform.effects().len(), 1);
}
