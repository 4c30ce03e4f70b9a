//! Access to the Kubernetes API: its address and credentials.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use heal_clients::config::{BaseUrl, Config, KubernetesAccess, KubernetesConfig};
use heal_clients::kubernetes::{BearerToken, Client, EksAccess, TokenFault, TokenProvider};
use heal_clients::{CallContext, Effect, Error, OutageKind, Wiring};
use heal_sandbox::seed::NAMESPACE;
use serde_json::json;

use crate::support::wire::{self, Wire};

const NS: Option<&str> = Some(NAMESPACE);

fn context() -> CallContext {
    CallContext::within(Duration::from_secs(5))
}

fn config(access: KubernetesAccess) -> KubernetesConfig {
    KubernetesConfig { access, ..Config::read(&[]).unwrap().kubernetes }
}

fn at(url: &str) -> KubernetesConfig {
    config(KubernetesAccess::Url(BaseUrl::parse(url).unwrap()))
}

#[tokio::test]
async fn a_kubeconfig_sets_the_cluster_and_its_token() {
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
    assert_eq!(client.pod_health("worker-0", NS, &context()).await.unwrap(), None);
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
async fn outside_a_pod_the_error_names_the_variables_to_set() {
    let error = Client::new(&config(KubernetesAccess::InCluster), None, &Wiring::default()).await.unwrap_err();
    assert!(
        error.to_string().starts_with("KUBERNETES_API_URL, KUBECONFIG, EKS_CLUSTER_NAME: none of them is set"),
        "{error}"
    );
}

#[tokio::test]
async fn a_server_that_is_not_the_api_is_a_fault_of_the_setting() {
    for act in [
        wire::reply(404, "content-type: text/plain\r\n", "404 page not found"),
        wire::json(404, &json!({})),
        wire::reply(200, "content-type: text/html\r\n", "<title>Sign in</title>"),
    ] {
        let wire = Wire::start([act]).await;
        let client = Client::new(&at(&wire.url()), None, &Wiring::default()).await.unwrap();
        let error = client.pod_health("worker-0", NS, &context()).await.unwrap_err();
        let Error::Misconfigured(misfit) = &error else { panic!("{error}") };
        assert_eq!(misfit.variable, "KUBERNETES_API_URL");
        assert_eq!(misfit.expected, "the API of a Kubernetes cluster");
    }
}

/// The API's response for a missing pod.
fn gone() -> wire::Act {
    wire::json(404, &json!({"kind": "Status", "code": 404, "reason": "NotFound", "message": "gone"}))
}

/// Issues numbered tokens with the lifetime `life`.
#[derive(Debug)]
struct Numbered {
    issued: AtomicUsize,
    life: Duration,
}

#[async_trait]
impl TokenProvider for Numbered {
    #[expect(clippy::disallowed_methods, reason = "tokens expire by the wall clock")]
    async fn token(&self) -> Result<BearerToken, TokenFault> {
        let number = self.issued.fetch_add(1, Ordering::SeqCst);
        if self.life.is_zero() {
            return Err(TokenFault("sts says no".to_owned()));
        }
        Ok(BearerToken { secret: format!("token-{number}"), expires_at: SystemTime::now() + self.life })
    }
}

async fn eks(wire: &Wire, life: Duration) -> (Client, Arc<Numbered>) {
    let tokens = Arc::new(Numbered { issued: AtomicUsize::new(0), life });
    let authority = heal_sandbox::spiffe_ca::SpiffeCa::new("example.org").unwrap().trust_bundle_pem();
    let endpoint = BaseUrl::parse(&wire.url()).unwrap();
    let access = EksAccess { endpoint, authority_pem: authority, tokens: tokens.clone() };
    let config = config(KubernetesAccess::Eks { cluster: "prod".to_owned() });
    (Client::new(&config, Some(&access), &Wiring::default()).await.unwrap(), tokens)
}

#[tokio::test]
async fn an_eks_token_is_cached_until_shortly_before_its_expiry() {
    let wire = Wire::start([gone()]).await;
    let (client, tokens) = eks(&wire, Duration::from_mins(10)).await;
    for _ in 0..3 {
        client.pod_health("worker-0", NS, &context()).await.unwrap();
    }
    assert_eq!(tokens.issued.load(Ordering::SeqCst), 1);
    assert!(wire.seen().iter().all(|seen| seen.header("authorization") == Some("Bearer token-0")));
    // A token that expires within the margin is not reused.
    let (client, tokens) = eks(&wire, Duration::from_secs(20)).await;
    for _ in 0..2 {
        client.pod_health("worker-0", NS, &context()).await.unwrap();
    }
    assert_eq!(tokens.issued.load(Ordering::SeqCst), 2);
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
fn debug_output_does_not_contain_the_token() {
    let token = BearerToken { secret: "sesame".to_owned(), expires_at: SystemTime::UNIX_EPOCH };
    assert!(!format!("{token:?}").contains("sesame"));
}
