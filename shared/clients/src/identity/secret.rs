//! An identity in a secret, for places without a Workload API: Lambda.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use serde::Deserialize;
use tokio::sync::Mutex;

use super::jwt::JwtSvid;
use super::material::{IdentityError, X509Identity, parse_certificates, parse_key};
use super::source::IdentityProvider;

/// Least time between two reads of the secret once half of the certificate's lifetime has passed.
pub const MIN_REREAD: Duration = Duration::from_mins(1);

/// Reads secrets from a vendor's store.
#[async_trait]
pub trait SecretReader: fmt::Debug + Send + Sync {
    /// The value of the secret: the bytes of its string, or its binary.
    ///
    /// # Errors
    /// The store does not respond, or refuses the read.
    async fn read(&self, secret_id: &str) -> Result<Vec<u8>, SecretFault>;
}

/// A failed read of a secret, with its cause.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SecretFault(pub String);

/// An X.509-SVID in the JSON form that SPIRE's `aws_secretsmanager` store writes.
///
/// Read at the first call, and again once half of its lifetime has passed. A failed read does not replace a valid identity.
#[derive(Debug)]
pub struct Secret {
    id: String,
    trust_domain: String,
    reader: Arc<dyn SecretReader>,
    cache: Mutex<Option<Cached>>,
}

#[derive(Debug)]
struct Cached {
    identity: Arc<X509Identity>,
    read_at: SystemTime,
}

/// The fields that SPIRE's store writes (plugin documentation, "Secret format").
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Stored {
    x509_svid: String,
    x509_svid_key: String,
    bundle: String,
    #[serde(default)]
    federated_bundles: BTreeMap<String, String>,
}

impl Secret {
    /// The identity in secret `secret_id`; its bundle holds the authorities of `trust_domain`.
    pub fn new(secret_id: &str, trust_domain: &str, reader: Arc<dyn SecretReader>) -> Self {
        let (id, trust_domain) = (secret_id.to_owned(), trust_domain.to_owned());
        Self { id, trust_domain, reader, cache: Mutex::new(None) }
    }

    async fn read(&self) -> Result<X509Identity, IdentityError> {
        let place = format!("secret {}", self.id);
        let bytes = self.reader.read(&self.id).await.map_err(|error| IdentityError::unavailable(&place, error))?;
        // A JSON parser's error may quote its input, here a private key: report the position only.
        let stored: Stored = serde_json::from_slice(&bytes).map_err(|error| {
            let (line, column) = (error.line(), error.column());
            IdentityError::unusable(&place, format!("not the JSON of an X.509-SVID (line {line}, column {column})"))
        })?;
        let place_of = |field: &str| format!("{place}, field {field}");
        let mut authorities = BTreeMap::from([(
            self.trust_domain.clone(),
            parse_certificates(&place_of("bundle"), stored.bundle.as_bytes())?,
        )]);
        for (domain, bundle) in &stored.federated_bundles {
            let name = domain.strip_prefix("spiffe://").unwrap_or(domain).to_owned();
            authorities.insert(name, parse_certificates(&place_of("federatedBundles"), bundle.as_bytes())?);
        }
        let chain = parse_certificates(&place_of("x509Svid"), stored.x509_svid.as_bytes())?;
        let key = parse_key(&place_of("x509SvidKey"), stored.x509_svid_key.as_bytes())?;
        X509Identity::new(&place_of("x509Svid"), chain, key, authorities)
    }
}

#[async_trait]
impl IdentityProvider for Secret {
    async fn x509(&self) -> Result<Arc<X509Identity>, IdentityError> {
        let now = SystemTime::now();
        let mut cache = self.cache.lock().await;
        if let Some(cached) = cache.as_ref()
            && cached.identity.check_not_expired(now).is_ok()
            && (now < cached.identity.stale_at() || now < cached.read_at + MIN_REREAD)
        {
            return Ok(Arc::clone(&cached.identity));
        }
        let fresh = self.read().await.and_then(|identity| identity.check_not_expired(now).map(|()| identity));
        match (fresh, cache.as_mut()) {
            // Not rotated yet. Keep the same `Arc`: connections compare it to detect a rotation.
            (Ok(fresh), Some(cached)) if fresh.chain == cached.identity.chain => {
                cached.read_at = now;
                Ok(Arc::clone(&cached.identity))
            }
            (Ok(fresh), _) => {
                tracing::info!(spiffe_id = fresh.spiffe_id(), "identity.loaded");
                let identity = Arc::new(fresh);
                *cache = Some(Cached { identity: Arc::clone(&identity), read_at: now });
                Ok(identity)
            }
            (Err(error), Some(cached)) if cached.identity.check_not_expired(now).is_ok() => {
                tracing::warn!(%error, "identity.not_loaded");
                cached.read_at = now;
                Ok(Arc::clone(&cached.identity))
            }
            (Err(error), _) => Err(error),
        }
    }

    async fn jwt(&self, _audience: &str) -> Option<JwtSvid> {
        None
    }
}
