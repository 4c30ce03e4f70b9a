use std::time::Duration;

use heal_sandbox::kubernetes::{KubernetesConfig, Owner, Pod, Replacement};
use heal_sandbox::seed::NAMESPACE;
use heal_sandbox::{Platform, PlatformConfig, Seed};
use k8s_openapi::api::core::v1::Pod as Manifest;
use kube::api::{Api, DeleteParams, ListParams, Preconditions};
use serde_json::{Value, json};

use crate::support::{DEADLINE, answer, get, http, platform, start};

fn pods(platform: &Platform) -> String {
    format!("{}/api/v1/namespaces/{NAMESPACE}/pods", platform.endpoints().kubernetes_url)
}

async fn delete(platform: &Platform, name: &str, options: Value) -> (u16, Value) {
    let url = format!("{}/{name}", pods(platform));
    answer(http().delete(url).json(&options).send().await.unwrap()).await
}

fn cluster(ready_after_ms: u64, terminate_after_ms: u64) -> Platform {
    let kubernetes = KubernetesConfig {
        ready_after: Duration::from_millis(ready_after_ms),
        terminate_after: Duration::from_millis(terminate_after_ms),
        ..KubernetesConfig::default()
    };
    start(PlatformConfig { kubernetes, ..PlatformConfig::default() })
}

/// Waits until `wanted` is true for the pod.
async fn until(platform: &Platform, name: &str, wanted: impl Fn(&Pod) -> bool) -> Pod {
    let poll = async {
        loop {
            if let Some(pod) = platform.pods().into_iter().find(|pod| pod.name == name && wanted(pod)) {
                return pod;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(DEADLINE, poll).await.unwrap()
}

#[tokio::test]
async fn a_pod_has_the_fields_that_a_healer_reads() {
    let platform = platform();
    let (status, pod) = get(&format!("{}/worker-1", pods(&platform))).await;
    assert_eq!((status, &pod["kind"]), (200, &json!("Pod")));
    assert_eq!(pod["status"]["phase"], "Running");
    let container = &pod["status"]["containerStatuses"][0];
    assert_eq!(container["state"]["waiting"]["reason"], "CrashLoopBackOff");
    assert_eq!(container["lastState"]["terminated"]["reason"], "Error");
    assert_eq!(container["restartCount"], 7);
    let conditions = pod["status"]["conditions"].as_array().unwrap();
    assert!(conditions.iter().any(|one| one["type"] == "Ready" && one["status"] == "False"));
    let owner = &pod["metadata"]["ownerReferences"][0];
    assert_eq!((&owner["kind"], &owner["controller"]), (&json!("StatefulSet"), &json!(true)));
    let (_, other) = get(&format!("{}/worker-0", pods(&platform))).await;
    assert_eq!(other["metadata"]["ownerReferences"][0]["uid"], owner["uid"]);
    assert_ne!(other["metadata"]["uid"], pod["metadata"]["uid"]);
}

#[tokio::test]
async fn lists_follow_the_selectors_and_the_namespace() {
    let platform = platform();
    let names = |list: &Value| -> Vec<String> {
        let items = list["items"].as_array().unwrap();
        items.iter().map(|pod| pod["metadata"]["name"].as_str().unwrap().to_owned()).collect()
    };
    let (_, workers) = get(&format!("{}?labelSelector=app%3Dworker", pods(&platform))).await;
    assert_eq!(names(&workers), ["worker-0", "worker-1"]);
    let (_, one) = get(&format!("{}?fieldSelector=metadata.name%3Dworker-1", pods(&platform))).await;
    assert_eq!(names(&one), ["worker-1"]);
    let (_, none) = get(&pods(&platform).replace(NAMESPACE, "elsewhere")).await;
    assert_eq!((&none["kind"], names(&none).len()), (&json!("PodList"), 0));
    let (status, failure) = get(&format!("{}?labelSelector=a%20b", pods(&platform))).await;
    assert_eq!((status, &failure["reason"]), (400, &json!("BadRequest")));
}

#[tokio::test]
async fn errors_are_status_objects() {
    let platform = platform();
    let (code, failure) = get(&format!("{}/nope", pods(&platform))).await;
    assert_eq!(code, 404);
    assert_eq!((&failure["kind"], &failure["status"]), (&json!("Status"), &json!("Failure")));
    assert_eq!((&failure["reason"], &failure["code"]), (&json!("NotFound"), &json!(404)));
    assert_eq!(failure["message"], "pods \"nope\" not found");
    assert_eq!(delete(&platform, "nope", json!({})).await.0, 404);
    let base = platform.endpoints().kubernetes_url;
    assert_eq!(get(&format!("{base}/version")).await.1["major"], "1");
    assert_eq!(get(&format!("{base}/readyz")).await.0, 200);
    assert_eq!(get(&format!("{base}/apis/apps/v1/deployments")).await.0, 404);
    let posted = http().post(pods(&platform)).json(&json!({})).send().await.unwrap();
    assert_eq!(posted.status(), 405);
}

#[tokio::test]
async fn a_deletion_under_another_uid_is_a_conflict_and_changes_nothing() {
    let platform = platform();
    let before = platform.pods();
    let (code, failure) = delete(&platform, "worker-1", json!({"preconditions": {"uid": "another"}})).await;
    assert_eq!((code, &failure["reason"]), (409, &json!("Conflict")));
    let (code, _) = delete(&platform, "worker-1", json!({"preconditions": {"resourceVersion": "0"}})).await;
    assert_eq!(code, 409);
    let (code, _) = delete(&platform, "worker-1", json!({"dryRun": ["All"]})).await;
    assert_eq!(code, 200);
    assert_eq!(platform.pods(), before);
    assert!(platform.effects().is_empty());
}

#[tokio::test]
async fn a_stateful_pod_comes_back_under_its_name_with_another_uid() {
    let platform = cluster(0, 0);
    let old = until(&platform, "worker-1", |_| true).await;
    let (code, status) = delete(&platform, "worker-1", json!({"preconditions": {"uid": old.uid}})).await;
    assert_eq!((code, &status["kind"], &status["status"]), (200, &json!("Status"), &json!("Success")));
    let new = until(&platform, "worker-1", |pod| pod.ready).await;
    assert_ne!(new.uid, old.uid);
    assert_eq!((new.restarts, new.waiting_reason), (0, None));
    let effects = platform.effects();
    assert_eq!(effects.len(), 1);
    assert_eq!(effects[0].target, format!("{NAMESPACE}/worker-1"));
}

#[tokio::test]
async fn a_replica_comes_back_under_another_name_first_pending_then_ready() {
    let platform = cluster(150, 0);
    let old = "executor-7d9f8-x2k4q";
    let known: Vec<_> = platform.pods().into_iter().map(|pod| pod.name).collect();
    delete(&platform, old, json!({})).await;
    let pods = platform.pods();
    assert!(!pods.iter().any(|pod| pod.name == old));
    let new = pods.iter().find(|pod| !known.contains(&pod.name)).unwrap();
    assert_eq!((new.phase.as_str(), new.ready), ("Pending", false));
    assert!(new.name.starts_with("executor-7d9f8-"));
    let ready = until(&platform, &new.name, |pod| pod.ready).await;
    assert_eq!((ready.phase.as_str(), &ready.uid), ("Running", &new.uid));
}

#[tokio::test]
async fn a_terminating_pod_still_exists_and_is_still_ready() {
    let platform = cluster(0, 200);
    let (code, going) = delete(&platform, "worker-0", json!({})).await;
    assert_eq!((code, &going["kind"]), (200, &json!("Pod")));
    assert!(going["metadata"]["deletionTimestamp"].as_str() > going["metadata"]["creationTimestamp"].as_str());
    let uid = going["metadata"]["uid"].as_str().unwrap().to_owned();
    assert!(platform.pods().iter().any(|pod| pod.uid == uid && pod.ready));
    // Deleting a terminating pod changes nothing.
    assert_eq!(delete(&platform, "worker-0", json!({})).await.0, 200);
    let new = until(&platform, "worker-0", |pod| pod.uid != uid).await;
    assert!(new.ready);
    assert_eq!(platform.effects().len(), 1);
}

#[tokio::test]
async fn a_replacement_can_be_unhealthy_or_missing() {
    let platform = cluster(0, 0);
    let owner = Some(Owner { kind: "StatefulSet".to_owned(), name: "w".to_owned() });
    let pod = |name: &str, replacement| Pod { owner: owner.clone(), replacement, ..Pod::new(NAMESPACE, name) };
    let pods = vec![pod("sick", Replacement::Unhealthy), pod("gone", Replacement::None), Pod::new(NAMESPACE, "alone")];
    platform.seed(Seed { pods, ..Seed::default() }).unwrap();
    for name in ["sick", "gone", "alone"] {
        delete(&platform, name, json!({})).await;
    }
    let left = platform.pods();
    assert_eq!(left.len(), 1);
    assert_eq!((left[0].name.as_str(), left[0].ready), ("sick", false));
    assert_eq!(left[0].waiting_reason.as_deref(), Some("CrashLoopBackOff"));
}

#[tokio::test]
async fn a_kube_client_reads_lists_and_deletes() {
    let platform = cluster(0, 50);
    let mut config = kube::Config::new(platform.endpoints().kubernetes_url.parse().unwrap());
    config.default_namespace = NAMESPACE.to_owned();
    let client = kube::Client::try_from(config).unwrap();
    assert_eq!(client.apiserver_version().await.unwrap().major, "1");
    let pods: Api<Manifest> = Api::default_namespaced(client);
    let sick = pods.get("worker-1").await.unwrap();
    let status = sick.status.unwrap();
    let container = &status.container_statuses.unwrap()[0];
    assert_eq!((status.phase.as_deref(), container.restart_count), (Some("Running"), 7));
    let waiting = container.state.clone().unwrap().waiting.unwrap();
    assert_eq!(waiting.reason.as_deref(), Some("CrashLoopBackOff"));
    assert!(sick.metadata.creation_timestamp.is_some());

    let listed = pods.list(&ListParams::default().labels("app=worker")).await.unwrap();
    assert_eq!(listed.items.len(), 2);
    assert!(pods.get_opt("nope").await.unwrap().is_none());

    let under =
        |uid: Option<String>| DeleteParams::default().preconditions(Preconditions { uid, ..Preconditions::default() });
    match pods.delete("worker-1", &under(Some("another".to_owned()))).await.unwrap_err() {
        kube::Error::Api(status) => assert_eq!((status.code, status.reason.as_str()), (409, "Conflict")),
        other => panic!("{other:?}"),
    }
    let going = pods.delete("worker-1", &under(sick.metadata.uid.clone())).await.unwrap();
    assert!(going.left().unwrap().metadata.deletion_timestamp.is_some());
    let new = until(&platform, "worker-1", |pod| Some(&pod.uid) != sick.metadata.uid.as_ref() && pod.ready).await;
    let gone = pods.delete("nope", &DeleteParams::default()).await.unwrap_err();
    assert!(matches!(gone, kube::Error::Api(status) if status.code == 404));
    let effects = platform.effects();
    assert_eq!(effects.len(), 1);
    assert!(effects[0].body.contains(sick.metadata.uid.as_deref().unwrap()) && new.restarts == 0);
}
