//! An X.509-SVID with its key and the authorities that it came with, checked once.

use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;

use super::IdentityError;
use super::tls::crypto;

/// An identity that this process can call with.
pub struct X509Identity {
    spiffe_id: String,
    pub(super) chain: Vec<CertificateDer<'static>>,
    pub(super) key: PrivateKeyDer<'static>,
    /// By trust domain.
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
    /// Checks that the chain's leaf has one SPIFFE ID and that the key is the leaf's. `place` is what errors name.
    pub(super) fn new(
        place: &str,
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
        authorities: BTreeMap<String, Vec<CertificateDer<'static>>>,
    ) -> Result<Self, IdentityError> {
        let unusable = |problem: String| IdentityError::unusable(place, problem);
        let Some(leaf) = chain.first() else {
            return Err(unusable("no certificate in it".to_owned()));
        };
        let spiffe_id = one_uri(leaf).map_err(unusable)?;
        spiffe::SpiffeId::new(&spiffe_id)
            .map_err(|error| unusable(format!("{spiffe_id:?} is no SPIFFE ID: {error}")))?;
        let (not_before, not_after) = validity(leaf).map_err(unusable)?;
        CertifiedKey::from_der(chain.clone(), key.clone_key(), &crypto())
            .map_err(|error| unusable(format!("the key does not fit the certificate: {error}")))?;
        Ok(Self { spiffe_id, chain, key, authorities, not_before, not_after })
    }

    /// The id of this process.
    pub fn spiffe_id(&self) -> &str {
        &self.spiffe_id
    }

    pub fn expires_at(&self) -> SystemTime {
        self.not_after
    }

    /// When the source should have a fresh one: in the middle of its life, as SPIRE rotates.
    pub(super) fn stale_at(&self) -> SystemTime {
        let life = self.not_after.duration_since(self.not_before).unwrap_or(Duration::ZERO);
        self.not_before + life / 2
    }

    pub(super) fn authorities(&self, trust_domain: &str) -> Result<&[CertificateDer<'static>], IdentityError> {
        match self.authorities.get(trust_domain) {
            Some(authorities) if !authorities.is_empty() => Ok(authorities),
            Some(_) | None => Err(IdentityError::NoAuthorities(trust_domain.to_owned())),
        }
    }

    /// # Errors
    /// `Expired`.
    pub(super) fn check_alive(&self, now: SystemTime) -> Result<(), IdentityError> {
        if now < self.not_after {
            return Ok(());
        }
        Err(IdentityError::Expired { spiffe_id: self.spiffe_id.clone(), ended_at: self.not_after })
    }
}

/// The only URI among the certificate's alternative names (X.509-SVID, section 2: there is exactly one).
pub(super) fn one_uri(certificate: &CertificateDer<'_>) -> Result<String, String> {
    let certificate =
        webpki::EndEntityCert::try_from(certificate).map_err(|error| format!("no certificate: {error}"))?;
    let mut names = certificate.valid_uri_names();
    match (names.next(), names.next()) {
        (Some(id), None) => Ok(id.to_owned()),
        (None, _) => Err("the certificate has no SPIFFE ID".to_owned()),
        (Some(_), Some(_)) => Err("the certificate has more than one URI".to_owned()),
    }
}

fn validity(certificate: &CertificateDer<'_>) -> Result<(SystemTime, SystemTime), String> {
    let (_, parsed) =
        x509_parser::parse_x509_certificate(certificate).map_err(|error| format!("no certificate: {error}"))?;
    let time = |seconds: i64| u64::try_from(seconds).map_or(UNIX_EPOCH, |it| UNIX_EPOCH + Duration::from_secs(it));
    let validity = parsed.validity();
    Ok((time(validity.not_before.timestamp()), time(validity.not_after.timestamp())))
}

/// The certificates of a PEM text. `place` is what errors name.
pub(super) fn certificates(place: &str, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, IdentityError> {
    let found = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| IdentityError::unusable(place, error))?;
    if found.is_empty() {
        return Err(IdentityError::unusable(place, "no certificate in it"));
    }
    Ok(found)
}

/// The private key of a PEM text.
pub(super) fn key(place: &str, pem: &[u8]) -> Result<PrivateKeyDer<'static>, IdentityError> {
    PrivateKeyDer::from_pem_slice(pem).map_err(|error| IdentityError::unusable(place, error))
}
