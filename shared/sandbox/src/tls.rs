//! mTLS of the orchestrator: the identity of the server, and the authorities whose clients it trusts.

use std::fmt;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};

/// The certificate chain and key of the server, and the authorities of its clients; all PEM.
///
/// `X509Svid::server_tls` makes one. A client without a certificate of these authorities is refused.
#[derive(Clone, PartialEq, Eq)]
pub struct TlsMaterial {
    /// The certificate chain of the server, leaf first.
    pub certificate_chain_pem: String,
    /// The key of the leaf, PKCS#8.
    pub private_key_pem: String,
    /// The authorities whose client certificates are trusted.
    pub client_authorities_pem: String,
}

impl fmt::Debug for TlsMaterial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsMaterial")
            .field("certificate_chain_pem", &self.certificate_chain_pem)
            .field("private_key_pem", &"redacted")
            .field("client_authorities_pem", &self.client_authorities_pem)
            .finish()
    }
}

/// Why TLS material cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A part is empty or is not PEM of its kind.
    #[error("tls.{field}: failed to read PEM: {reason}")]
    Pem {
        /// The field of [`TlsMaterial`].
        field: &'static str,
        /// The message of the parser.
        reason: String,
    },
    /// The client authorities cannot be used for verification.
    #[error("tls.client_authorities_pem: no usable authority")]
    Authorities(#[source] rustls::server::VerifierBuilderError),
    /// The chain or the key is invalid, or they do not belong together.
    #[error("tls: unusable certificate chain or key")]
    Identity(#[source] rustls::Error),
}

/// Checked material, ready for handshakes.
#[derive(Clone, Debug)]
pub(crate) struct ServerTls(Arc<ServerConfig>);

impl ServerTls {
    pub(crate) fn config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.0)
    }
}

impl TryFrom<&TlsMaterial> for ServerTls {
    type Error = TlsError;

    fn try_from(material: &TlsMaterial) -> Result<Self, TlsError> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut roots = RootCertStore::empty();
        for authority in certificates("client_authorities_pem", &material.client_authorities_pem)? {
            roots.add(authority).map_err(TlsError::Identity)?;
        }
        let clients = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
            .build()
            .map_err(TlsError::Authorities)?;
        let chain = certificates("certificate_chain_pem", &material.certificate_chain_pem)?;
        let key = PrivateKeyDer::from_pem_slice(material.private_key_pem.as_bytes())
            .map_err(|error| pem_error("private_key_pem", &error))?;
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(TlsError::Identity)?
            .with_client_cert_verifier(clients)
            .with_single_cert(chain, key)
            .map_err(TlsError::Identity)?;
        config.alpn_protocols = vec![b"h2".to_vec()];
        Ok(Self(Arc::new(config)))
    }
}

fn certificates(field: &'static str, pem: &str) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let found = CertificateDer::pem_slice_iter(pem.as_bytes())
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| pem_error(field, &error))?;
    if found.is_empty() {
        return Err(TlsError::Pem { field, reason: "it contains no certificate".to_owned() });
    }
    Ok(found)
}

fn pem_error(field: &'static str, error: &rustls::pki_types::pem::Error) -> TlsError {
    TlsError::Pem { field, reason: error.to_string() }
}

/// The SPIFFE id in the leaf certificate; `None` unless it has exactly one URI name.
pub(crate) fn spiffe_id(chain: &[CertificateDer<'_>]) -> Option<String> {
    let leaf = webpki::EndEntityCert::try_from(chain.first()?).ok()?;
    let mut names = leaf.valid_uri_names();
    let only = names.next().filter(|_| names.next().is_none())?;
    only.starts_with("spiffe://").then(|| only.to_owned())
}
