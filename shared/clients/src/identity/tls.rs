//! From an identity to a TLS configuration for one connection.

use std::sync::Arc;

use rustls::client::Resumption;
use rustls::crypto::CryptoProvider;
use rustls::{CertificateError, ClientConfig, OtherError, RootCertStore};

use super::IdentityError;
use super::material::X509Identity;
use super::verifier::ExactServer;
use crate::config::SpiffeId;

/// HTTP/2, which gRPC is made of.
pub(crate) const ALPN: &[u8] = b"h2";

/// The one crypto provider.
pub(crate) fn crypto() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

/// TLS as `identity`, towards the server that is `server_id` and nobody else.
pub(crate) fn client_config(identity: &X509Identity, server_id: &SpiffeId) -> Result<ClientConfig, IdentityError> {
    let unusable = |error: rustls::Error| IdentityError::unusable(identity.spiffe_id(), error);
    let mut roots = RootCertStore::empty();
    for authority in identity.authorities(server_id.trust_domain())? {
        roots.add(authority.clone()).map_err(unusable)?;
    }
    let crypto = crypto();
    let verifier = ExactServer {
        expected: server_id.as_str().to_owned(),
        roots,
        algorithms: crypto.signature_verification_algorithms,
    };
    let mut config = ClientConfig::builder_with_provider(crypto)
        .with_safe_default_protocol_versions()
        .map_err(unusable)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_client_auth_cert(identity.chain.clone(), identity.key.clone_key())
        .map_err(unusable)?;
    config.alpn_protocols = vec![ALPN.to_vec()];
    // A resumed session would skip the check of who the server is now.
    config.resumption = Resumption::disabled();
    Ok(config)
}

/// Why a handshake failed, where it was because of who the server is.
pub(crate) fn untrusted(error: &std::io::Error) -> Option<String> {
    let cause = error.get_ref()?.downcast_ref::<rustls::Error>()?;
    if let rustls::Error::InvalidCertificate(fault) = cause {
        if let CertificateError::Other(OtherError(who)) = fault {
            return Some(who.to_string());
        }
        return Some(cause.to_string());
    }
    None
}
