//! Pods over real sockets: health, restart, and an API that does not respond.

use std::time::{Duration, Instant};

use heal_clients::config::{BaseUrl, Config, KubernetesAccess, KubernetesConfig};
use heal_clients::kubernetes::{Client, Restart};
use heal_clients::{CallContext, Effect, Error, OutageKind, RefusalKind, Wiring};
use heal_sandbox::kubernetes::{KubernetesConfig as Cluster, Pod, Replacement};
use heal_sandbox::seed::NAMESPACE;
use heal_sandbox::{Fault, FaultKind, Platform, PlatformConfig, Seed, Service};
use serde_json::json;

use crate::support::wire::{self, Wire, closed_port};
use crate::support::{platform_config, spans};

const NS: Option<&str> = Some(NAMESPACE);

fn context() -> CallContext {
    CallContext::within(Duration::from_secs(5))
}

fn start(ready_after_ms: u64, terminate_after_ms: u64) -> Platform {
    let kubernetes = Cluster {
        ready_after: Duration::from_millis(ready_after_ms),
        terminate_after: Duration::from_millis(terminate_after_ms),
        ..Cluster::default()
    };
    Platform::start(PlatformConfig { kubernetes, ..PlatformConfig::default() }).unwrap()
}

async fn client(platform: &Platform) -> Client {
    Client::new(&platform_config(platform).kubernetes, None, &Wiring::default()).await.unwrap()
}

fn at(url: &str) -> KubernetesConfig {
    let access = KubernetesAccess::Url(BaseUrl::parse(url).unwrap());
    KubernetesConfig { access, ..Config::read(&[]).unwrap().kubernetes }
}

#[tokio::test]
async fn health_is_derived_from_phase_conditions_and_containers() {
    spans::collect();
    let platform = start(0, 0);
    let client = client(&platform).await;
    let sick = client.pod_health("worker-1", NS, &context()).await.unwrap();
    assert!(!sick.healthy);
    assert_eq!((sick.phase.as_str(), sick.reason.as_deref(), sick.restarts), ("Running", Some("CrashLoopBackOff"), 7));
    let well = client.pod_health("worker-0", NS, &context()).await.unwrap();
    assert!(well.healthy && well.reason.is_none());
    let missing = client.pod_health("worker-9", NS, &context()).await.unwrap();
    assert_eq!((missing.healthy, missing.phase.as_str()), (false, "Missing"));
    assert!(spans::names().contains(&"self_healing.kubernetes.check_worker_health"));
}

#[tokio::test]
async fn the_namespace_defaults_to_the_configured_one() {
    let platform = start(0, 0);
    let mut config = platform_config(&platform).kubernetes;
    config.namespace = NAMESPACE.to_owned();
    let client = Client::new(&config, None, &Wiring::default()).await.unwrap();
    assert!(client.pod_health("worker-0", None, &context()).await.unwrap().healthy);
    assert!(client.pod_health("worker-0", Some(""), &context()).await.unwrap().healthy);
}

#[tokio::test]
async fn a_restart_deletes_by_uid_and_waits_for_the_new_pod_of_the_same_controller() {
    spans::collect();
    // A stateful set reuses the name. A replica set picks a new one, and has a ready sibling that is not the replacement.
    for name in ["worker-1", "executor-7d9f8-x2k4q"] {
        let platform = start(150, 80);
        let before = platform.pods();
        let Restart::Replaced { old, new } = client(&platform).await.restart_pod(name, NS, &context()).await.unwrap()
        else {
            panic!("{name} is not back")
        };
        assert_eq!(old.name, name);
        assert!(before.iter().any(|pod| pod.uid == old.uid && pod.name == name));
        assert!(before.iter().all(|pod| pod.uid != new.uid), "the replacement was not there before");
        let after = platform.pods().into_iter().find(|pod| pod.uid == new.uid).unwrap();
        assert!(after.ready);
        let deletions: Vec<_> = platform.effects();
        assert_eq!(deletions.len(), 1);
        assert!(deletions[0].body.contains(&old.uid), "{}", deletions[0].body);
    }
    assert!(spans::names().contains(&"self_healing.kubernetes.restart_pod"));
}

#[tokio::test]
async fn a_pod_that_is_not_replaced_by_the_deadline_is_not_back() {
    for replacement in [Replacement::Unhealthy, Replacement::None] {
        let platform = start(0, 0);
        let mut seed = Seed::unhealthy_worker();
        seed.pods.iter_mut().for_each(|pod| pod.replacement = replacement);
        platform.seed(seed).unwrap();
        let started = Instant::now();
        let context = CallContext::within(Duration::from_millis(700));
        let Restart::NotBack { last_seen, .. } =
            client(&platform).await.restart_pod("worker-1", NS, &context).await.unwrap()
        else {
            panic!("{replacement:?}")
        };
        assert!(started.elapsed() >= Duration::from_millis(700) && started.elapsed() < Duration::from_secs(2));
        assert_eq!(last_seen.is_some(), replacement == Replacement::Unhealthy);
    }
}

#[tokio::test]
async fn a_pod_without_a_controller_is_not_deleted() {
    let platform = start(0, 0);
    platform.seed(Seed { pods: vec![Pod::new(NAMESPACE, "lonely")], ..Seed::default() }).unwrap();
    let client = client(&platform).await;
    for (name, kind) in [("lonely", RefusalKind::Precondition), ("nobody", RefusalKind::NotFound)] {
        match client.restart_pod(name, NS, &context()).await.unwrap_err() {
            Error::Refused(refusal) => assert_eq!((refusal.kind, refusal.effect), (kind, Effect::NotApplied)),
            other => panic!("{other:?}"),
        }
    }
    assert!(platform.effects().is_empty());
}

#[tokio::test]
async fn a_deletion_whose_response_is_lost_happens_once() {
    let platform = start(0, 0);
    let fault = Fault::new(Service::Kubernetes, FaultKind::DropAnswer).on("delete_pod").times(1);
    platform.set_fault(fault).unwrap();
    let restart = client(&platform).await.restart_pod("worker-1", NS, &context()).await.unwrap();
    assert!(matches!(restart, Restart::Replaced { .. }), "{restart:?}");
    assert_eq!(platform.effects().len(), 1);
}

#[tokio::test]
async fn a_poll_that_fails_after_the_deletion_is_retried() {
    let platform = start(0, 0);
    let client = client(&platform).await;
    // The reads before the deletion succeed, the next two fail.
    let busy = FaultKind::Status { code: 503, retry_after_seconds: None };
    let fault = Fault::new(Service::Kubernetes, busy).on("get_pod").times(2);
    client.pod_health("worker-1", NS, &context()).await.unwrap();
    let restart = {
        let context = context();
        let call = client.restart_pod("executor-7d9f8-x2k4q", NS, &context);
        let break_it = async {
            while platform.effects().is_empty() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            platform.set_fault(fault).unwrap();
        };
        futures_util::future::join(call, break_it).await.0.unwrap()
    };
    assert!(matches!(restart, Restart::Replaced { .. }), "{restart:?}");
}

#[tokio::test]
async fn names_that_are_not_dns_names_are_never_sent() {
    let platform = start(0, 0);
    let client = client(&platform).await;
    let strange =
        ["", "..", "../", "%2e%2e", "a/b", "{{ 7*7 }}", "a\r\nX: y", "a\u{202e}b", "Worker-1", "-a", "a-", "a..b"];
    for name in strange {
        let health = client.pod_health(name, NS, &context()).await.unwrap_err();
        assert!(matches!(health, Error::Invalid { field: "worker_id", .. }), "{health}");
        let restart = client.restart_pod(name, NS, &context()).await.unwrap_err();
        assert!(matches!(restart, Error::Invalid { field: "pod_name", .. }), "{restart}");
        if !name.is_empty() {
            let error = client.pod_health("worker-1", Some(name), &context()).await.unwrap_err();
            assert!(matches!(error, Error::Invalid { field: "namespace", .. }), "{error}");
        }
    }
    let (longest, too_long) = ([["a"; 63].concat().as_str(); 4].join(".")[..253].to_owned(), "a".repeat(64));
    client.pod_health(&longest, NS, &context()).await.unwrap();
    client.pod_health(&too_long, NS, &context()).await.unwrap_err();
    client.pod_health(&format!("{longest}a"), NS, &context()).await.unwrap_err();
    assert_eq!(platform.calls().len(), 1, "only the valid name was sent");
}

#[tokio::test]
async fn an_api_that_does_not_respond_is_unavailable_and_never_healthy() {
    let status = |code| FaultKind::Status { code, retry_after_seconds: None };
    for kind in [
        status(500),
        status(503),
        status(429),
        FaultKind::Hang,
        FaultKind::DropAnswer,
        FaultKind::Drip { interval_ms: 100 },
    ] {
        let platform = start(0, 0);
        let client = client(&platform).await;
        platform.set_fault(Fault::new(Service::Kubernetes, kind.clone())).unwrap();
        let started = Instant::now();
        let context = CallContext::within(Duration::from_millis(400));
        let error = client.pod_health("worker-0", NS, &context).await.unwrap_err();
        assert!(error.is_unavailable(), "{kind:?}: {error}");
        assert_eq!(error.effect(), Effect::NotApplied);
        assert!(started.elapsed() < Duration::from_millis(1200), "{kind:?} took {:?}", started.elapsed());
    }
    let dead = Client::new(&at(&format!("http://{}", closed_port().await)), None, &Wiring::default()).await.unwrap();
    match dead.pod_health("worker-0", NS, &context()).await.unwrap_err() {
        Error::Unavailable(outage) => assert_eq!(outage.kind, OutageKind::Connect),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_response_that_is_not_a_pod_is_refused() {
    let elsewhere = FaultKind::Redirect { location: "http://127.0.0.1:1/".to_owned(), status: 307 };
    for (kind, refusal_kind) in [
        (FaultKind::HugeBody { bytes: 100 << 20 }, RefusalKind::BadAnswer),
        (elsewhere, RefusalKind::Redirect),
        (FaultKind::Status { code: 403, retry_after_seconds: None }, RefusalKind::Forbidden),
    ] {
        let platform = start(0, 0);
        let client = client(&platform).await;
        platform.set_fault(Fault::new(Service::Kubernetes, kind.clone())).unwrap();
        match client.pod_health("worker-0", NS, &context()).await.unwrap_err() {
            Error::Refused(refusal) => assert_eq!(refusal.kind, refusal_kind, "{kind:?}"),
            other => panic!("{kind:?}: {other:?}"),
        }
        assert_eq!(platform.calls().len(), 1, "{kind:?}");
    }
}

fn pod(name: &str, uid: &str, ready: bool) -> serde_json::Value {
    json!({
        "metadata": {"name": name, "uid": uid, "labels": {"app": "w", "pod-template-hash": "h", "controller-revision-hash": "r"},
            "ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "w", "uid": "owner", "controller": true}]},
        "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": if ready { "True" } else { "False" }}]}
    })
}

fn page(pods: &[serde_json::Value], next: &str) -> wire::Act {
    wire::json(200, &json!({"kind": "PodList", "apiVersion": "v1", "metadata": {"continue": next}, "items": pods}))
}

#[tokio::test]
async fn a_list_is_read_to_its_last_page_by_the_labels_that_siblings_share() {
    let (old, sibling, new) = (pod("w-1", "old", false), pod("w-2", "sibling", true), pod("w-3", "new", true));
    let wire = Wire::start([
        wire::json(200, &old),
        page(std::slice::from_ref(&old), "more"),
        page(std::slice::from_ref(&sibling), ""),
        wire::json(200, &json!({"kind": "Status", "status": "Success"})),
        page(&[sibling], "more"),
        page(std::slice::from_ref(&new), ""),
        wire::json(200, &new),
    ])
    .await;
    let client = Client::new(&at(&wire.url()), None, &Wiring::default()).await.unwrap();
    let Restart::Replaced { new, .. } = client.restart_pod("w-1", Some("ns"), &context()).await.unwrap() else {
        panic!("not back")
    };
    assert_eq!((new.name.as_str(), new.uid.as_str()), ("w-3", "new"));
    let targets: Vec<String> = wire.seen().into_iter().map(|seen| seen.target).collect();
    assert!(targets[1].contains("labelSelector=app%3Dw%2Cpod-template-hash%3Dh&"), "{}", targets[1]);
    assert!(targets[1].contains("limit=200") && targets[2].contains("continue=more"), "{targets:?}");
    assert!(wire.seen()[1].header("accept").unwrap().contains("as=PartialObjectMetadataList"));
    assert_eq!(wire.seen()[3].json()["preconditions"]["uid"], "old");
}

/// A restart that starts while another restart of the same pod is finishing.
async fn restart_beside_another(answers: impl IntoIterator<Item = wire::Act>) -> Result<Restart, Error> {
    let wire = Wire::start(answers).await;
    let client = Client::new(&at(&wire.url()), None, &Wiring::default()).await.unwrap();
    client.restart_pod("w-1", Some("ns"), &CallContext::within(Duration::from_secs(2))).await
}

#[tokio::test]
async fn a_replacement_that_somebody_else_caused_under_the_same_name_is_found() {
    let (old, new) = (pod("w-1", "old", false), pod("w-1", "new", true));
    let gone = wire::json(409, &json!({"kind": "Status", "status": "Failure", "reason": "Conflict"}));
    let listed = || page(std::slice::from_ref(&new), "");
    let answers = [wire::json(200, &old), listed(), wire::json(200, &new), gone, listed(), wire::json(200, &new)];
    match restart_beside_another(answers).await.unwrap() {
        Restart::Replaced { old, new } => assert_eq!((old.uid.as_str(), new.uid.as_str()), ("old", "new")),
        other @ Restart::NotBack { .. } => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_pod_deleted_meanwhile_without_a_successor_of_its_name_is_not_found() {
    let none = wire::json(404, &json!({"kind": "Status", "status": "Failure", "reason": "NotFound", "code": 404}));
    let sibling = page(&[pod("w-2", "sibling", true)], "");
    match restart_beside_another([wire::json(200, &pod("w-1", "old", false)), sibling, none]).await.unwrap_err() {
        Error::Refused(refusal) => {
            assert_eq!((refusal.kind, refusal.effect), (RefusalKind::NotFound, Effect::NotApplied));
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn the_replacement_of_a_terminating_pod_may_exist_already() {
    let mut old = pod("w-1", "old", false);
    old["metadata"]["creationTimestamp"] = json!("2026-11-23T10:00:00Z");
    // Its deletion was requested at 11:00:00.
    old["metadata"]["deletionTimestamp"] = json!("2026-11-23T11:00:30Z");
    old["metadata"]["deletionGracePeriodSeconds"] = json!(30);
    let (mut sibling, mut new) = (pod("w-2", "sibling", true), pod("w-3", "new", true));
    sibling["metadata"]["creationTimestamp"] = json!("2026-11-23T10:59:59Z");
    new["metadata"]["creationTimestamp"] = json!("2026-11-23T11:00:00Z");
    let listed = || page(&[old.clone(), sibling.clone(), new.clone()], "");
    let deleted = wire::json(200, &json!({"kind": "Status", "status": "Success"}));
    match restart_beside_another([wire::json(200, &old), listed(), deleted, listed(), wire::json(200, &new)])
        .await
        .unwrap()
    {
        Restart::Replaced { new, .. } => assert_eq!(new.uid, "new"),
        other @ Restart::NotBack { .. } => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn an_endless_list_fails_before_anything_is_deleted() {
    let wire = Wire::start([wire::json(200, &pod("w-1", "old", false)), page(&[], "more")]).await;
    let client = Client::new(&at(&wire.url()), None, &Wiring::default()).await.unwrap();
    let error = client.restart_pod("w-1", Some("ns"), &context()).await.unwrap_err();
    assert!(error.to_string().contains("the list exceeds the limit of 2000 pods"), "{error}");
    assert!(wire.seen().iter().all(|seen| seen.method == "GET"));
    assert_eq!(wire.seen().len(), 11);
}
