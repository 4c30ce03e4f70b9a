//! Pods over real sockets: health, restart, and an API that does not answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime};

use async_trait::async_trait;
use clients::config::{BaseUrl, Config, KubernetesAccess, KubernetesConfig};
use clients::kubernetes::{BearerToken, Client, EksAccess, Restart, TokenFault, TokenProvider};
use clients::{CallContext, Effect, Error, OutageKind, RefusalKind, Wiring};
use serde_json::json;
use testkit::kubernetes::{KubernetesConfig as Cluster, Pod, Replacement};
use testkit::seed::NAMESPACE;
use testkit::{Fault, FaultKind, Platform, PlatformConfig, Seed, Service};

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

fn config(access: KubernetesAccess) -> KubernetesConfig {
    KubernetesConfig { access, ..Config::read(&[]).unwrap().kubernetes }
}

fn at(url: &str) -> KubernetesConfig {
    config(KubernetesAccess::Url(BaseUrl::parse(url).unwrap()))
}

#[tokio::test]
async fn health_is_read_off_phase_conditions_and_containers() {
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
async fn without_a_namespace_the_configured_one_holds() {
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
    // A stateful set gives the name again, a replica set a new one and has a ready sibling that is not the replacement.
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
async fn a_pod_that_does_not_come_back_is_said_to_be_away_when_the_time_is_up() {
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
async fn a_pod_that_nobody_would_replace_is_left_alone() {
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
async fn a_deletion_whose_answer_is_lost_is_one_deletion() {
    let platform = start(0, 0);
    let fault = Fault::new(Service::Kubernetes, FaultKind::DropAnswer).on("delete_pod").times(1);
    platform.set_fault(fault).unwrap();
    let restart = client(&platform).await.restart_pod("worker-1", NS, &context()).await.unwrap();
    assert!(matches!(restart, Restart::Replaced { .. }), "{restart:?}");
    assert_eq!(platform.effects().len(), 1);
}

#[tokio::test]
async fn an_api_that_stops_answering_after_the_deletion_is_asked_again() {
    let platform = start(0, 0);
    let client = client(&platform).await;
    // The list before the deletion is sound, the two after it are not.
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
async fn names_that_are_no_dns_names_never_get_into_a_path() {
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
    let (longest, too_long) = (["a".repeat(63).as_str(); 3].join("."), "a".repeat(64));
    client.pod_health(&longest, NS, &context()).await.unwrap();
    client.pod_health(&too_long, NS, &context()).await.unwrap_err();
    assert_eq!(platform.calls().len(), 1, "only the legal one was asked for");
}

#[tokio::test]
async fn an_api_that_does_not_answer_is_unavailable_and_never_healthy() {
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
async fn an_answer_that_is_no_pod_is_refused() {
    let html = FaultKind::WrongContentType { content_type: "text/html".to_owned(), body: Some("<p>".to_owned()) };
    let elsewhere = FaultKind::Redirect { location: "http://127.0.0.1:1/".to_owned(), status: 307 };
    for (kind, refusal_kind) in [
        (html, RefusalKind::BadAnswer),
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

#[tokio::test]
async fn a_kubeconfig_leads_to_its_cluster_with_its_token() {
    let wire = Wire::start([gone()]).await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config");
    let text = format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: c\n\
         clusters: [{{name: k, cluster: {{server: \"{}\"}}}}]\n\
         users: [{{name: u, user: {{token: sesame}}}}]\n\
         contexts: [{{name: c, context: {{cluster: k, user: u}}}}]\n",
        wire.url()
    );
    std::fs::write(&path, &text).unwrap();
    let client =
        Client::new(&config(KubernetesAccess::Kubeconfig(path.clone())), None, &Wiring::default()).await.unwrap();
    assert_eq!(client.pod_health("worker-0", NS, &context()).await.unwrap().phase, "Missing");
    let seen = &wire.seen()[0];
    assert_eq!(seen.target, format!("/api/v1/namespaces/{NAMESPACE}/pods/worker-0"));
    assert_eq!(seen.header("authorization"), Some("Bearer sesame"));

    std::fs::write(&path, text.replace("server:", "proxy-url: \"http://127.0.0.1:1\", server:")).unwrap();
    let error = Client::new(&config(KubernetesAccess::Kubeconfig(path)), None, &Wiring::default()).await.unwrap_err();
    assert_eq!(error.to_string(), "KUBECONFIG: proxy-url is not supported");
    let nowhere = KubernetesAccess::Kubeconfig(folder.path().join("none"));
    let error = Client::new(&config(nowhere), None, &Wiring::default()).await.unwrap_err();
    assert!(error.to_string().starts_with("KUBECONFIG: "), "{error}");
}

#[tokio::test]
async fn outside_of_a_cluster_the_error_names_what_could_be_set() {
    let error = Client::new(&config(KubernetesAccess::InCluster), None, &Wiring::default()).await.unwrap_err();
    assert!(
        error.to_string().starts_with("KUBERNETES_API_URL, KUBECONFIG, EKS_CLUSTER_NAME: none of them is set"),
        "{error}"
    );
}

#[tokio::test]
async fn a_404_that_is_not_the_apis_own_says_nothing_of_a_pod() {
    for act in [wire::reply(404, "content-type: text/plain\r\n", "404 page not found"), wire::json(404, &json!({}))] {
        let wire = Wire::start([act]).await;
        let client = Client::new(&at(&wire.url()), None, &Wiring::default()).await.unwrap();
        let error = client.pod_health("worker-0", NS, &context()).await.unwrap_err();
        assert!(error.is_not_found(), "{error}");
    }
}

/// The API's word that a pod is not there.
fn gone() -> wire::Act {
    wire::json(404, &json!({"kind": "Status", "code": 404, "reason": "NotFound", "message": "gone"}))
}

/// Gives out numbered tokens that live for so long.
#[derive(Debug)]
struct Numbered {
    given: AtomicUsize,
    life: Duration,
}

#[async_trait]
impl TokenProvider for Numbered {
    async fn token(&self) -> Result<BearerToken, TokenFault> {
        let number = self.given.fetch_add(1, Ordering::SeqCst);
        if self.life.is_zero() {
            return Err(TokenFault("sts says no".to_owned()));
        }
        Ok(BearerToken { secret: format!("token-{number}"), expires_at: SystemTime::now() + self.life })
    }
}

async fn eks(wire: &Wire, life: Duration) -> (Client, Arc<Numbered>) {
    let tokens = Arc::new(Numbered { given: AtomicUsize::new(0), life });
    let authority = testkit::spiffe_ca::SpiffeCa::new("example.org").unwrap().trust_bundle_pem();
    let endpoint = BaseUrl::parse(&wire.url()).unwrap();
    let access = EksAccess { endpoint, authority_pem: authority, tokens: tokens.clone() };
    let config = config(KubernetesAccess::Eks { cluster: "prod".to_owned() });
    (Client::new(&config, Some(&access), &Wiring::default()).await.unwrap(), tokens)
}

#[tokio::test]
async fn an_eks_token_is_used_until_shortly_before_its_end() {
    let wire = Wire::start([gone()]).await;
    let (client, tokens) = eks(&wire, Duration::from_mins(10)).await;
    for _ in 0..3 {
        client.pod_health("worker-0", NS, &context()).await.unwrap();
    }
    assert_eq!(tokens.given.load(Ordering::SeqCst), 1);
    assert!(wire.seen().iter().all(|seen| seen.header("authorization") == Some("Bearer token-0")));
    // One that ends within the margin is not used twice.
    let (client, tokens) = eks(&wire, Duration::from_secs(20)).await;
    for _ in 0..2 {
        client.pod_health("worker-0", NS, &context()).await.unwrap();
    }
    assert_eq!(tokens.given.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn without_a_token_nothing_is_sent() {
    let wire = Wire::start([gone()]).await;
    let (client, _) = eks(&wire, Duration::ZERO).await;
    match client.pod_health("worker-0", NS, &context()).await.unwrap_err() {
        Error::Unavailable(outage) => {
            assert_eq!((outage.kind, outage.effect), (OutageKind::NoIdentity, Effect::NotApplied));
            assert!(outage.detail.contains("sts says no"), "{}", outage.detail);
        }
        other => panic!("{other:?}"),
    }
    assert!(wire.seen().is_empty());
    let config = config(KubernetesAccess::Eks { cluster: "prod".to_owned() });
    let error = Client::new(&config, None, &Wiring::default()).await.unwrap_err();
    assert!(error.to_string().starts_with("EKS_CLUSTER_NAME: prod is named"), "{error}");
}

#[test]
fn a_token_is_not_in_its_debug_form() {
    let token = BearerToken { secret: "sesame".to_owned(), expires_at: SystemTime::UNIX_EPOCH };
    assert!(!format!("{token:?}").contains("sesame"));
}
