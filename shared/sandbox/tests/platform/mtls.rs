use std::sync::Arc;
use std::time::Duration;

use heal_proto as proto;
use heal_sandbox::orchestrator::OrchestratorConfig;
use heal_sandbox::spiffe_ca::{ORCHESTRATOR_ID, SpiffeCa, TRUST_DOMAIN, Validity, X509Svid};
use heal_sandbox::{Platform, PlatformConfig, TlsError, TlsMaterial};
use hyper_util::rt::TokioIo;
use proto::orchestrator_strategic_client::OrchestratorStrategicClient;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tonic::transport::{Channel, Endpoint, Uri};
use tonic::{Code, Request};

use crate::support::{DEADLINE, start};

const ENGINE_ID: &str = "spiffe://neural-hive.local/ns/neural-hive/sa/self-healing-engine";

/// Trusts one authority and ignores the server name: SPIFFE certificates have none.
#[derive(Debug)]
struct AnyName(Arc<WebPkiServerVerifier>);

impl ServerCertVerifier for AnyName {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        match self.0.verify_server_cert(end_entity, intermediates, name, ocsp, now) {
            Err(Error::InvalidCertificate(
                CertificateError::NotValidForNameContext { .. } | CertificateError::NotValidForName,
            )) => Ok(ServerCertVerified::assertion()),
            other => other,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

fn connector(ca: &SpiffeCa, identity: Option<&X509Svid>) -> TlsConnector {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from(ca.trust_bundle_der().to_vec())).unwrap();
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider()).build().unwrap();
    let config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyName(verifier)));
    let mut config = match identity {
        Some(svid) => {
            let chain =
                CertificateDer::pem_slice_iter(svid.certificate_chain_pem.as_bytes()).map(Result::unwrap).collect();
            let key = PrivateKeyDer::from_pem_slice(svid.private_key_pem.as_bytes()).unwrap();
            config.with_client_auth_cert(chain, key).unwrap()
        }
        None => config.with_no_client_auth(),
    };
    config.alpn_protocols = vec![b"h2".to_vec()];
    TlsConnector::from(Arc::new(config))
}

fn client(platform: &Platform, tls: TlsConnector) -> OrchestratorStrategicClient<Channel> {
    let address = platform.endpoints().orchestrator;
    let connect = move |_: Uri| {
        let tls = tls.clone();
        async move {
            let stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            let name = ServerName::try_from("orchestrator").unwrap();
            Ok::<_, std::io::Error>(TokioIo::new(tls.connect(name, stream).await?))
        }
    };
    let endpoint = Endpoint::from_static("http://orchestrator").timeout(DEADLINE);
    OrchestratorStrategicClient::new(endpoint.connect_with_connector_lazy(tower::service_fn(connect)))
}

fn with_tls(config: OrchestratorConfig) -> Platform {
    start(PlatformConfig { orchestrator: config, ..PlatformConfig::default() })
}

fn config(ca: &SpiffeCa) -> OrchestratorConfig {
    OrchestratorConfig { tls: Some(ca.orchestrator_tls().unwrap()), ..OrchestratorConfig::default() }
}

fn status() -> proto::GetWorkflowStatusRequest {
    proto::GetWorkflowStatusRequest { workflow_id: "wf-1".to_owned(), ..Default::default() }
}

#[tokio::test]
async fn the_clients_id_and_bearer_token_are_recorded() {
    let ca = SpiffeCa::new(TRUST_DOMAIN).unwrap();
    let platform = with_tls(config(&ca));
    assert!(platform.env().contains(&("ORCHESTRATOR_GRPC_USE_TLS".to_owned(), "true".to_owned())));
    let engine = ca.issue(ENGINE_ID, Validity::default()).unwrap();
    let mut request = Request::new(status());
    request.metadata_mut().insert("authorization", "Bearer jwt".parse().unwrap());
    client(&platform, connector(&ca, Some(&engine))).get_workflow_status(request).await.unwrap();
    let call = platform.calls().pop().unwrap();
    assert_eq!(call.spiffe_id.as_deref(), Some(ENGINE_ID));
    assert_eq!(call.authorization.as_deref(), Some("Bearer jwt"));
}

#[tokio::test]
async fn clients_without_a_valid_certificate_fail_in_the_handshake() {
    let ca = SpiffeCa::new(TRUST_DOMAIN).unwrap();
    let stranger = SpiffeCa::new(TRUST_DOMAIN).unwrap();
    let platform = with_tls(config(&ca));
    let identities = [
        None,
        Some(ca.issue(ENGINE_ID, Validity::expired()).unwrap()),
        Some(ca.issue(ENGINE_ID, Validity::not_yet()).unwrap()),
        Some(stranger.issue(ENGINE_ID, Validity::default()).unwrap()),
    ];
    for identity in &identities {
        let refused = client(&platform, connector(&ca, identity.as_ref())).get_workflow_status(status()).await;
        assert!(refused.is_err());
    }
    let calls = platform.calls();
    assert_eq!(calls.len(), identities.len());
    assert!(calls.iter().all(|call| call.operation == "handshake" && !call.body.is_empty()));
    // A plain text connection fails, too.
    assert!(crate::support::grpc(&platform).get_workflow_status(status()).await.is_err());
}

#[tokio::test]
async fn only_listed_ids_may_call() {
    let ca = SpiffeCa::new(TRUST_DOMAIN).unwrap();
    let platform = with_tls(OrchestratorConfig { clients: vec![ENGINE_ID.to_owned()], ..config(&ca) });
    let engine = ca.issue(ENGINE_ID, Validity::default()).unwrap();
    client(&platform, connector(&ca, Some(&engine))).get_workflow_status(status()).await.unwrap();
    for id in
        ["spiffe://neural-hive.local/ns/other/sa/x", "spiffe://elsewhere.local/ns/neural-hive/sa/self-healing-engine"]
    {
        let other = ca.issue(id, Validity::default()).unwrap();
        let refused = client(&platform, connector(&ca, Some(&other))).get_workflow_status(status()).await.unwrap_err();
        assert_eq!(refused.code(), Code::PermissionDenied, "{id}");
    }
}

#[tokio::test]
async fn a_bearer_token_can_be_required() {
    let ca = SpiffeCa::new(TRUST_DOMAIN).unwrap();
    let platform = with_tls(OrchestratorConfig { bearer_required: true, ..config(&ca) });
    let engine = ca.issue(ENGINE_ID, Validity::default()).unwrap();
    let mut client = client(&platform, connector(&ca, Some(&engine)));
    assert_eq!(client.get_workflow_status(status()).await.unwrap_err().code(), Code::Unauthenticated);
    let mut request = Request::new(status());
    request.metadata_mut().insert("authorization", "Bearer jwt".parse().unwrap());
    client.get_workflow_status(request).await.unwrap();
}

#[tokio::test]
async fn a_new_identity_applies_to_new_connections() {
    let ca = SpiffeCa::new(TRUST_DOMAIN).unwrap();
    let next = SpiffeCa::new(TRUST_DOMAIN).unwrap();
    let platform = with_tls(config(&ca));
    let engine = ca.issue(ENGINE_ID, Validity::default()).unwrap();
    let mut open = client(&platform, connector(&ca, Some(&engine)));
    open.get_workflow_status(status()).await.unwrap();
    platform.set_orchestrator_tls(&next.orchestrator_tls().unwrap()).unwrap();
    open.get_workflow_status(status()).await.unwrap();
    assert!(client(&platform, connector(&ca, Some(&engine))).get_workflow_status(status()).await.is_err());
    let engine = next.issue(ENGINE_ID, Validity::default()).unwrap();
    client(&platform, connector(&next, Some(&engine))).get_workflow_status(status()).await.unwrap();
}

#[tokio::test]
async fn a_server_can_have_any_id_and_period() {
    let ca = SpiffeCa::new(TRUST_DOMAIN).unwrap();
    let engine = ca.issue(ENGINE_ID, Validity::default()).unwrap();
    let short = Validity::lasting(Duration::from_secs(30));
    for (id, validity, accepted) in [
        (ORCHESTRATOR_ID, short, true),
        ("spiffe://elsewhere.local/x", short, true),
        (ORCHESTRATOR_ID, Validity::expired(), false),
    ] {
        let tls = ca.issue(id, validity).unwrap().server_tls();
        let platform = with_tls(OrchestratorConfig { tls: Some(tls), ..OrchestratorConfig::default() });
        let answer = client(&platform, connector(&ca, Some(&engine))).get_workflow_status(status()).await;
        // This client checks the chain and the period; the engine's client also checks the id.
        assert_eq!(answer.is_ok(), accepted, "{id}");
    }
}

#[tokio::test]
async fn invalid_material_is_refused_with_its_field() {
    let ca = SpiffeCa::new(TRUST_DOMAIN).unwrap();
    let good = ca.orchestrator_tls().unwrap();
    let cases = [
        (TlsMaterial { certificate_chain_pem: String::new(), ..good.clone() }, "certificate_chain_pem"),
        (TlsMaterial { private_key_pem: "key".to_owned(), ..good.clone() }, "private_key_pem"),
        (TlsMaterial { client_authorities_pem: "x".to_owned(), ..good.clone() }, "client_authorities_pem"),
    ];
    for (tls, field) in cases {
        let orchestrator = OrchestratorConfig { tls: Some(tls), ..OrchestratorConfig::default() };
        let error = Platform::start(PlatformConfig { orchestrator, ..PlatformConfig::default() }).unwrap_err();
        assert!(error.to_string().starts_with(&format!("orchestrator.tls.{field}: ")), "{error}");
    }
    let other = ca.orchestrator_tls().unwrap();
    let platform = with_tls(config(&ca));
    let mixed = TlsMaterial { private_key_pem: other.private_key_pem, ..good };
    assert!(matches!(platform.set_orchestrator_tls(&mixed), Err(TlsError::Identity(_))));
}
