//! The API down, hanging, failing, and losing its answer.

use heal_runtime::AttemptOutcome;
use heal_sandbox::{Fault, FaultKind, Service};
use tokio::time::Instant;

use crate::rig::{SHORTLY, failed, short, unavailable};
use crate::{EXECUTOR, WORKER, cluster, logs, of, worker};

#[tokio::test]
async fn an_api_out_of_reach_is_skipped_with_what_a_person_has_to_do() {
    let error = FaultKind::Status { code: 500, retry_after_seconds: None };
    for (operation, fault) in [
        (None, FaultKind::Refuse),
        (Some("get_pod"), FaultKind::Hang),
        (Some("delete_pod"), FaultKind::Hang),
        (Some("get_pod"), error.clone()),
        (Some("delete_pod"), error),
    ] {
        logs::collect();
        let rig = cluster(0, 0);
        let worker = worker(&rig).await;
        let fault = Fault { operation: operation.map(str::to_owned), ..Fault::new(Service::Kubernetes, fault) };
        rig.platform.set_fault(fault.clone()).unwrap();
        let started = Instant::now();
        let result = rig.perform(&worker, &short(&rig, of(&rig, "worker-1"))).await;
        assert!(started.elapsed() < SHORTLY, "{fault:?}");
        assert_eq!(unavailable(&result).0, "kubernetes", "{fault:?}");
        assert_eq!(result.follow_up.len(), 1);
        assert!(result.follow_up[0].contains("\"worker-1\""), "{:?}", result.follow_up);
        assert_eq!(result.follow_up[0].starts_with("check whether"), operation == Some("delete_pod"), "{fault:?}");
        assert_eq!(logs::of("kubernetes_client_unavailable").len(), 1);
        assert!(rig.platform.effects().is_empty());
    }
}

#[tokio::test]
async fn where_the_siblings_of_a_pod_cannot_be_read_it_is_not_deleted() {
    let rig = cluster(0, 0);
    let worker = worker(&rig).await;
    rig.fault(Service::Kubernetes, "list_pods", FaultKind::Hang);
    let result = rig.perform(&worker, &short(&rig, of(&rig, EXECUTOR))).await;
    assert_eq!(unavailable(&result).0, "kubernetes");
    assert!(rig.platform.effects().is_empty());
}

#[tokio::test]
async fn an_api_that_forbids_it_is_a_failure() {
    let rig = cluster(0, 0);
    let worker = worker(&rig).await;
    rig.fault(Service::Kubernetes, "delete_pod", FaultKind::Status { code: 403, retry_after_seconds: None });
    assert_eq!(failed(&rig.perform(&worker, &of(&rig, "worker-1")).await).0, "forbidden");
}

#[tokio::test]
async fn after_a_dropped_answer_the_pod_is_looked_for_by_its_uid_and_not_deleted_again() {
    for name in [WORKER, EXECUTOR] {
        let rig = cluster(100, 100);
        let worker = worker(&rig).await;
        rig.fault(Service::Kubernetes, "delete_pod", FaultKind::DropAnswer);
        let result = rig.perform(&worker, &of(&rig, name)).await;
        assert_eq!(result.outcome, AttemptOutcome::Succeeded, "{result:?}");
        assert_eq!(result.output["replaced_by"] == name, name == WORKER);
        assert!(result.warnings.len() == 1 && result.warnings[0].contains("was lost"), "{:?}", result.warnings);
        assert_eq!((rig.calls_of("delete_pod").len(), rig.platform.effects().len()), (1, 1));
    }
}

#[tokio::test]
async fn an_effect_whose_answer_is_too_late_is_read_from_the_pods() {
    let mut rig = cluster(0, 0);
    rig.config.kubernetes.timeout = std::time::Duration::from_millis(500);
    let worker = worker(&rig).await;
    rig.fault(Service::Kubernetes, "delete_pod", FaultKind::Slow { by_ms: 60_000 });
    let result = rig.perform(&worker, &of(&rig, "worker-1")).await;
    assert_eq!((result.outcome, result.warnings.len()), (AttemptOutcome::Succeeded, 1));
    assert_eq!(rig.platform.effects().len(), 1);
}
