//! Verification of the server's certificate: one expected SPIFFE ID, issued by its own trust domain.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, OtherError, RootCertStore, SignatureScheme};

use super::material::spiffe_id_of;

/// Accepts only a server with exactly the expected SPIFFE ID.
#[derive(Debug)]
pub(super) struct SpiffeVerifier {
    pub expected: String,
    /// The authorities of the expected ID's trust domain only.
    pub roots: RootCertStore,
    pub algorithms: WebPkiSupportedAlgorithms,
}

/// A valid certificate with another SPIFFE ID, or with none.
#[derive(Debug, thiserror::Error)]
#[error("the server is {found}, expected {expected}")]
pub(crate) struct WrongServer {
    pub(crate) found: String,
    pub(crate) expected: String,
}

impl ServerCertVerifier for SpiffeVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        // Ignored: a workload is identified by the SPIFFE ID in its certificate, not by a host name.
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let certificate = ParsedCertificate::try_from(end_entity)?;
        verify_server_cert_signed_by_trust_anchor(&certificate, &self.roots, intermediates, now, self.algorithms.all)?;
        let found = spiffe_id_of(end_entity).unwrap_or_else(|problem| format!("unidentified ({problem})"));
        if found == self.expected {
            return Ok(ServerCertVerified::assertion());
        }
        let wrong = WrongServer { found, expected: self.expected.clone() };
        Err(CertificateError::Other(OtherError(Arc::new(wrong))).into())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
