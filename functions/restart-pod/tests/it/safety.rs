//! What is well, gone, replaced or out of bounds is left alone.

use std::time::Duration;

use heal_clients::CallContext;
use heal_restart_pod::spec;
use heal_runtime::AttemptOutcome;
use heal_sandbox::kubernetes::Pod;
use heal_sandbox::seed::{NAMESPACE, Seed};
use heal_sandbox::{PlatformConfig, Service};
use serde_json::{Value, json};

use crate::rig::{Rig, failed, no_op, of_run};
use crate::{EXECUTOR, WORKER, cluster, logs, of, uid, worker};

#[tokio::test]
async fn a_healthy_pod_is_left_alone_unless_it_is_forced() {
    let rig = cluster(0, 0);
    let worker = worker(&rig).await;
    let result = rig.perform(&worker, &of(&rig, "worker-0")).await;
    assert!(no_op(&result).contains("\"worker-0\" is healthy"), "{result:?}");
    assert_eq!(result.output["replaced_by"], Value::Null);
    assert_eq!(rig.operations(), ["get_pod"]);
    let forced = rig.command(&spec(), json!({"pod_name": "worker-0", "force": true}));
    let result = rig.perform(&worker, &of_run(&forced, "forced")).await;
    assert_eq!(result.outcome, AttemptOutcome::Succeeded, "{result:?}");
    assert_eq!(rig.platform.effects().len(), 1);
}

#[tokio::test]
async fn a_pod_that_is_gone_needs_no_restart() {
    let rig = cluster(0, 0);
    let result = rig.perform(&worker(&rig).await, &of(&rig, "worker-9")).await;
    assert!(no_op(&result).contains("\"worker-9\" is already gone"), "{result:?}");
    assert_eq!(result.output["replaced_by"], Value::Null);
    assert!(rig.platform.effects().is_empty());
}

#[tokio::test]
async fn a_pod_that_was_replaced_since_it_was_found_is_left_alone() {
    let rig = cluster(0, 0);
    let worker = worker(&rig).await;
    let parameters = json!({"pod_name": WORKER, "pod_uid": "of-the-one-before"});
    let result = rig.perform(&worker, &rig.command(&spec(), parameters)).await;
    let reason = no_op(&result);
    let now = uid(&rig, WORKER);
    for part in ["replaced since it was found", "of-the-one-before", now.as_str()] {
        assert!(reason.contains(part), "no {part} in {reason}");
    }
    assert_eq!(result.output["replaced_by"], Value::Null, "what took its place is not ready");
    assert!(rig.platform.effects().is_empty());
    let same = json!({"pod_name": WORKER, "pod_uid": now});
    let result = rig.perform(&worker, &of_run(&rig.command(&spec(), same), "same")).await;
    assert_eq!(result.outcome, AttemptOutcome::Succeeded, "{result:?}");
}

#[tokio::test]
async fn a_pod_that_somebody_else_is_deleting_is_waited_for() {
    for name in [WORKER, EXECUTOR] {
        let rig = cluster(0, 1_500);
        let somebody = rig.kubernetes().await;
        let moment = CallContext::within(Duration::from_millis(400));
        let pod = somebody.find_pod(name, None, &moment).await.unwrap().unwrap();
        let intent = somebody.plan_restart(&pod, &moment).await.unwrap();
        somebody.restart(&intent, &moment).await.unwrap();
        let result = rig.perform(&worker(&rig).await, &of(&rig, name)).await;
        assert!(no_op(&result).contains("was being deleted already"), "{result:?}");
        assert_eq!(result.output["replaced_by"] == name, name == WORKER, "{result:?}");
        assert_eq!(rig.calls_of("delete_pod").len(), 1, "not by this action");
    }
}

#[tokio::test]
async fn pods_of_other_namespaces_are_never_deleted_nor_read() {
    let mut rig = cluster(0, 0);
    let sick = |namespace: &str| Pod { ready: false, ..Pod::new(namespace, "coredns") };
    rig.platform.seed(Seed { pods: vec![sick("kube-system"), sick("other")], ..Seed::default() }).unwrap();
    for (allowed, namespace) in [
        (None, "kube-system"),
        (None, "other"),
        (Some(vec!["other".to_owned()]), "kube-system"),
        (Some(vec!["other".to_owned()]), NAMESPACE),
    ] {
        logs::collect();
        rig.config.kubernetes.restart_namespaces = allowed.clone();
        let command = rig.command(&spec(), json!({"pod_name": "coredns", "namespace": namespace, "force": true}));
        let result = rig.perform(&worker(&rig).await, &of_run(&command, &format!("{namespace}{allowed:?}"))).await;
        let (code, message) = failed(&result);
        assert_eq!(code, "namespace_not_allowed");
        let value = if allowed.is_some() { "\"other\"" } else { NAMESPACE };
        for part in [namespace, "KUBERNETES_NAMESPACES", value] {
            assert!(message.contains(part), "no {part} in {message}");
        }
        assert_eq!(logs::of("restart_pod_failed").len(), 1);
    }
    rig.config.kubernetes.namespace = "kube-system".to_owned();
    rig.config.kubernetes.restart_namespaces = None;
    let command = rig.command(&spec(), json!({"pod_name": "coredns"}));
    assert_eq!(failed(&rig.perform(&worker(&rig).await, &command).await).0, "namespace_not_allowed");
    assert!(rig.platform.calls().is_empty());
}

#[tokio::test]
async fn a_pod_of_a_named_namespace_is_restarted() {
    let mut rig = cluster(0, 0);
    rig.config.kubernetes.namespace = "default".to_owned();
    rig.config.kubernetes.restart_namespaces = Some(vec!["kube-system".to_owned(), NAMESPACE.to_owned()]);
    assert_eq!(rig.perform(&worker(&rig).await, &of(&rig, WORKER)).await.outcome, AttemptOutcome::Succeeded);
}

#[tokio::test]
async fn the_pod_of_a_deployed_worker_is_replaced_under_another_name() {
    let mut rig = Rig::with(PlatformConfig::like_deployed());
    rig.config.kubernetes.namespace = NAMESPACE.to_owned();
    let name = "worker-1-6d5f9c7b8-x2k4q";
    let result = rig.perform(&worker(&rig).await, &of(&rig, name)).await;
    assert_eq!(result.outcome, AttemptOutcome::Succeeded, "{result:?}");
    let pods = rig.platform.pods();
    let new = pods.iter().find(|pod| pod.name.starts_with("worker-1-6d5f9c7b8-")).unwrap();
    assert_eq!(result.output["replaced_by"], json!(new.name));
    assert!(new.ready && new.name != name);
    assert!(rig.platform.calls().iter().all(|call| call.service == Service::Kubernetes));
}
