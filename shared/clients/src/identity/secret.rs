//! An identity in a secret, where no Workload API can be reached: Lambda.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use serde::Deserialize;
use tokio::sync::Mutex;

use super::jwt::JwtSvid;
use super::material::{X509Identity, certificates, key};
use super::{IdentityError, IdentityProvider};

/// Least time between two readings of the secret once the identity is past the middle of its life.
pub const MIN_REREAD: Duration = Duration::from_mins(1);

/// Reads secrets. The implementation knows the vendor.
#[async_trait]
pub trait SecretReader: fmt::Debug + Send + Sync {
    /// The secret's bytes, text or binary.
    async fn read(&self, secret_id: &str) -> Result<Vec<u8>, SecretFault>;
}

/// The secret cannot be read just now.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SecretFault(pub String);

/// An X.509-SVID in the JSON form that SPIRE's `aws_secretsmanager` store writes.
///
/// Read at the first call, and again from the middle of its life on. A failed reading does not replace an identity that holds.
#[derive(Debug)]
pub struct Secret {
    id: String,
    trust_domain: String,
    reader: Arc<dyn SecretReader>,
    known: Mutex<Option<Known>>,
}

#[derive(Debug)]
struct Known {
    identity: Arc<X509Identity>,
    read_at: SystemTime,
}

/// The fields that SPIRE's store writes (its documentation, "Secret format").
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
    pub fn new(secret_id: &str, trust_domain: &str, reader: Arc<dyn SecretReader>) -> Self {
        let (id, trust_domain) = (secret_id.to_owned(), trust_domain.to_owned());
        Self { id, trust_domain, reader, known: Mutex::new(None) }
    }

    async fn read(&self) -> Result<X509Identity, IdentityError> {
        let place = format!("secret {}", self.id);
        let bytes = self.reader.read(&self.id).await.map_err(|fault| IdentityError::unavailable(&place, fault))?;
        // The error of a JSON parser may quote what it found: of a secret only the place is told.
        let stored: Stored = serde_json::from_slice(&bytes).map_err(|error| {
            let (line, column) = (error.line(), error.column());
            IdentityError::unusable(&place, format!("not the JSON of an X.509-SVID (line {line}, column {column})"))
        })?;
        let within = |field: &str| format!("{place}, field {field}");
        let mut authorities =
            BTreeMap::from([(self.trust_domain.clone(), certificates(&within("bundle"), stored.bundle.as_bytes())?)]);
        for (domain, bundle) in &stored.federated_bundles {
            let name = domain.strip_prefix("spiffe://").unwrap_or(domain).to_owned();
            authorities.insert(name, certificates(&within("federatedBundles"), bundle.as_bytes())?);
        }
        let chain = certificates(&within("x509Svid"), stored.x509_svid.as_bytes())?;
        let key = key(&within("x509SvidKey"), stored.x509_svid_key.as_bytes())?;
        X509Identity::new(&within("x509Svid"), chain, key, authorities)
    }
}

#[async_trait]
impl IdentityProvider for Secret {
    async fn x509(&self) -> Result<Arc<X509Identity>, IdentityError> {
        let now = SystemTime::now();
        let mut known = self.known.lock().await;
        if let Some(known) = known.as_ref()
            && known.identity.check_alive(now).is_ok()
            && (now < known.identity.stale_at() || now < known.read_at + MIN_REREAD)
        {
            return Ok(Arc::clone(&known.identity));
        }
        let fresh = self.read().await.and_then(|identity| identity.check_alive(now).map(|()| identity));
        match (fresh, known.as_mut()) {
            // The store has nothing newer yet: the identity stays the same, for whoever compares.
            (Ok(fresh), Some(known)) if fresh.chain == known.identity.chain => {
                known.read_at = now;
                Ok(Arc::clone(&known.identity))
            }
            (Ok(fresh), _) => {
                tracing::info!(spiffe_id = fresh.spiffe_id(), "identity.loaded");
                let identity = Arc::new(fresh);
                *known = Some(Known { identity: Arc::clone(&identity), read_at: now });
                Ok(identity)
            }
            (Err(fault), Some(known)) if known.identity.check_alive(now).is_ok() => {
                tracing::warn!(error = %fault, "identity.not_loaded");
                known.read_at = now;
                Ok(Arc::clone(&known.identity))
            }
            (Err(fault), _) => Err(fault),
        }
    }

    async fn jwt(&self, _audience: &str) -> Option<JwtSvid> {
        None
    }
}
