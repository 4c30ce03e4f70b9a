//! The authority of a SPIFFE trust domain: issues X.509-SVIDs and JWT-SVIDs for any id, domain and period, valid or not.

mod jwt;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rcgen::string::Ia5String;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose, SanType,
};

pub use jwt::TokenError;

use crate::tls::TlsMaterial;
use jwt::JwtAuthority;

/// The platform's trust domain.
pub const TRUST_DOMAIN: &str = "neural-hive.local";
/// The SPIFFE id of the orchestrator, which clients expect by default.
pub const ORCHESTRATOR_ID: &str = "spiffe://neural-hive.local/ns/neural-hive-orchestration/sa/orchestrator-dynamic";

/// The lifetime of the authority's own certificate.
const AUTHORITY_LIFE: Duration = Duration::from_hours(24);
/// Certificates are valid from this long ago, for clocks that differ.
const CLOCK_ERROR: Duration = Duration::from_mins(1);

/// Why the authority cannot issue an identity.
#[derive(Debug, thiserror::Error)]
pub enum CaError {
    /// A certificate cannot carry this id.
    #[error("spiffe id `{id}`: not an ASCII URI with the scheme spiffe")]
    Id {
        /// The requested id.
        id: String,
    },
    /// The period ends before it begins, or begins before 1970.
    #[error("validity: the end is not after the beginning")]
    Validity,
    /// Generating the key or signing the certificate failed.
    #[error("failed to create the certificate")]
    Certificate(#[source] rcgen::Error),
    /// Generating or using the key that signs tokens failed.
    #[error("failed to create or use the signing key of tokens")]
    TokenKey,
}

/// The authority of one trust domain, with a key of its own.
pub struct SpiffeCa {
    trust_domain: String,
    issuer: CertifiedIssuer<'static, KeyPair>,
    tokens: JwtAuthority,
}

/// The validity period of a certificate or token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// The beginning.
    pub not_before: SystemTime,
    /// The end.
    pub not_after: SystemTime,
}

/// An identity: a certificate for one SPIFFE id, its key, and the authority that issued it.
#[derive(Clone, PartialEq, Eq)]
pub struct X509Svid {
    /// The id in the certificate.
    pub spiffe_id: String,
    /// The certificate chain in PEM, leaf first.
    pub certificate_chain_pem: String,
    /// The key in PEM, PKCS#8.
    pub private_key_pem: String,
    /// The certificate of the authority in PEM.
    pub trust_bundle_pem: String,
    /// The leaf certificate in DER.
    pub certificate_der: Vec<u8>,
    /// The key in DER, PKCS#8.
    pub private_key_der: Vec<u8>,
}

/// The files that an identity was written to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PemFiles {
    /// `svid.pem`.
    pub certificate_chain: PathBuf,
    /// `svid_key.pem`.
    pub private_key: PathBuf,
    /// `bundle.pem`.
    pub trust_bundle: PathBuf,
}

impl fmt::Debug for SpiffeCa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SpiffeCa").field("trust_domain", &self.trust_domain).finish_non_exhaustive()
    }
}

impl fmt::Debug for X509Svid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("X509Svid").field("spiffe_id", &self.spiffe_id).finish_non_exhaustive()
    }
}

impl Validity {
    /// From a minute ago until `life` from now.
    pub fn lasting(life: Duration) -> Self {
        let now = SystemTime::now();
        Self { not_before: now - CLOCK_ERROR, not_after: now + life }
    }

    /// An hour that ended a minute ago.
    pub fn expired() -> Self {
        let not_after = SystemTime::now() - CLOCK_ERROR;
        Self { not_before: not_after - Duration::from_hours(1), not_after }
    }

    /// An hour that begins an hour from now.
    pub fn not_yet() -> Self {
        let not_before = SystemTime::now() + Duration::from_hours(1);
        Self { not_before, not_after: not_before + Duration::from_hours(1) }
    }
}

impl Default for Validity {
    /// One hour, as SPIRE issues.
    fn default() -> Self {
        Self::lasting(Duration::from_hours(1))
    }
}

impl SpiffeCa {
    /// A new authority for a trust domain such as `neural-hive.local`.
    pub fn new(trust_domain: &str) -> Result<Self, CaError> {
        let id = format!("spiffe://{trust_domain}");
        let mut params = params(&id, Validity::lasting(AUTHORITY_LIFE), trust_domain)?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().map_err(CaError::Certificate)?;
        let issuer = CertifiedIssuer::self_signed(params, key).map_err(CaError::Certificate)?;
        Ok(Self { trust_domain: trust_domain.to_owned(), issuer, tokens: JwtAuthority::new()? })
    }

    /// The trust domain, without a scheme.
    pub fn trust_domain(&self) -> &str {
        &self.trust_domain
    }

    /// The certificate of the authority in PEM.
    pub fn trust_bundle_pem(&self) -> String {
        self.issuer.pem()
    }

    /// The certificate of the authority in DER.
    pub fn trust_bundle_der(&self) -> &[u8] {
        self.issuer.der()
    }

    /// Issues an identity for `spiffe_id`, which need not be in this trust domain.
    pub fn issue(&self, spiffe_id: &str, validity: Validity) -> Result<X509Svid, CaError> {
        let mut params = params(spiffe_id, validity, "workload")?;
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        params.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate().map_err(CaError::Certificate)?;
        let leaf = params.signed_by(&key, &self.issuer).map_err(CaError::Certificate)?;
        Ok(X509Svid {
            spiffe_id: spiffe_id.to_owned(),
            certificate_chain_pem: leaf.pem(),
            private_key_pem: key.serialize_pem(),
            trust_bundle_pem: self.trust_bundle_pem(),
            certificate_der: leaf.der().to_vec(),
            private_key_der: key.serialize_der(),
        })
    }

    /// Issues a token for `spiffe_id` and `audience`, valid during `validity`.
    pub fn issue_token(&self, spiffe_id: &str, audience: &[&str], validity: Validity) -> Result<String, CaError> {
        self.tokens.sign(spiffe_id, audience, validity)
    }

    /// Verifies a token of this authority for `audience` and returns its SPIFFE id.
    pub fn token_subject(&self, token: &str, audience: &str) -> Result<String, TokenError> {
        self.tokens.subject(token, audience)
    }

    /// The public key of this authority's tokens as a JWK.
    pub(crate) fn token_key(&self) -> serde_json::Value {
        self.tokens.jwk()
    }

    /// The TLS material of the orchestrator: its own id, valid for an hour, trusting clients of this authority.
    pub fn orchestrator_tls(&self) -> Result<TlsMaterial, CaError> {
        Ok(self.issue(ORCHESTRATOR_ID, Validity::default())?.server_tls())
    }
}

impl X509Svid {
    /// The TLS material of a server with this identity that trusts clients of the same authority.
    pub fn server_tls(&self) -> TlsMaterial {
        TlsMaterial {
            certificate_chain_pem: self.certificate_chain_pem.clone(),
            private_key_pem: self.private_key_pem.clone(),
            client_authorities_pem: self.trust_bundle_pem.clone(),
        }
    }

    /// Writes chain, key and bundle into `folder`. Each file is replaced atomically: a concurrent reader sees the old or
    /// the new content.
    pub fn write_pem_files(&self, folder: &Path) -> io::Result<PemFiles> {
        let write = |name: &str, text: &str| {
            let (path, draft) = (folder.join(name), folder.join(format!("{name}.new")));
            std::fs::write(&draft, text)?;
            std::fs::rename(&draft, &path)?;
            Ok::<_, io::Error>(path)
        };
        Ok(PemFiles {
            trust_bundle: write("bundle.pem", &self.trust_bundle_pem)?,
            private_key: write("svid_key.pem", &self.private_key_pem)?,
            certificate_chain: write("svid.pem", &self.certificate_chain_pem)?,
        })
    }
}

fn params(spiffe_id: &str, validity: Validity, name: &str) -> Result<CertificateParams, CaError> {
    let wrong = || CaError::Id { id: spiffe_id.to_owned() };
    if !spiffe_id.starts_with("spiffe://") {
        return Err(wrong());
    }
    if validity.not_after <= validity.not_before {
        return Err(CaError::Validity);
    }
    let since_epoch = |time: SystemTime| time.duration_since(UNIX_EPOCH).map_err(|_| CaError::Validity);
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    let mut params = CertificateParams::default();
    params.not_before = epoch + since_epoch(validity.not_before)?;
    params.not_after = epoch + since_epoch(validity.not_after)?;
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::OrganizationName, "neural-hive");
    params.distinguished_name.push(DnType::CommonName, name);
    let uri = Ia5String::try_from(spiffe_id).map_err(|_| wrong())?;
    params.subject_alt_names = vec![SanType::URI(uri)];
    Ok(params)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invalid_id_and_an_empty_period_are_refused() {
        let ca = SpiffeCa::new(TRUST_DOMAIN).unwrap();
        assert!(matches!(ca.issue("https://a/b", Validity::default()), Err(CaError::Id { .. })));
        assert!(matches!(ca.issue("spiffe://ä/b", Validity::default()), Err(CaError::Id { .. })));
        let now = SystemTime::now();
        let empty = Validity { not_before: now, not_after: now };
        assert!(matches!(ca.issue("spiffe://a/b", empty), Err(CaError::Validity)));
    }

    #[test]
    fn a_token_is_accepted_only_by_its_authority_for_its_audience_while_valid() {
        let ca = SpiffeCa::new("a").unwrap();
        let token = ca.issue_token("spiffe://a/b", &["x", "y"], Validity::default()).unwrap();
        assert_eq!(ca.token_subject(&token, "y").unwrap(), "spiffe://a/b");
        assert_eq!(ca.token_subject(&token, "z"), Err(TokenError::Audience { expected: "z".to_owned() }));
        let other = SpiffeCa::new("a").unwrap();
        assert_eq!(other.token_subject(&token, "y"), Err(TokenError::Signature));
        for validity in [Validity::expired(), Validity::not_yet()] {
            let token = ca.issue_token("spiffe://a/b", &["y"], validity).unwrap();
            assert_eq!(ca.token_subject(&token, "y"), Err(TokenError::Expired));
        }
        for wrong in ["", "a", "a.b", "a.b.!"] {
            assert_eq!(ca.token_subject(wrong, "y"), Err(TokenError::Form));
        }
    }

    #[test]
    fn secrets_are_not_in_the_debug_form() {
        let svid = SpiffeCa::new("a").unwrap().issue("spiffe://a/b", Validity::default()).unwrap();
        let shown = format!("{svid:?} {:?}", svid.server_tls());
        assert!(!shown.contains("PRIVATE KEY"), "{shown}");
    }

    #[test]
    fn an_identity_is_written_as_three_files() {
        let folder = tempfile::tempdir().unwrap();
        let svid = SpiffeCa::new("a").unwrap().issue("spiffe://a/b", Validity::default()).unwrap();
        let files = svid.write_pem_files(folder.path()).unwrap();
        assert_eq!(std::fs::read_to_string(files.private_key).unwrap(), svid.private_key_pem);
        assert_eq!(std::fs::read_to_string(files.trust_bundle).unwrap(), svid.trust_bundle_pem);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 3);
    }
}
