//! The TLS configuration of one connection, made from an identity.

use std::sync::Arc;

use rustls::client::Resumption;
use rustls::{ClientConfig, RootCertStore};

use super::material::{IdentityError, X509Identity, crypto};
use super::verifier::SpiffeVerifier;
use crate::config::SpiffeId;

/// The ALPN protocol of gRPC: HTTP/2.
pub(crate) const ALPN: &[u8] = b"h2";

/// Mutual TLS: authenticates as `identity` and accepts only the server with `server_id`.
pub(crate) fn client_config(identity: &X509Identity, server_id: &SpiffeId) -> Result<ClientConfig, IdentityError> {
    let unusable = |error: rustls::Error| IdentityError::unusable(identity.spiffe_id(), error);
    let mut roots = RootCertStore::empty();
    for authority in identity.authorities(server_id.trust_domain())? {
        roots.add(authority.clone()).map_err(unusable)?;
    }
    let crypto = crypto();
    let verifier = SpiffeVerifier {
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
    // A resumed session would skip the verification of the server's current certificate.
    config.resumption = Resumption::disabled();
    Ok(config)
}
