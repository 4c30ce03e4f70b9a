//! Restarts over real sockets: the deletion by uid, its replacement, and answers that are lost.

use std::time::Duration;

use heal_clients::kubernetes::{Client, Replacement, Restart, RestartIntent};
use heal_clients::{CallContext, Effect, Error, RefusalKind, Wiring};
use heal_sandbox::kubernetes::{Owner, Pod, Replacement as Spare};
use heal_sandbox::seed::NAMESPACE;
use heal_sandbox::{Fault, FaultKind, Platform, Seed, Service};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::kubernetes::{NS, at, client, context, start};
use crate::support::spans;
use crate::support::wire::{self, Wire};

async fn plan(client: &Client, name: &str) -> Result<RestartIntent, Error> {
    let pod = client.find_pod(name, NS, &context()).await?.unwrap();
    client.plan_restart(&pod, &context()).await
}

/// Finds the pod, plans its restart and deletes it.
async fn restart(client: &Client, name: &str, context: &CallContext) -> Result<Restart, Error> {
    client.restart(&plan(client, name).await?, context).await
}

#[track_caller]
fn ready(restart: Restart) -> String {
    match restart {
        Restart::Deleted { replacement: Replacement::Ready(new), answer_lost: false } => new.name,
        other => panic!("{other:?}"),
    }
}

fn replica(name: &str) -> Pod {
    let owner = Owner { kind: "ReplicaSet".to_owned(), name: "w-7d9f8".to_owned() };
    Pod { owner: Some(owner), ready: false, ..Pod::new(NAMESPACE, name) }
}

fn seeded(platform: &Platform, pods: Vec<Pod>) {
    platform.seed(Seed { pods, ..Seed::default() }).unwrap();
}

#[tokio::test]
async fn a_restart_deletes_by_uid_and_waits_for_the_new_pod_of_the_same_controller() {
    spans::collect();
    // A stateful set reuses the name. A replica set picks a new one, and has a ready sibling that is not the replacement.
    for name in ["worker-1", "executor-7d9f8-x2k4q"] {
        let platform = start(150, 80);
        let before = platform.pods();
        let new = ready(restart(&client(&platform).await, name, &context()).await.unwrap());
        let after = platform.pods().into_iter().find(|pod| pod.name == new && pod.ready).unwrap();
        assert!(before.iter().all(|pod| pod.uid != after.uid), "the replacement was not there before");
        let deletions = platform.effects();
        assert_eq!(deletions.len(), 1);
        let old = before.iter().find(|pod| pod.name == name).unwrap();
        assert!(deletions[0].body.contains(&old.uid), "{}", deletions[0].body);
    }
    assert!(spans::names().contains(&"self_healing.kubernetes.restart_pod"));
}

#[tokio::test]
async fn several_restarts_of_one_controllers_pods_each_get_a_pod_of_their_own() {
    let platform = start(100, 50);
    seeded(&platform, ["a", "b", "c", "d"].map(replica).into());
    let client = client(&platform).await;
    let context = context();
    let one = |name: &'static str| restart(&client, name, &context);
    let (a, b, c) = tokio::join!(one("a"), one("b"), one("c"));
    let mut new = [a, b, c].map(|restart| ready(restart.unwrap()));
    new.sort();
    let mut there: Vec<_> = platform.pods().into_iter().filter(|pod| pod.name != "d").map(|pod| pod.name).collect();
    there.sort();
    assert_eq!(new.as_slice(), there);
}

#[tokio::test]
async fn a_missing_replacement_is_not_hidden_by_that_of_another_restart() {
    let platform = start(0, 0);
    let pods = vec![replica("a"), Pod { replacement: Spare::None, ..replica("b") }, replica("c")];
    seeded(&platform, pods);
    let client = client(&platform).await;
    let (first, second) = (plan(&client, "a").await.unwrap(), plan(&client, "b").await.unwrap());
    let context = CallContext::within(Duration::from_millis(700));
    let both = tokio::join!(client.restart(&first, &context), client.restart(&second, &context));
    let missing = |restart: Restart| match restart {
        Restart::Deleted { replacement: Replacement::Missing { gone, ready, .. }, .. } => (gone, ready),
        other => panic!("{other:?}"),
    };
    assert_eq!((missing(both.0.unwrap()), missing(both.1.unwrap())), ((2, 1), (2, 1)), "two went, one came");
}

#[tokio::test]
async fn the_replacement_of_a_pod_that_had_ended_is_there_already() {
    let platform = start(0, 0);
    let evicted = Pod { phase: "Failed".to_owned(), created_at: 1_000_000, ..replica("a") };
    let older = Pod { created_at: 500_000, ready: true, ..replica("b") };
    let its_replacement = Pod { created_at: 9_000_000, ready: true, ..replica("c") };
    seeded(&platform, vec![evicted, older, its_replacement]);
    assert_eq!(ready(restart(&client(&platform).await, "a", &context()).await.unwrap()), "c");
}

#[tokio::test]
async fn a_pod_that_is_not_replaced_by_the_deadline_is_missing() {
    for spare in [Spare::Unhealthy, Spare::None] {
        let platform = start(0, 0);
        let mut seed = Seed::unhealthy_worker();
        seed.pods.iter_mut().for_each(|pod| pod.replacement = spare);
        platform.seed(seed).unwrap();
        let started = Instant::now();
        let context = CallContext::within(Duration::from_millis(700));
        let restart = restart(&client(&platform).await, "worker-1", &context).await.unwrap();
        let Restart::Deleted { replacement: Replacement::Missing { gone, ready, last_seen }, .. } = restart else {
            panic!("{spare:?}: {restart:?}")
        };
        assert_eq!((gone, ready), (1, 0));
        assert!(started.elapsed() >= Duration::from_millis(600) && started.elapsed() < Duration::from_secs(2));
        assert_eq!(last_seen.is_some(), spare == Spare::Unhealthy);
    }
}

#[tokio::test]
async fn a_pod_without_a_controller_is_not_deleted() {
    let platform = start(0, 0);
    seeded(&platform, vec![Pod::new(NAMESPACE, "lonely")]);
    match plan(&client(&platform).await, "lonely").await.unwrap_err() {
        Error::Refused(refusal) => {
            assert_eq!((refusal.kind, refusal.effect), (RefusalKind::Precondition, Effect::NotApplied));
        }
        other => panic!("{other:?}"),
    }
    assert!(platform.effects().is_empty());
}

#[tokio::test]
async fn a_pod_that_somebody_else_deleted_meanwhile_is_left_alone() {
    let platform = start(0, 0);
    let client = client(&platform).await;
    for (name, expected) in [("worker-1", Restart::AlreadyReplaced), ("executor-7d9f8-x2k4q", Restart::AlreadyGone)] {
        let intent = plan(&client, name).await.unwrap();
        ready(restart(&client, name, &context()).await.unwrap());
        let before = platform.pods();
        assert!(client.is_deleted(&intent, &context()).await.unwrap());
        assert_eq!(client.restart(&intent, &context()).await.unwrap(), expected);
        assert_eq!(platform.pods(), before);
    }
}

#[tokio::test]
async fn an_intent_that_was_stored_leads_another_process_to_the_replacement() {
    for name in ["worker-1", "executor-7d9f8-x2k4q"] {
        let platform = start(100, 100);
        let first = client(&platform).await;
        let stored: Value = plan(&first, name).await.unwrap().to_json();
        let intent = RestartIntent::from_json(&stored).unwrap();
        let second = client(&platform).await;
        assert!(!second.is_deleted(&intent, &context()).await.unwrap());
        let new = ready(first.restart(&intent, &context()).await.unwrap());
        assert!(second.is_deleted(&intent, &context()).await.unwrap());
        match second.await_replacement(&intent, &context()).await {
            Replacement::Ready(health) => assert_eq!(health.name, new),
            missing @ Replacement::Missing { .. } => panic!("{missing:?}"),
        }
    }
}

#[tokio::test]
async fn a_deletion_whose_response_is_lost_happens_once_and_is_seen() {
    let platform = start(0, 0);
    platform.set_fault(Fault::new(Service::Kubernetes, FaultKind::DropAnswer).on("delete_pod")).unwrap();
    let restart = restart(&client(&platform).await, "worker-1", &context()).await.unwrap();
    assert!(
        matches!(restart, Restart::Deleted { replacement: Replacement::Ready(_), answer_lost: true }),
        "{restart:?}"
    );
    assert_eq!(
        (platform.effects().len(), platform.calls().iter().filter(|call| call.operation == "delete_pod").count()),
        (1, 1)
    );
}

#[tokio::test]
async fn a_poll_that_fails_after_the_deletion_is_retried() {
    let platform = start(0, 0);
    let client = client(&platform).await;
    let intent = plan(&client, "executor-7d9f8-x2k4q").await.unwrap();
    let busy = FaultKind::Status { code: 503, retry_after_seconds: None };
    platform.set_fault(Fault::new(Service::Kubernetes, busy).on("get_pod").times(2)).unwrap();
    ready(client.restart(&intent, &context()).await.unwrap());
}

fn pod(name: &str, uid: &str, ready: bool) -> Value {
    json!({
        "metadata": {"name": name, "uid": uid, "labels": {"app": "w", "self-healing.io/worker-id": uid, "controller-revision-hash": "r"},
            "ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "w", "uid": "owner", "controller": true}]},
        "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": if ready { "True" } else { "False" }}]}
    })
}

fn page(pods: &[Value], next: &str) -> wire::Act {
    wire::json(200, &json!({"kind": "PodList", "apiVersion": "v1", "metadata": {"continue": next}, "items": pods}))
}

fn deleted() -> wire::Act {
    wire::json(200, &json!({"kind": "Status", "status": "Success"}))
}

async fn at_wire(answers: impl IntoIterator<Item = wire::Act>) -> (Wire, Client) {
    let wire = Wire::start(answers).await;
    let client = Client::new(&at(&wire.url()), None, &Wiring::default()).await.unwrap();
    (wire, client)
}

#[tokio::test]
async fn a_list_is_read_to_its_last_page_by_the_labels_that_siblings_share() {
    let (old, sibling, new) = (pod("w-1", "old", false), pod("w-2", "sibling", true), pod("w-3", "new", true));
    let (wire, client) = at_wire([
        wire::json(200, &old),
        page(std::slice::from_ref(&old), "more"),
        page(std::slice::from_ref(&sibling), ""),
        deleted(),
        page(&[sibling], "more"),
        page(std::slice::from_ref(&new), ""),
        wire::json(200, &new),
    ])
    .await;
    assert_eq!(ready(restart(&client, "w-1", &context()).await.unwrap()), "w-3");
    let targets: Vec<String> = wire.seen().into_iter().map(|seen| seen.target).collect();
    assert!(targets[1].contains("labelSelector=app%3Dw&"), "a worker's label is its own: {}", targets[1]);
    assert!(targets[1].contains("limit=200") && targets[2].contains("continue=more"), "{targets:?}");
    assert!(wire.seen()[1].header("accept").unwrap().contains("as=PartialObjectMetadataList"));
    assert_eq!(wire.seen()[3].json()["preconditions"]["uid"], "old");
}

#[tokio::test]
async fn the_pods_of_a_deployment_are_listed_by_their_templates_label() {
    let mut old = pod("w-1", "old", false);
    old["metadata"]["labels"]["pod-template-hash"] = json!("h");
    let (wire, client) = at_wire([wire::json(200, &old), page(std::slice::from_ref(&old), "")]).await;
    plan(&client, "w-1").await.unwrap();
    assert!(wire.seen()[1].target.contains("labelSelector=pod-template-hash%3Dh&"), "{}", wire.seen()[1].target);
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
    let answers = [wire::json(200, &old), listed(), listed(), wire::json(200, &new)];
    let (_wire, client) = at_wire(answers).await;
    let intent = plan(&client, "w-1").await.unwrap();
    match client.await_replacement(&intent, &context()).await {
        Replacement::Ready(new) => assert_eq!(new.uid, "new"),
        missing @ Replacement::Missing { .. } => panic!("{missing:?}"),
    }
}

#[tokio::test]
async fn an_endless_list_fails_before_anything_is_deleted() {
    let (wire, client) = at_wire([wire::json(200, &pod("w-1", "old", false)), page(&[], "more")]).await;
    let error = restart(&client, "w-1", &context()).await.unwrap_err();
    assert!(error.to_string().contains("the list exceeds the limit of 2000 pods"), "{error}");
    assert!(wire.seen().iter().all(|seen| seen.method == "GET"));
    assert_eq!(wire.seen().len(), 11);
}
