//! Mutual TLS over real sockets: which servers are accepted, and what a rotation does to calls in flight.

use std::sync::Arc;
use std::time::{Duration, Instant};

use heal_clients::identity::{NoIdentity, PemFiles, WorkloadApi};
use heal_clients::{CallContext, Effect, Error, IdentityProvider, OutageKind, RefusalKind};
use heal_sandbox::spiffe_ca::{ORCHESTRATOR_ID, SpiffeCa, TRUST_DOMAIN, Validity, X509Svid};
use heal_sandbox::workload_api::{Socket, WorkloadApi as Agent};
use heal_sandbox::{Fault, FaultKind, Platform, PlatformConfig, Service, TlsMaterial};

use crate::support::mtls::{ENGINE_ID, authority, client, serve};

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
async fn refused_by_client(ca: &SpiffeCa, tls: TlsMaterial) -> heal_clients::Outage {
    let platform = serve(tls, |_| {});
    let (_folder, identity) = engine(ca);
    let started = Instant::now();
    let error = client(&platform, identity).unwrap().resume_workflow("wf-1", "r", &context()).await.unwrap_err();
    assert!(started.elapsed() < Duration::from_secs(3));
    assert!(platform.effects().is_empty());
    match error {
        Error::Unavailable(outage) => outage,
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
        let outage = refused_by_client(&ca, server).await;
        assert_eq!((outage.kind, outage.effect), (OutageKind::Untrusted, Effect::NotApplied), "{id}");
        assert!(
            outage.detail.contains(&format!("the server is {id}, expected {ORCHESTRATOR_ID}")),
            "{}",
            outage.detail
        );
    }
}

#[tokio::test]
async fn another_trust_domain_is_refused_whatever_id_it_claims() {
    let (ours, theirs) = (authority(), SpiffeCa::new("evil.example").unwrap());
    let clients_of_ours = ours.trust_bundle_pem();
    for (issuer, id) in [
        (&theirs, "spiffe://evil.example/ns/neural-hive-orchestration/sa/orchestrator-dynamic"),
        (&theirs, ORCHESTRATOR_ID),
        (ours.as_ref(), "spiffe://evil.example/ns/neural-hive-orchestration/sa/orchestrator-dynamic"),
    ] {
        let mut server = issuer.issue(id, Validity::default()).unwrap().server_tls();
        server.client_authorities_pem.clone_from(&clients_of_ours);
        let outage = refused_by_client(&ours, server).await;
        assert_eq!(outage.kind, OutageKind::Untrusted, "{id}: {}", outage.detail);
    }
}

#[tokio::test]
async fn a_server_certificate_outside_its_validity_is_refused() {
    let ca = authority();
    for validity in [Validity::expired(), Validity::not_yet()] {
        let server = ca.issue(ORCHESTRATOR_ID, validity).unwrap().server_tls();
        let outage = refused_by_client(&ca, server).await;
        assert_eq!(outage.kind, OutageKind::Untrusted, "{}", outage.detail);
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
    for (ids, kind) in [
        (vec![ORCHESTRATOR_ID], None),
        (vec![ORCHESTRATOR_ID, "spiffe://neural-hive.local/ns/a/sa/b"], Some(OutageKind::Untrusted)),
        (vec!["https://x/", ORCHESTRATOR_ID], Some(OutageKind::Untrusted)),
        (vec![], Some(OutageKind::Untrusted)),
    ] {
        let platform = serve(issue(&ids), |_| {});
        let result = client(&platform, identity.clone()).unwrap().get_workflow_status("wf-1", false, &context()).await;
        match (result, kind) {
            (Ok(_), None) => {}
            (Err(Error::Unavailable(outage)), Some(kind)) => assert_eq!(outage.kind, kind, "{ids:?}"),
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
    // A server that does not trust the engine's authority closes the connection.
    let mut server = ca.orchestrator_tls().unwrap();
    server.client_authorities_pem = authority().trust_bundle_pem();
    let outage = refused_by_client(&ca, server).await;
    assert!(matches!(outage.kind, OutageKind::Reset | OutageKind::Connect), "{outage:?}");
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
    assert!(error.is_unavailable() && error.effect() == Effect::NotApplied, "{error}");

    let protected = serve(ca.orchestrator_tls().unwrap(), |_| {});
    let mut config = crate::support::platform_config(&protected).orchestrator;
    config.use_tls = false;
    let client = heal_clients::orchestrator::Client::new(&config, &heal_clients::Wiring::default()).unwrap();
    assert!(client.resume_workflow("wf-1", "r", &context()).await.unwrap_err().is_unavailable());
    assert!(plain.effects().is_empty() && protected.effects().is_empty());
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
            Err(Error::Unavailable(outage)) => outage.kind == OutageKind::Untrusted,
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
