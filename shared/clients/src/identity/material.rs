//! An X.509-SVID with its private key and trust bundles, validated once, and the errors of obtaining one.

use std::collections::BTreeMap;
use std::fmt::{self, Display};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;

/// Why a source cannot provide an identity.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    /// The configuration turns identities off.
    #[error("no identity source is configured (SPIFFE_IDENTITY_SOURCE=none)")]
    NotConfigured,
    /// The source does not respond, or has no identity for this process.
    #[error("{origin} provides no identity: {problem}")]
    Unavailable {
        /// The source, such as `secret spiffe/engine`.
        origin: String,
        /// The cause, on one line.
        problem: String,
    },
    /// Nobody answers at the socket of the Workload API.
    #[error(
        "the SPIFFE Workload API at {socket} does not answer ({problem}); is the agent running, and is {} right?",
        crate::config::keys::ENV_SPIFFE_ENDPOINT_SOCKET
    )]
    AgentAway {
        /// The socket, as configured.
        socket: String,
        /// The cause, on one line.
        problem: String,
    },
    /// The source responded with something that cannot be used.
    #[error("{place}: {problem}")]
    Unusable {
        /// The file, or the secret and its field.
        place: String,
        /// The cause, on one line.
        problem: String,
    },
    /// The certificate has expired and the source has no newer one.
    #[error("the identity of {spiffe_id} expired at {}", jiff::Timestamp::try_from(*expired_at).map_or_else(|_| "?".to_owned(), |at| at.to_string()))]
    Expired {
        /// The SPIFFE ID of this process.
        spiffe_id: String,
        /// The certificate's `notAfter`.
        expired_at: SystemTime,
    },
    /// The source has no trust bundle to verify the server with.
    #[error("the identity source has no authorities for trust domain {0}")]
    NoAuthorities(String),
}

impl IdentityError {
    #[allow(clippy::needless_pass_by_value, reason = "callers pass an error that they own")]
    pub(super) fn unusable(place: impl Into<String>, problem: impl Display) -> Self {
        Self::Unusable { place: place.into(), problem: crate::error::one_line(&problem.to_string()) }
    }

    #[allow(clippy::needless_pass_by_value, reason = "callers pass an error that they own")]
    pub(super) fn unavailable(origin: impl Into<String>, problem: impl Display) -> Self {
        Self::Unavailable { origin: origin.into(), problem: crate::error::one_line(&problem.to_string()) }
    }
}

/// An X.509 identity that this process authenticates with.
pub struct X509Identity {
    spiffe_id: String,
    pub(super) chain: Vec<CertificateDer<'static>>,
    pub(super) key: PrivateKeyDer<'static>,
    /// Trust bundles by trust domain.
    authorities: BTreeMap<String, Vec<CertificateDer<'static>>>,
    not_before: SystemTime,
    not_after: SystemTime,
}

impl fmt::Debug for X509Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("X509Identity")
            .field("spiffe_id", &self.spiffe_id)
            .field("not_after", &self.not_after)
            .finish_non_exhaustive()
    }
}

impl X509Identity {
    /// Checks that the leaf of `chain` has exactly one SPIFFE ID and that `key` belongs to the leaf. Errors name `place`.
    pub(super) fn new(
        place: &str,
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
        authorities: BTreeMap<String, Vec<CertificateDer<'static>>>,
    ) -> Result<Self, IdentityError> {
        let unusable = |problem: String| IdentityError::unusable(place, problem);
        let Some(leaf) = chain.first() else {
            return Err(unusable("contains no certificate".to_owned()));
        };
        let spiffe_id = spiffe_id_of(leaf).map_err(unusable)?;
        spiffe::SpiffeId::new(&spiffe_id)
            .map_err(|error| unusable(format!("{spiffe_id:?} is not a SPIFFE ID: {error}")))?;
        let (not_before, not_after) = validity(leaf).map_err(unusable)?;
        CertifiedKey::from_der(chain.clone(), key.clone_key(), &crypto())
            .map_err(|error| unusable(format!("the private key does not match the certificate: {error}")))?;
        Ok(Self { spiffe_id, chain, key, authorities, not_before, not_after })
    }

    /// The SPIFFE ID of this process.
    pub fn spiffe_id(&self) -> &str {
        &self.spiffe_id
    }

    /// The certificate's `notAfter`.
    pub fn expires_at(&self) -> SystemTime {
        self.not_after
    }

    /// Half of the certificate's lifetime: SPIRE has rotated it by then.
    pub(super) fn stale_at(&self) -> SystemTime {
        let life = self.not_after.duration_since(self.not_before).unwrap_or(Duration::ZERO);
        self.not_before + life / 2
    }

    /// The authorities that may issue server certificates of `trust_domain`.
    pub(super) fn authorities(&self, trust_domain: &str) -> Result<&[CertificateDer<'static>], IdentityError> {
        match self.authorities.get(trust_domain) {
            Some(authorities) if !authorities.is_empty() => Ok(authorities),
            Some(_) | None => Err(IdentityError::NoAuthorities(trust_domain.to_owned())),
        }
    }

    /// Fails with `Expired` if the certificate is not valid at `now` any more.
    pub(super) fn check_not_expired(&self, now: SystemTime) -> Result<(), IdentityError> {
        if now < self.not_after {
            return Ok(());
        }
        Err(IdentityError::Expired { spiffe_id: self.spiffe_id.clone(), expired_at: self.not_after })
    }
}

/// The SPIFFE ID: the only URI among the certificate's subject alternative names (X.509-SVID, section 2: exactly one).
pub(super) fn spiffe_id_of(certificate: &CertificateDer<'_>) -> Result<String, String> {
    let certificate =
        webpki::EndEntityCert::try_from(certificate).map_err(|error| format!("not a certificate: {error}"))?;
    let mut names = certificate.valid_uri_names();
    match (names.next(), names.next()) {
        (Some(id), None) => Ok(id.to_owned()),
        (None, _) => Err("the certificate has no SPIFFE ID".to_owned()),
        (Some(_), Some(_)) => Err("the certificate has more than one URI".to_owned()),
    }
}

fn validity(certificate: &CertificateDer<'_>) -> Result<(SystemTime, SystemTime), String> {
    let (_, parsed) =
        x509_parser::parse_x509_certificate(certificate).map_err(|error| format!("not a certificate: {error}"))?;
    let time = |seconds: i64| u64::try_from(seconds).map_or(UNIX_EPOCH, |it| UNIX_EPOCH + Duration::from_secs(it));
    let validity = parsed.validity();
    Ok((time(validity.not_before.timestamp()), time(validity.not_after.timestamp())))
}

/// Parses the certificates of a PEM text. Errors name `place`.
pub(super) fn parse_certificates(place: &str, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, IdentityError> {
    let found = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| IdentityError::unusable(place, error))?;
    if found.is_empty() {
        return Err(IdentityError::unusable(place, "contains no certificate"));
    }
    Ok(found)
}

/// Parses the private key of a PEM text. Errors name `place`.
pub(super) fn parse_key(place: &str, pem: &[u8]) -> Result<PrivateKeyDer<'static>, IdentityError> {
    PrivateKeyDer::from_pem_slice(pem).map_err(|error| IdentityError::unusable(place, error))
}

/// The crypto provider of every TLS connection of this crate.
pub(super) fn crypto() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}
