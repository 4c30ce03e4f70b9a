//! The Workload API, called by the SPIFFE library.

use std::sync::Arc;
use std::time::Duration;

use heal_sandbox::spiffe_ca::{SpiffeCa, TRUST_DOMAIN, Validity};
use heal_sandbox::workload_api::{Fetched, Socket, WorkloadApi, WorkloadError};
use spiffe::{JwtSource, TrustDomain, X509Source};
use tonic::Code;

use crate::support::DEADLINE;

const ENGINE_ID: &str = "spiffe://neural-hive.local/ns/neural-hive/sa/self-healing-engine";
const AUDIENCE: &str = "orchestrator-dynamic.neural-hive.local";

fn ca() -> Arc<SpiffeCa> {
    Arc::new(SpiffeCa::new(TRUST_DOMAIN).unwrap())
}

fn on_tcp(ca: &Arc<SpiffeCa>) -> WorkloadApi {
    WorkloadApi::start(&Socket::Tcp(0), Arc::clone(ca), ENGINE_ID).unwrap()
}

async fn x509(api: &WorkloadApi) -> X509Source {
    let source = X509Source::builder().endpoint(api.endpoint()).build();
    tokio::time::timeout(DEADLINE, source).await.unwrap().unwrap()
}

async fn jwt(api: &WorkloadApi) -> JwtSource {
    let source = JwtSource::builder().endpoint(api.endpoint()).build();
    tokio::time::timeout(DEADLINE, source).await.unwrap().unwrap()
}

/// Waits until the source has the leaf certificate `wanted`.
async fn until_leaf(source: &X509Source, wanted: &[u8]) {
    let mut updates = source.updated();
    let arrived = async {
        while source.svid().unwrap().cert_chain()[0].as_bytes() != wanted {
            updates.changed().await.unwrap();
        }
    };
    tokio::time::timeout(DEADLINE, arrived).await.unwrap();
}

#[tokio::test]
async fn an_identity_is_served_over_unix_and_tcp() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("agent.sock");
    for socket in [Socket::Tcp(0), Socket::Unix(path.clone())] {
        let ca = ca();
        let api = WorkloadApi::start(&socket, Arc::clone(&ca), ENGINE_ID).unwrap();
        let source = x509(&api).await;
        let svid = source.svid().unwrap();
        assert_eq!(svid.spiffe_id().to_string(), ENGINE_ID);
        assert_eq!(svid.cert_chain()[0].as_bytes(), api.svid().certificate_der);
        let domain = TrustDomain::new(TRUST_DOMAIN).unwrap();
        let bundle = source.try_bundle_for_trust_domain(&domain).unwrap();
        assert_eq!(bundle.authorities()[0].as_bytes(), ca.trust_bundle_der());
    }
    assert!(!path.exists());
}

#[tokio::test]
async fn a_rotation_reaches_open_streams() {
    let first = ca();
    let api = on_tcp(&first);
    let source = x509(&api).await;
    let old = api.svid();
    let new = api.rotate(Validity::default()).unwrap();
    assert_eq!(new.spiffe_id, old.spiffe_id);
    assert_ne!(new.certificate_der, old.certificate_der);
    until_leaf(&source, &new.certificate_der).await;

    let second = ca();
    let new = api.rotate_authority(Arc::clone(&second), Validity::default()).unwrap();
    until_leaf(&source, &new.certificate_der).await;
    let domain = TrustDomain::new(TRUST_DOMAIN).unwrap();
    let believed = || -> Vec<Vec<u8>> {
        let bundle = source.try_bundle_for_trust_domain(&domain).unwrap();
        bundle.authorities().iter().map(|authority| authority.as_bytes().to_vec()).collect()
    };
    assert_eq!(believed(), [first.trust_bundle_der(), second.trust_bundle_der()]);
    let mut updates = source.updated();
    api.forget_old_authorities();
    tokio::time::timeout(DEADLINE, async {
        while believed().len() > 1 {
            updates.changed().await.unwrap();
        }
    })
    .await
    .unwrap();
    assert_eq!(believed(), [second.trust_bundle_der()]);
}

#[tokio::test]
async fn a_token_has_the_requested_audience_and_lifetime() {
    let ca = ca();
    let api = on_tcp(&ca);
    let source = jwt(&api).await;
    let token = source.fetch_jwt_svid([AUDIENCE]).await.unwrap();
    assert_eq!(token.spiffe_id().to_string(), ENGINE_ID);
    assert_eq!(token.audience(), [AUDIENCE]);
    assert_eq!(ca.token_subject(token.token(), AUDIENCE).unwrap(), ENGINE_ID);
    let domain = TrustDomain::new(TRUST_DOMAIN).unwrap();
    assert!(source.try_bundle_for_trust_domain(&domain).is_some());
    api.set_token_life(Duration::from_mins(1));
    let short = source.fetch_jwt_svid([AUDIENCE]).await.unwrap();
    assert!(short.expiry() < token.expiry());
    assert!(api.fetched().jwt_svids >= 2);
}

#[tokio::test]
async fn a_workload_without_an_identity_is_refused() {
    let api = on_tcp(&ca());
    let source = jwt(&api).await;
    api.refuse(Some(Code::PermissionDenied));
    assert!(source.fetch_jwt_svid([AUDIENCE]).await.is_err());
    api.refuse(None);
    source.fetch_jwt_svid([AUDIENCE]).await.unwrap();
    assert_eq!(
        api.identify("spiffe://elsewhere.local/x", Validity::default()).unwrap().spiffe_id,
        "spiffe://elsewhere.local/x"
    );
}

#[tokio::test]
async fn a_call_without_the_security_header_is_refused() {
    use heal_proto::workload as proto;
    use proto::spiffe_workload_api_client::SpiffeWorkloadApiClient;
    let api = on_tcp(&ca());
    let url = api.endpoint().replace("tcp://", "http://");
    let channel = tonic::transport::Endpoint::from_shared(url).unwrap().connect_lazy();
    let mut client = SpiffeWorkloadApiClient::new(channel);
    let refused = client.fetch_x509svid(proto::X509svidRequest {}).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    assert_eq!(api.fetched(), Fetched::default());
    let with_header = |message| {
        let mut request = tonic::Request::new(message);
        request.metadata_mut().insert("workload.spiffe.io", "true".parse().unwrap());
        request
    };
    let wanted = |audience: &[&str], spiffe_id: &str| proto::JwtsvidRequest {
        audience: audience.iter().map(|&one| one.to_owned()).collect(),
        spiffe_id: spiffe_id.to_owned(),
    };
    for (message, code) in [
        (wanted(&[], ""), Code::InvalidArgument),
        (wanted(&[AUDIENCE], "spiffe://neural-hive.local/other"), Code::PermissionDenied),
    ] {
        assert_eq!(client.fetch_jwtsvid(with_header(message)).await.unwrap_err().code(), code);
    }
    client.fetch_jwtsvid(with_header(wanted(&[AUDIENCE], ENGINE_ID))).await.unwrap();
}

#[tokio::test]
async fn a_used_socket_is_named_in_the_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("agent.sock");
    let socket = Socket::Unix(path.clone());
    let _first = WorkloadApi::start(&socket, ca(), ENGINE_ID).unwrap();
    let error = WorkloadApi::start(&socket, ca(), ENGINE_ID).unwrap_err();
    assert_eq!(error.to_string(), format!("workload API: cannot listen on {}", path.display()));
    let error = WorkloadApi::start(&Socket::Tcp(0), ca(), "not-an-id").unwrap_err();
    assert!(matches!(error, WorkloadError::Identity(_)));
}
