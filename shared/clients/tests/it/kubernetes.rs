//! Pods over real sockets: how a worker is found, its health, and an API that does not respond.

use std::time::Duration;

use heal_clients::config::{BaseUrl, Config, KubernetesAccess, KubernetesConfig};
use heal_clients::kubernetes::{Client, PodHealth, WorkerSearch};
use heal_clients::{CallContext, Effect, Error, OutageKind, RefusalKind, Wiring};
use heal_sandbox::kubernetes::{KubernetesConfig as Cluster, Pod};
use heal_sandbox::seed::{NAMESPACE, WORKER_LABEL};
use heal_sandbox::{Fault, FaultKind, Platform, PlatformConfig, Seed, Service};
use tokio::time::Instant;

use crate::support::wire::closed_port;
use crate::support::{platform_config, spans};

pub(crate) const NS: Option<&str> = Some(NAMESPACE);

pub(crate) fn context() -> CallContext {
    CallContext::within(Duration::from_secs(5))
}

pub(crate) fn start(ready_after_ms: u64, terminate_after_ms: u64) -> Platform {
    let kubernetes = Cluster {
        ready_after: Duration::from_millis(ready_after_ms),
        terminate_after: Duration::from_millis(terminate_after_ms),
        ..Cluster::default()
    };
    Platform::start(PlatformConfig { kubernetes, ..PlatformConfig::default() }).unwrap()
}

pub(crate) async fn client(platform: &Platform) -> Client {
    Client::new(&platform_config(platform).kubernetes, None, &Wiring::default()).await.unwrap()
}

pub(crate) fn at(url: &str) -> KubernetesConfig {
    let access = KubernetesAccess::Url(BaseUrl::parse(url).unwrap());
    KubernetesConfig { access, ..Config::read(&[]).unwrap().kubernetes }
}

#[tokio::test]
async fn health_is_derived_from_phase_conditions_and_containers() {
    spans::collect();
    let platform = start(0, 0);
    let client = client(&platform).await;
    let sick = client.pod_health("worker-1", NS, &context()).await.unwrap().unwrap();
    assert!(!sick.healthy);
    assert_eq!((sick.phase.as_str(), sick.reason.as_deref(), sick.restarts), ("Running", Some("CrashLoopBackOff"), 7));
    let well = client.pod_health("worker-0", NS, &context()).await.unwrap().unwrap();
    assert!(well.healthy && well.reason.is_none());
    assert_eq!((sick.name.as_str(), sick.terminating), ("worker-1", false));
    assert_eq!(client.pod_health("worker-9", NS, &context()).await.unwrap(), None);
    client.find_worker("worker-0", NS, &context()).await.unwrap();
    assert!(spans::names().contains(&"self_healing.kubernetes.check_worker_health"));
}

#[tokio::test]
async fn the_namespace_defaults_to_the_configured_one() {
    let platform = start(0, 0);
    let mut config = platform_config(&platform).kubernetes;
    config.namespace = NAMESPACE.to_owned();
    let client = Client::new(&config, None, &Wiring::default()).await.unwrap();
    assert!(client.pod_health("worker-0", None, &context()).await.unwrap().unwrap().healthy);
    assert!(client.pod_health("worker-0", Some(""), &context()).await.unwrap().unwrap().healthy);
}

#[tokio::test]
async fn names_that_are_not_dns_names_are_never_sent() {
    let platform = start(0, 0);
    let client = client(&platform).await;
    let strange =
        ["", "..", "../", "%2e%2e", "a/b", "{{ 7*7 }}", "a\r\nX: y", "a\u{202e}b", "Worker-1", "-a", "a-", "a..b"];
    for name in strange {
        let error = client.pod_health(name, NS, &context()).await.unwrap_err();
        assert!(matches!(error, Error::Invalid { field: "pod_name", .. }), "{error}");
        if !name.is_empty() {
            for error in [
                client.pod_health("worker-1", Some(name), &context()).await.unwrap_err(),
                client.find_worker("worker-1", Some(name), &context()).await.unwrap_err(),
            ] {
                assert!(matches!(error, Error::Invalid { field: "namespace", .. }), "{error}");
            }
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

fn labelled(name: &str, worker: &str, ready: bool) -> Pod {
    Pod { labels: [(WORKER_LABEL.to_owned(), worker.to_owned())].into(), ready, ..Pod::new(NAMESPACE, name) }
}

/// The pod that stands for the worker among `pods`.
async fn found(platform: &Platform, worker: &str) -> Option<PodHealth> {
    match client(platform).await.find_worker(worker, NS, &context()).await.unwrap() {
        WorkerSearch::Found(health) => Some(health),
        WorkerSearch::NotFound { namespace, selector } => {
            assert_eq!(namespace, NAMESPACE);
            assert_eq!(selector, Some(format!("{WORKER_LABEL}={worker}")));
            None
        }
    }
}

#[tokio::test]
async fn a_worker_is_found_by_its_pods_name_else_by_its_label_in_its_namespace_alone() {
    let platform = start(0, 0);
    let agent = "0A9b1c2d-3e4f-4a5b-8c6d-7e8f9a0b1c2d";
    let elsewhere = Pod { namespace: "elsewhere".to_owned(), ..labelled("w-3", "worker-7", true) };
    let named = Pod { labels: [(WORKER_LABEL.to_owned(), "w-1".to_owned())].into(), ..Pod::new(NAMESPACE, "w-2") };
    let pods = vec![labelled("w-1", agent, true), named, elsewhere];
    platform.seed(Seed { pods, ..Seed::default() }).unwrap();
    assert_eq!(found(&platform, "w-1").await.unwrap().name, "w-1", "the name goes before the label");
    assert_eq!(found(&platform, agent).await.unwrap().name, "w-1");
    for nobody in ["worker-7", "w-3", "w-9"] {
        assert_eq!(found(&platform, nobody).await, None, "{nobody}");
    }
}

#[tokio::test]
async fn of_several_pods_an_unhealthy_one_stands_for_the_worker_unless_it_has_ended_or_is_terminating() {
    let platform = start(0, 60_000);
    let ended = Pod { phase: "Failed".to_owned(), ..labelled("w-0", "worker-7", false) };
    let pods = vec![ended, labelled("w-1", "worker-7", true), labelled("w-2", "worker-7", false)];
    platform.seed(Seed { pods, ..Seed::default() }).unwrap();
    let delete = async |name: &str| {
        let url = format!("{}/api/v1/namespaces/{NAMESPACE}/pods/{name}", platform.endpoints().kubernetes_url);
        assert_eq!(reqwest::Client::new().delete(url).send().await.unwrap().status(), 200);
    };
    let sick = found(&platform, "worker-7").await.unwrap();
    assert_eq!((sick.name.as_str(), sick.healthy), ("w-2", false));
    delete("w-2").await;
    let well = found(&platform, "worker-7").await.unwrap();
    assert_eq!((well.name.as_str(), well.healthy), ("w-1", true));
    delete("w-1").await;
    assert_eq!(found(&platform, "worker-7").await.unwrap().name, "w-0", "it has ended, and is not being deleted");
    delete("w-0").await;
    assert!(found(&platform, "worker-7").await.unwrap().terminating);
}

#[tokio::test]
async fn a_worker_that_no_label_can_name_is_not_found_without_a_call() {
    let platform = start(0, 0);
    let client = client(&platform).await;
    for worker in ["two words", "a,app=worker", "{{ 7*7 }}", "../", "-a", ""] {
        let search = client.find_worker(worker, NS, &context()).await.unwrap();
        assert!(matches!(search, WorkerSearch::NotFound { selector: None, .. }), "{worker:?}: {search:?}");
    }
    assert!(platform.calls().is_empty());
}

#[tokio::test]
async fn pods_are_deleted_only_in_the_namespaces_that_are_named() {
    let platform = start(0, 0);
    let allowed = async |namespace: &str, named: Option<&[&str]>, asked: Option<&str>| {
        let restart_namespaces = named.map(|named| named.iter().map(|name| (*name).to_owned()).collect());
        let base = platform_config(&platform).kubernetes;
        let config = KubernetesConfig { namespace: namespace.to_owned(), restart_namespaces, ..base };
        Client::new(&config, None, &Wiring::default()).await.unwrap().check_deletable(asked)
    };
    allowed("a", None, None).await.unwrap();
    allowed("a", None, Some("a")).await.unwrap();
    allowed("a", Some(&["b", "kube-system"]), Some("kube-system")).await.unwrap();
    for (error, expected) in [
        (
            allowed("a", None, Some("b")).await,
            r#"pods in namespace "b" are never restarted: KUBERNETES_NAMESPACES is not set, which allows KUBERNETES_NAMESPACE "a""#,
        ),
        (allowed("kube-system", None, None).await, r#"pods in namespace "kube-system" are never restarted"#),
        (allowed("kube-public", None, Some("kube-public")).await, "unless it is a system namespace"),
        (
            allowed("a", Some(&["b", "c"]), Some("a")).await,
            r#"KUBERNETES_NAMESPACES is "b,c"; name the namespace there"#,
        ),
        (allowed("a", Some(&["b"]), Some("kube-node-lease")).await, r#""kube-node-lease""#),
    ] {
        let error = error.unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
    assert!(platform.calls().is_empty());
}
