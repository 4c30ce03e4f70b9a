//! An authority of a SPIFFE trust domain: X.509-SVIDs and JWT-SVIDs for any id, domain and period, right or wrong.

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
/// The orchestrator's SPIFFE id, the one that clients expect by default.
pub const ORCHESTRATOR_ID: &str = "spiffe://neural-hive.local/ns/neural-hive-orchestration/sa/orchestrator-dynamic";

/// How long the authority itself is believed.
const AUTHORITY_LIFE: Duration = Duration::from_hours(24);
/// Certificates begin a little before now, for clocks that differ.
const CLOCK_ERROR: Duration = Duration::from_mins(1);

/// Why the authority cannot issue.
#[derive(Debug, thiserror::Error)]
pub enum CaError {
    /// An id that no certificate can carry.
    #[error("spiffe id `{id}`: not an ASCII URI with the scheme spiffe")]
    Id {
        /// The id asked for.
        id: String,
    },
    /// The period ends before it begins, or begins before 1970.
    #[error("validity: the end is not after the beginning")]
    Validity,
    /// The key or the signature.
    #[error("the certificate cannot be made")]
    Certificate(#[source] rcgen::Error),
    /// The key that signs tokens.
    #[error("the token's key cannot be made or used")]
    TokenKey,
}

/// The authority of one trust domain. Every new one has its own key.
pub struct SpiffeCa {
    trust_domain: String,
    issuer: CertifiedIssuer<'static, KeyPair>,
    tokens: JwtAuthority,
}

/// When a certificate holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// From then on.
    pub not_before: SystemTime,
    /// Until then.
    pub not_after: SystemTime,
}

/// An identity: a certificate of one SPIFFE id, its key, and the authority that vouches for it.
#[derive(Clone, PartialEq, Eq)]
pub struct X509Svid {
    /// The id in the certificate.
    pub spiffe_id: String,
    /// Leaf first.
    pub certificate_chain_pem: String,
    /// PKCS#8.
    pub private_key_pem: String,
    /// The authority's certificate.
    pub trust_bundle_pem: String,
    /// The leaf, DER.
    pub certificate_der: Vec<u8>,
    /// PKCS#8, DER.
    pub private_key_der: Vec<u8>,
}

/// Where an identity was written.
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
    /// A new authority, as `neural-hive.local`.
    pub fn new(trust_domain: &str) -> Result<Self, CaError> {
        let id = format!("spiffe://{trust_domain}");
        let mut params = params(&id, Validity::lasting(AUTHORITY_LIFE), trust_domain)?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().map_err(CaError::Certificate)?;
        let issuer = CertifiedIssuer::self_signed(params, key).map_err(CaError::Certificate)?;
        Ok(Self { trust_domain: trust_domain.to_owned(), issuer, tokens: JwtAuthority::new()? })
    }

    /// The domain's name, without scheme.
    pub fn trust_domain(&self) -> &str {
        &self.trust_domain
    }

    /// The authority's certificate, PEM.
    pub fn trust_bundle_pem(&self) -> String {
        self.issuer.pem()
    }

    /// The authority's certificate, DER.
    pub fn trust_bundle_der(&self) -> &[u8] {
        self.issuer.der()
    }

    /// An identity of `spiffe_id`, which need not be of this authority's domain.
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

    /// A token of `spiffe_id` for `audience`, which begins and ends with `validity`.
    pub fn issue_token(&self, spiffe_id: &str, audience: &[&str], validity: Validity) -> Result<String, CaError> {
        self.tokens.sign(spiffe_id, audience, validity)
    }

    /// The SPIFFE id of a token of this authority that holds now, for `audience`.
    pub fn token_subject(&self, token: &str, audience: &str) -> Result<String, TokenError> {
        self.tokens.subject(token, audience)
    }

    /// The key of this authority's tokens, as a JWK.
    pub(crate) fn token_key(&self) -> serde_json::Value {
        self.tokens.jwk()
    }

    /// What the orchestrator serves with: its own id, valid for an hour, and this authority's clients.
    pub fn orchestrator_tls(&self) -> Result<TlsMaterial, CaError> {
        Ok(self.issue(ORCHESTRATOR_ID, Validity::default())?.server_tls())
    }
}

impl X509Svid {
    /// Material of a server that has this identity and believes clients of the same authority.
    pub fn server_tls(&self) -> TlsMaterial {
        TlsMaterial {
            certificate_chain_pem: self.certificate_chain_pem.clone(),
            private_key_pem: self.private_key_pem.clone(),
            client_authorities_pem: self.trust_bundle_pem.clone(),
        }
    }

    /// Writes chain, key and bundle into `folder`; each file appears whole, so that a reader in between sees the old or
    /// the new one.
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
    fn an_id_that_is_none_and_a_period_that_is_none_are_refused() {
        let ca = SpiffeCa::new(TRUST_DOMAIN).unwrap();
        assert!(matches!(ca.issue("https://a/b", Validity::default()), Err(CaError::Id { .. })));
        assert!(matches!(ca.issue("spiffe://ä/b", Validity::default()), Err(CaError::Id { .. })));
        let now = SystemTime::now();
        let empty = Validity { not_before: now, not_after: now };
        assert!(matches!(ca.issue("spiffe://a/b", empty), Err(CaError::Validity)));
    }

    #[test]
    fn a_token_is_believed_by_its_authority_for_its_audience_in_its_time() {
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
