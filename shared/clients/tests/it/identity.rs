//! Mutual TLS over real sockets: which servers are accepted, and what a rotation does to calls in flight.

use std::sync::Arc;
use std::time::Duration;

use heal_clients::identity::{NoIdentity, PemFiles, WorkloadApi};
use heal_clients::{CallContext, Effect, Error, IdentityProvider, Misconfiguration, OutageKind, RefusalKind};
use heal_sandbox::spiffe_ca::{ORCHESTRATOR_ID, SpiffeCa, TRUST_DOMAIN, Validity, X509Svid};
use heal_sandbox::workload_api::{Socket, WorkloadApi as Agent};
use heal_sandbox::{Fault, FaultKind, Platform, PlatformConfig, Service, TlsMaterial};
use tokio::time::Instant;

use crate::support::mtls::{ENGINE_ID, authority, client, serve};
use crate::support::wire::{self, Act, Wire};

fn context() -> CallContext {
    CallContext::within(Duration::from_secs(5)).with_key("k")
}

/// `svid` in PEM files, which are deleted when the test ends.
fn files(svid: &X509Svid) -> (tempfile::TempDir, Arc<dyn IdentityProvider>) {
    let folder = tempfile::tempdir().unwrap();
    let written = svid.write_pem_files(folder.path()).unwrap();
    let paths = heal_clients::config::PemPaths {
        chain: written.certificate_chain,
        key: written.private_key,
        bundle: written.trust_bundle,
        jwt: None,
    };
    (folder, Arc::new(PemFiles::new(paths, TRUST_DOMAIN)))
}

pub(crate) fn engine(ca: &SpiffeCa) -> (tempfile::TempDir, Arc<dyn IdentityProvider>) {
    files(&ca.issue(ENGINE_ID, Validity::default()).unwrap())
}

/// Calls a server with `tls` as the engine of `ca`; returns the error of the client.
async fn refused_by_client(ca: &SpiffeCa, tls: TlsMaterial) -> Error {
    let platform = serve(tls, |_| {});
    let (_folder, identity) = engine(ca);
    let started = Instant::now();
    let error = client(&platform, identity).unwrap().resume_workflow("wf-1", "r", &context()).await.unwrap_err();
    assert!(started.elapsed() < Duration::from_secs(3));
    assert!(platform.effects().is_empty());
    assert_eq!(error.effect(), Effect::NotApplied);
    error
}

fn misfit(error: Error) -> Misconfiguration {
    match error {
        Error::Misconfigured(misfit) => misfit,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn the_server_with_the_expected_id_is_called_as_the_engine() {
    let ca = authority();
    let platform = serve(ca.orchestrator_tls().unwrap(), |config| config.clients = vec![ENGINE_ID.to_owned()]);
    let (_folder, identity) = engine(&ca);
    client(&platform, identity).unwrap().resume_workflow("wf-1", "r", &context()).await.unwrap();
    let call = platform.calls().pop().unwrap();
    assert_eq!(call.spiffe_id.as_deref(), Some(ENGINE_ID));
    assert_eq!(call.authorization, None, "files provide no token");
}

#[tokio::test]
async fn any_other_id_of_the_trust_domain_is_refused() {
    let ca = authority();
    for id in [
        "spiffe://neural-hive.local/ns/neural-hive-orchestration/sa/another",
        &format!("{ORCHESTRATOR_ID}-2"),
        &format!("{ORCHESTRATOR_ID}/x"),
        &ORCHESTRATOR_ID.to_uppercase().replace("SPIFFE://NEURAL-HIVE.LOCAL", "spiffe://neural-hive.local"),
        "spiffe://neural-hive.local",
    ] {
        let server = ca.issue(id, Validity::default()).unwrap().server_tls();
        let misfit = misfit(refused_by_client(&ca, server).await);
        let shown = (misfit.variable, misfit.observed.as_str(), misfit.expected.as_str());
        assert_eq!(shown, ("ORCHESTRATOR_SPIFFE_ID", id, ORCHESTRATOR_ID));
    }
}

#[tokio::test]
async fn another_trust_domain_is_refused_whatever_id_it_claims() {
    let (ours, theirs) = (authority(), SpiffeCa::new("evil.example").unwrap());
    let clients_of_ours = ours.trust_bundle_pem();
    let evil = "spiffe://evil.example/ns/neural-hive-orchestration/sa/orchestrator-dynamic";
    for (issuer, id, variable) in [
        (&theirs, evil, "SPIFFE_TRUST_DOMAIN"),
        (&theirs, ORCHESTRATOR_ID, "SPIFFE_TRUST_DOMAIN"),
        (ours.as_ref(), evil, "ORCHESTRATOR_SPIFFE_ID"),
    ] {
        let mut server = issuer.issue(id, Validity::default()).unwrap().server_tls();
        server.client_authorities_pem.clone_from(&clients_of_ours);
        assert_eq!(misfit(refused_by_client(&ours, server).await).variable, variable, "{id}");
    }
}

#[tokio::test]
async fn a_server_certificate_outside_its_validity_is_an_outage() {
    let ca = authority();
    for validity in [Validity::expired(), Validity::not_yet()] {
        let server = ca.issue(ORCHESTRATOR_ID, validity).unwrap().server_tls();
        match refused_by_client(&ca, server).await {
            Error::Unavailable(outage) => {
                assert_eq!(outage.kind, OutageKind::Connect);
                assert!(outage.detail.contains("outside its validity"), "{}", outage.detail);
            }
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_certificate_without_exactly_one_id_is_refused() {
    use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, KeyUsagePurpose, SanType};
    let uri = |text: &str| SanType::URI(text.try_into().unwrap());
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let issue = |ids: &[&str]| {
        let mut params = CertificateParams::default();
        params.subject_alt_names = ids.iter().map(|id| uri(id)).collect();
        let key = KeyPair::generate().unwrap();
        let leaf = params.signed_by(&key, &issuer).unwrap();
        TlsMaterial {
            certificate_chain_pem: leaf.pem(),
            private_key_pem: key.serialize_pem(),
            client_authorities_pem: issuer.pem(),
        }
    };
    let us = issue(&[ENGINE_ID]);
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let paths = heal_clients::config::PemPaths {
        chain: write("chain", &us.certificate_chain_pem),
        key: write("key", &us.private_key_pem),
        bundle: write("bundle", &us.client_authorities_pem),
        jwt: None,
    };
    let identity: Arc<dyn IdentityProvider> = Arc::new(PemFiles::new(paths, TRUST_DOMAIN));
    for (ids, is_accepted) in [
        (vec![ORCHESTRATOR_ID], true),
        (vec![ORCHESTRATOR_ID, "spiffe://neural-hive.local/ns/a/sa/b"], false),
        (vec!["https://x/", ORCHESTRATOR_ID], false),
        (vec![], false),
    ] {
        let platform = serve(issue(&ids), |_| {});
        let result = client(&platform, identity.clone()).unwrap().get_workflow_status("wf-1", false, &context()).await;
        match (result, is_accepted) {
            (Ok(_), true) => {}
            (Err(Error::Misconfigured(misfit)), false) => {
                assert_eq!(misfit.variable, "ORCHESTRATOR_SPIFFE_ID", "{ids:?}");
            }
            (result, _) => panic!("{ids:?}: {result:?}"),
        }
    }
}

#[tokio::test]
async fn a_server_that_rejects_the_engine_is_an_error() {
    let ca = authority();
    let platform = serve(ca.orchestrator_tls().unwrap(), |config| config.clients = vec!["spiffe://a/b".to_owned()]);
    let (_folder, identity) = engine(&ca);
    match client(&platform, identity).unwrap().resume_workflow("wf-1", "r", &context()).await.unwrap_err() {
        Error::Refused(refusal) => assert_eq!(refusal.kind, RefusalKind::Forbidden),
        other => panic!("{other:?}"),
    }
    // A server that does not trust the engine's authority says so only after the handshake.
    let mut server = ca.orchestrator_tls().unwrap();
    server.client_authorities_pem = authority().trust_bundle_pem();
    let misfit = misfit(refused_by_client(&ca, server).await);
    assert_eq!(misfit.variable, "SPIFFE_TRUST_DOMAIN");
    assert!(misfit.observed.contains(ENGINE_ID) && misfit.observed.contains("TLS alert"), "{}", misfit.observed);
}

#[tokio::test]
async fn plain_text_and_tls_do_not_interoperate() {
    let ca = authority();
    let (_folder, identity) = engine(&ca);
    let plain = Platform::start(PlatformConfig::default()).unwrap();
    let mut config = crate::support::platform_config(&plain).orchestrator;
    config.use_tls = true;
    let wiring = heal_clients::Wiring { identity, ..heal_clients::Wiring::default() };
    let client = heal_clients::orchestrator::Client::new(&config, &wiring).unwrap();
    let error = client.resume_workflow("wf-1", "r", &context()).await.unwrap_err();
    let found = misfit(error);
    assert_eq!((found.variable, found.expected.as_str()), ("ORCHESTRATOR_GRPC_USE_TLS", "TLS (true)"));

    let protected = serve(ca.orchestrator_tls().unwrap(), |_| {});
    let mut config = crate::support::platform_config(&protected).orchestrator;
    config.use_tls = false;
    let client = heal_clients::orchestrator::Client::new(&config, &heal_clients::Wiring::default()).unwrap();
    let found = misfit(client.resume_workflow("wf-1", "r", &context()).await.unwrap_err());
    assert_eq!((found.variable, found.expected.as_str()), ("ORCHESTRATOR_GRPC_USE_TLS", "plain text (false)"));
    assert!(plain.effects().is_empty() && protected.effects().is_empty());
}

/// A client in plain text of whatever is at the address.
fn client_of(addr: std::net::SocketAddr) -> heal_clients::orchestrator::Client {
    let platform = Platform::start(PlatformConfig::default()).unwrap();
    let mut config = crate::support::platform_config(&platform).orchestrator;
    (config.host, config.port) = (addr.ip().to_string(), addr.port());
    heal_clients::orchestrator::Client::new(&config, &heal_clients::Wiring::default()).unwrap()
}

#[tokio::test]
async fn a_server_that_speaks_no_grpc_is_a_wrong_address() {
    let web = Wire::start([wire::json(400, &serde_json::json!({}))]).await;
    let misfit = misfit(client_of(web.addr).resume_workflow("wf-1", "r", &context()).await.unwrap_err());
    assert_eq!(misfit.variable, "ORCHESTRATOR_GRPC_HOST or ORCHESTRATOR_GRPC_PORT");
    assert_eq!(misfit.observed, format!("an HTTP/1.1 server at {}", web.addr));
}

#[tokio::test]
async fn nothing_was_sent_to_a_server_that_does_not_answer_the_connection() {
    for act in [Act::Hang, Act::DropAnswer] {
        let silent = Wire::start([act]).await;
        let context = CallContext::within(Duration::from_millis(500)).with_key("k");
        let error = client_of(silent.addr).resume_workflow("wf-1", "r", &context).await.unwrap_err();
        assert!(error.is_unavailable() && error.effect() == Effect::NotApplied, "{error}");
    }
}

#[tokio::test]
async fn a_misconfiguration_does_not_open_the_breaker() {
    let web = Wire::start([wire::json(400, &serde_json::json!({}))]).await;
    let client = client_of(web.addr);
    for _ in 0..10 {
        misfit(client.get_workflow_status("wf-1", false, &context()).await.unwrap_err());
    }
}

#[tokio::test]
async fn tls_without_an_identity_source_is_a_configuration_error() {
    let platform = serve(authority().orchestrator_tls().unwrap(), |_| {});
    let error = client(&platform, Arc::new(NoIdentity)).unwrap_err();
    assert!(error.to_string().starts_with("SPIFFE_IDENTITY_SOURCE: is none"), "{error}");
}

#[tokio::test]
async fn a_rotation_drops_no_call_and_the_next_call_uses_the_new_identity() {
    let old = authority();
    let agent = Agent::start(&Socket::Tcp(0), old.clone(), ENGINE_ID).unwrap();
    let platform = serve(old.orchestrator_tls().unwrap(), |_| {});
    let source = Arc::new(WorkloadApi::new(agent.endpoint()));
    let client = Arc::new(client(&platform, source.clone()).unwrap());
    let first = source.x509().await.unwrap();
    client.get_workflow_status("wf-1", false, &context()).await.unwrap();

    let slow = Fault::new(Service::Orchestrator, FaultKind::Slow { by_ms: 400 }).on("ResumeWorkflow");
    platform.set_fault(slow).unwrap();
    let in_flight = tokio::spawn({
        let client = client.clone();
        async move { client.resume_workflow("wf-1", "r", &context()).await }
    });
    while platform.effects().is_empty() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    // Rotate both sides to a new authority while the call waits for its response.
    let new = authority();
    platform.set_orchestrator_tls(&new.orchestrator_tls().unwrap()).unwrap();
    agent.rotate_authority(new.clone(), Validity::default()).unwrap();
    eventually(|| async { !Arc::ptr_eq(&first, &source.x509().await.unwrap()) }).await;
    client.get_workflow_status("wf-1", false, &context()).await.unwrap();
    let resumed = in_flight.await.unwrap().unwrap();
    assert_eq!(resumed.confirmed, heal_clients::orchestrator::Confirmation::Answer, "the response to the call itself");

    // Give new connections a server with another ID: a call that fails was made on a new connection.
    let stranger = new.issue("spiffe://neural-hive.local/ns/a/sa/b", Validity::default()).unwrap();
    platform.set_orchestrator_tls(&stranger.server_tls()).unwrap();
    client.get_workflow_status("wf-1", false, &context()).await.unwrap();
    agent.rotate(Validity::default()).unwrap();
    eventually(|| async {
        match client.get_workflow_status("wf-1", false, &context()).await {
            Err(Error::Misconfigured(misfit)) => misfit.variable == "ORCHESTRATOR_SPIFFE_ID",
            _ => false,
        }
    })
    .await;
}

/// Polls until a streamed update makes `condition` true.
async fn eventually<F: Future<Output = bool>>(condition: impl Fn() -> F) {
    let end = Instant::now() + Duration::from_secs(5);
    while !condition().await {
        assert!(Instant::now() < end, "did not come true within 5 s");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
