//! The four sources of an identity, and their behaviour without one.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use heal_clients::config::{Config, PemPaths, SpiffeId};
use heal_clients::identity::{
    self, IdentityError, NoIdentity, PemFiles, Secret, SecretFault, SecretReader, WorkloadApi,
};
use heal_clients::{CallContext, Effect, Error, IdentityProvider, OutageKind, Wiring};
use heal_sandbox::spiffe_ca::{SpiffeCa, TRUST_DOMAIN, Validity, X509Svid};
use heal_sandbox::workload_api::{Socket, WorkloadApi as Agent};
use tokio::time::Instant;
use tonic::Code;

use crate::identity_secret::{Store, secret};
use crate::support::mtls::{ENGINE_ID, authority, client, serve};

const AUDIENCE: &str = "orchestrator-dynamic.neural-hive.local";

fn context() -> CallContext {
    CallContext::within(Duration::from_secs(5)).with_key("k")
}

fn pem(folder: &tempfile::TempDir, svid: &X509Svid) -> PemPaths {
    let written = svid.write_pem_files(folder.path()).unwrap();
    PemPaths { chain: written.certificate_chain, key: written.private_key, bundle: written.trust_bundle, jwt: None }
}

fn issue(ca: &SpiffeCa) -> X509Svid {
    ca.issue(ENGINE_ID, Validity::default()).unwrap()
}

#[tokio::test]
async fn every_source_provides_the_same_identity_to_a_call() {
    let ca = authority();
    let folder = tempfile::tempdir().unwrap();
    let unix = Agent::start(&Socket::Unix(folder.path().join("agent.sock")), ca.clone(), ENGINE_ID).unwrap();
    let tcp = Agent::start(&Socket::Tcp(0), ca.clone(), ENGINE_ID).unwrap();
    let store = Arc::new(Store::default());
    store.put(&issue(&ca));
    let sources: Vec<(Arc<dyn IdentityProvider>, bool)> = vec![
        (Arc::new(WorkloadApi::new(unix.endpoint())), true),
        (Arc::new(WorkloadApi::new(tcp.endpoint())), true),
        (Arc::new(PemFiles::new(pem(&folder, &issue(&ca)), TRUST_DOMAIN)), false),
        (Arc::new(secret(&store)), false),
    ];
    for (source, has_token) in sources {
        let platform = serve(ca.orchestrator_tls().unwrap(), |config| {
            config.clients = vec![ENGINE_ID.to_owned()];
            config.bearer_required = has_token;
        });
        client(&platform, source).unwrap().resume_workflow("wf-1", "r", &context()).await.unwrap();
        let call = platform.calls().pop().unwrap();
        assert_eq!(call.spiffe_id.as_deref(), Some(ENGINE_ID));
        assert_eq!(call.authorization.is_some_and(|it| it.starts_with("Bearer ey")), has_token);
    }
}

#[tokio::test]
async fn the_configured_source_is_used() {
    let config = |env: &[(&str, &str)]| {
        let env = env.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        Config::read(&env.collect::<std::collections::BTreeMap<_, _>>()).unwrap().identity
    };
    let none = identity::provider(&config(&[("SPIFFE_IDENTITY_SOURCE", "none")]), None).unwrap();
    assert!(!none.is_configured());
    assert_eq!(none.x509().await.unwrap_err(), IdentityError::NotConfigured);
    assert!(none.jwt(AUDIENCE).await.is_none());
    assert!(identity::provider(&config(&[]), None).unwrap().is_configured());
    let stored = config(&[("SPIFFE_IDENTITY_SOURCE", "secrets_manager"), ("SPIFFE_SECRET_ID", "spiffe/engine")]);
    let error = identity::provider(&stored, None).unwrap_err();
    assert!(error.to_string().starts_with("SPIFFE_IDENTITY_SOURCE: is secrets_manager"), "{error}");
    let store = Arc::new(Store::default());
    store.put(&issue(&authority()));
    let provider = identity::provider(&stored, Some(store)).unwrap();
    assert_eq!(provider.x509().await.unwrap().spiffe_id(), ENGINE_ID);
}

#[tokio::test]
async fn a_missing_agent_fails_the_call_soon_and_is_used_once_it_starts() {
    let ca = authority();
    let platform = serve(ca.orchestrator_tls().unwrap(), |_| {});
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("agent.sock");
    let source = Arc::new(WorkloadApi::new(&format!("unix://{}", path.display())));
    let client = client(&platform, source).unwrap();
    let started = Instant::now();
    match client.resume_workflow("wf-1", "r", &context()).await.unwrap_err() {
        Error::Unavailable(outage) => {
            assert_eq!((outage.kind, outage.effect), (OutageKind::NoIdentity, Effect::NotApplied));
            let expected = format!("the SPIFFE Workload API at unix://{} does not answer", path.display());
            assert!(outage.detail.starts_with(&expected), "{}", outage.detail);
            let remedy = "is the agent running, and is SPIFFE_ENDPOINT_SOCKET right?";
            assert!(outage.detail.ends_with(remedy), "{}", outage.detail);
        }
        other => panic!("{other:?}"),
    }
    assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
    let _agent = Agent::start(&Socket::Unix(path), ca, ENGINE_ID).unwrap();
    client.resume_workflow("wf-1", "r", &context()).await.unwrap();
}

#[tokio::test]
async fn an_agent_that_knows_no_identity_for_this_process_says_so() {
    let agent = Agent::start(&Socket::Tcp(0), authority(), ENGINE_ID).unwrap();
    agent.refuse(Some(Code::PermissionDenied));
    let error = WorkloadApi::new(agent.endpoint()).x509().await.unwrap_err().to_string();
    assert!(
        error.contains(agent.endpoint()) && error.ends_with("is this process registered with the agent?"),
        "{error}"
    );
}

#[tokio::test]
async fn an_identity_of_another_trust_domain_is_a_wrong_setting() {
    let ca = authority();
    let agent = Agent::start(&Socket::Tcp(0), ca.clone(), ENGINE_ID).unwrap();
    let platform = serve(ca.orchestrator_tls().unwrap(), |_| {});
    let mut config = crate::support::platform_config(&platform).orchestrator;
    config.use_tls = true;
    config.server_id = SpiffeId::parse("spiffe://example.org/ns/a/sa/b").unwrap();
    let wiring = Wiring { identity: Arc::new(WorkloadApi::new(agent.endpoint())), ..Wiring::default() };
    let client = heal_clients::orchestrator::Client::new(&config, &wiring).unwrap();
    match client.resume_workflow("wf-1", "r", &context()).await.unwrap_err() {
        Error::Misconfigured(misfit) => {
            assert_eq!(misfit.variable, "SPIFFE_TRUST_DOMAIN");
            assert_eq!(misfit.expected, "the authorities of example.org");
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn an_identity_that_the_agent_withdraws_is_not_used_any_more() {
    let agent = Agent::start(&Socket::Tcp(0), authority(), ENGINE_ID).unwrap();
    let source = WorkloadApi::new(agent.endpoint());
    source.x509().await.unwrap();
    agent.refuse(Some(Code::PermissionDenied));
    let end = Instant::now() + Duration::from_secs(5);
    while source.x509().await.is_ok() {
        assert!(Instant::now() < end, "still in use");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_token_is_cached_until_shortly_before_its_expiry() {
    let agent = Agent::start(&Socket::Tcp(0), authority(), ENGINE_ID).unwrap();
    let source = WorkloadApi::new(agent.endpoint());
    for _ in 0..3 {
        assert!(source.jwt(AUDIENCE).await.unwrap().token().starts_with("ey"));
    }
    assert_eq!(agent.fetched().jwt_svids, 1);
    agent.set_token_life(Duration::from_secs(8));
    for _ in 0..2 {
        source.jwt("another-audience").await.unwrap();
    }
    assert_eq!(agent.fetched().jwt_svids, 3, "a token that expires within 10 s is not reused");
}

#[tokio::test]
async fn a_call_without_a_token_is_sent() {
    let ca = authority();
    let agent = Agent::start(&Socket::Tcp(0), ca.clone(), ENGINE_ID).unwrap();
    let source = Arc::new(WorkloadApi::new(agent.endpoint()));
    source.x509().await.unwrap();
    let platform = serve(ca.orchestrator_tls().unwrap(), |_| {});
    let client = client(&platform, source).unwrap();
    // The certificate stream lasts a moment longer, but tokens are refused at once.
    agent.refuse(Some(Code::Unimplemented));
    client.get_workflow_status("wf-1", false, &context()).await.unwrap();
    assert_eq!(platform.calls().pop().unwrap().authorization, None);
}

#[tokio::test]
async fn changed_files_are_reread() {
    let (ca, folder) = (authority(), tempfile::tempdir().unwrap());
    let source = PemFiles::new(pem(&folder, &issue(&ca)), TRUST_DOMAIN);
    let first = source.x509().await.unwrap();
    assert!(Arc::ptr_eq(&first, &source.x509().await.unwrap()), "unchanged files are the same identity");
    let second = ca.issue("spiffe://neural-hive.local/ns/a/sa/b", Validity::default()).unwrap();
    // A half-written rotation: new certificate, old key.
    std::fs::write(folder.path().join("svid.pem"), &second.certificate_chain_pem).unwrap();
    assert!(Arc::ptr_eq(&first, &source.x509().await.unwrap()), "files that do not match replace nothing");
    second.write_pem_files(folder.path()).unwrap();
    assert_eq!(source.x509().await.unwrap().spiffe_id(), second.spiffe_id);
}

#[tokio::test]
async fn an_unusable_file_is_named_with_its_fault() {
    let (ca, folder) = (authority(), tempfile::tempdir().unwrap());
    let paths = pem(&folder, &issue(&ca));
    let fault =
        async |paths: &PemPaths| PemFiles::new(paths.clone(), TRUST_DOMAIN).x509().await.unwrap_err().to_string();
    let missing = PemPaths { chain: folder.path().join("none.pem"), ..paths.clone() };
    assert!(fault(&missing).await.contains("none.pem: No such file"));
    std::fs::write(&paths.bundle, "no pem").unwrap();
    assert!(fault(&paths).await.contains("bundle.pem: contains no certificate"));
    std::fs::write(&paths.bundle, vec![b' '; (1 << 20) + 1]).unwrap();
    assert!(fault(&paths).await.contains("bundle.pem: is 1048577 bytes, over the limit of 1048576"));
    let paths = pem(&folder, &issue(&ca));
    std::fs::write(&paths.key, &issue(&ca).private_key_pem).unwrap();
    assert!(fault(&paths).await.contains("the private key does not match the certificate"));
    let expired = pem(&folder, &ca.issue(ENGINE_ID, Validity::expired()).unwrap());
    assert!(fault(&expired).await.starts_with(&format!("the identity of {ENGINE_ID} expired at 2")));
}

#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "tokens expire by the wall clock")]
async fn a_token_file_is_read_for_every_call_and_ignored_when_expired() {
    let (ca, folder) = (authority(), tempfile::tempdir().unwrap());
    let jwt = folder.path().join("token");
    let paths = PemPaths { jwt: Some(jwt.clone()), ..pem(&folder, &issue(&ca)) };
    let source = PemFiles::new(paths, TRUST_DOMAIN);
    assert!(source.jwt(AUDIENCE).await.is_none(), "no file yet");
    let token =
        |life: u64| ca.issue_token(ENGINE_ID, &[AUDIENCE], Validity::lasting(Duration::from_secs(life))).unwrap();
    std::fs::write(&jwt, format!("{}\n", token(300))).unwrap();
    assert!(source.jwt(AUDIENCE).await.unwrap().expires_at() > SystemTime::now());
    std::fs::write(&jwt, token(5)).unwrap();
    assert!(source.jwt(AUDIENCE).await.is_none(), "it would expire during the call");
    std::fs::write(&jwt, "garbage").unwrap();
    assert!(source.jwt(AUDIENCE).await.is_none());
}

#[tokio::test]
async fn debug_output_contains_no_secrets() {
    let ca = authority();
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(Store::default());
    let svid = issue(&ca);
    store.put(&svid);
    let agent = Agent::start(&Socket::Tcp(0), ca, ENGINE_ID).unwrap();
    let workload = WorkloadApi::new(agent.endpoint());
    let files = PemFiles::new(pem(&folder, &svid), TRUST_DOMAIN);
    let source = Secret::new("spiffe/engine", TRUST_DOMAIN, Arc::new(NoDebug(store)));
    let token = workload.jwt(AUDIENCE).await.unwrap();
    let identity = workload.x509().await.unwrap();
    files.x509().await.unwrap();
    source.x509().await.unwrap();
    let shown = format!("{workload:?} {files:?} {source:?} {token:?} {identity:?} {NoIdentity:?}");
    assert!(!shown.contains(token.token()) && !shown.contains("PRIVATE") && !shown.contains("BEGIN"), "{shown}");
    assert!(shown.contains(ENGINE_ID));
}

/// Hides the store, whose own `Debug` shows the secret.
struct NoDebug(Arc<Store>);

impl std::fmt::Debug for NoDebug {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("NoDebug")
    }
}

#[async_trait]
impl SecretReader for NoDebug {
    async fn read(&self, secret_id: &str) -> Result<Vec<u8>, SecretFault> {
        self.0.read(secret_id).await
    }
}
