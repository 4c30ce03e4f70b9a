//! The issuer's discovery document and keys, fetched when they are needed and kept for a bounded time.
//!
//! An issuer rotates its keys: a token with an unknown key makes the keys be fetched again, at most once in [`AGAIN_MS`], so that tokens of
//! nobody cannot make this server call the issuer all the time. If the issuer is away, the keys it had stay for [`KEPT_MS`].

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use axum::body::Bytes;
use heal_engine::Timestamp;
use heal_engine::text::chain;
use heal_http::{Answer, Client, Options, TlsError};
use heal_runtime::port::Clock;
use jsonwebtoken::jwk::{Jwk, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::sync::Mutex;

use super::TokenError;

/// Longest time for one call of the issuer.
pub const CALL_TIMEOUT: Duration = Duration::from_secs(5);
/// How long keys are used before they are fetched again, in milliseconds: 1 hour.
pub const FRESH_MS: u64 = 3_600_000;
/// How long keys are used if the issuer does not answer, in milliseconds: 1 day.
pub const KEPT_MS: u64 = 86_400_000;
/// The shortest time between two fetches, in milliseconds.
pub const AGAIN_MS: u64 = 10_000;
/// Largest answer of the issuer, in bytes.
pub const ANSWER_BYTES: usize = 256 * 1024;
/// Keys of one issuer.
pub const KEYS: usize = 100;

const OPTIONS: Options = Options { body_bytes: ANSWER_BYTES, connect_time: CALL_TIMEOUT, idle: 2 };

/// Calls the issuer.
#[derive(Debug, Clone)]
pub(crate) struct IssuerClient(Client);

/// Why a call of the issuer has no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CallError {
    /// It has none.
    #[error("the call failed")]
    Call(#[from] heal_http::Error),
    /// It takes too long.
    #[error("no answer within {} s", CALL_TIMEOUT.as_secs())]
    Late,
    /// It is too long.
    #[error("the answer has more than {ANSWER_BYTES} bytes")]
    TooLarge,
}

impl IssuerClient {
    pub(crate) async fn send(&self, request: http::Request<Bytes>) -> Result<Answer, CallError> {
        let answer = tokio::time::timeout(CALL_TIMEOUT, self.0.send(request)).await.map_err(|_| CallError::Late)??;
        if answer.is_cut { Err(CallError::TooLarge) } else { Ok(answer) }
    }
}

/// Where the issuer's services are.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Endpoints {
    issuer: String,
    jwks_uri: String,
    /// Where people sign in.
    pub authorization_endpoint: Option<String>,
    /// Where a code becomes a token.
    pub token_endpoint: Option<String>,
}

#[derive(Debug, Clone)]
struct Known {
    endpoints: Endpoints,
    keys: Vec<Jwk>,
    at: Timestamp,
}

/// The keys of one issuer.
pub(super) struct Keys {
    issuer: String,
    http: IssuerClient,
    clock: Arc<dyn Clock>,
    known: RwLock<Option<Arc<Known>>>,
    /// The time of the last fetch, whether it succeeded or not. Held while fetching: one fetch at a time.
    fetched: Mutex<Option<Timestamp>>,
}

impl Keys {
    pub(super) fn new(issuer: &str, clock: Arc<dyn Clock>) -> Result<Self, TlsError> {
        let http = IssuerClient(Client::new(OPTIONS, issuer.starts_with("http://"))?);
        let (known, fetched) = (RwLock::default(), Mutex::default());
        Ok(Self { issuer: issuer.to_owned(), http, clock, known, fetched })
    }

    pub(super) const fn http(&self) -> &IssuerClient {
        &self.http
    }

    pub(super) async fn endpoints(&self) -> Result<Endpoints, TokenError> {
        let known = match self.known() {
            Some(known) if self.age_ms(&known) < FRESH_MS => known,
            Some(_) | None => self.fetch().await?,
        };
        Ok(known.endpoints.clone())
    }

    /// The key of this id for this algorithm; without an id, the only one of its kind.
    pub(super) async fn find(&self, id: Option<&str>, algorithm: Algorithm) -> Result<DecodingKey, TokenError> {
        if let Some(known) = self.known().filter(|known| self.age_ms(known) < FRESH_MS)
            && let Some(key) = known.find(id, algorithm)
        {
            return Ok(key);
        }
        self.fetch().await?.find(id, algorithm).ok_or(TokenError::NoKey)
    }

    fn known(&self) -> Option<Arc<Known>> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn age_ms(&self, known: &Known) -> u64 {
        self.clock.now().since_ms(known.at)
    }

    /// The keys as they are now, or as they were if they were fetched a moment ago or the issuer does not answer.
    async fn fetch(&self) -> Result<Arc<Known>, TokenError> {
        let mut fetched = self.fetched.lock().await;
        let now = self.clock.now();
        let kept = self.known().filter(|known| self.age_ms(known) < KEPT_MS);
        if fetched.is_some_and(|at| now.since_ms(at) < AGAIN_MS) {
            let detail = "the last try failed, and the next one is due within 10 s".to_owned();
            return kept.ok_or(TokenError::NoKeys { detail });
        }
        *fetched = Some(now);
        match self.call(now).await {
            Ok(known) => {
                let known = Arc::new(known);
                *self.known.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&known));
                Ok(known)
            }
            Err(detail) => {
                tracing::warn!(issuer = self.issuer, detail, kept = kept.is_some(), "failed to read the issuer's keys");
                kept.ok_or(TokenError::NoKeys { detail })
            }
        }
    }

    async fn call(&self, now: Timestamp) -> Result<Known, String> {
        let discovery = format!("{}/.well-known/openid-configuration", self.issuer.trim_end_matches('/'));
        let endpoints: Endpoints = self.get(&discovery).await?;
        if endpoints.issuer != self.issuer {
            return Err(format!("{discovery} is of the issuer `{}`, expected `{}`", endpoints.issuer, self.issuer));
        }
        let is_plain = endpoints.jwks_uri.starts_with("http:") && !self.issuer.starts_with("http:");
        if is_plain {
            return Err(format!("{discovery} names the keys at `{}`, expected HTTPS", endpoints.jwks_uri));
        }
        // A key of a kind that the library does not know would otherwise make all of them unreadable.
        let set: KeySet = self.get(&endpoints.jwks_uri).await?;
        let keys = set.keys.into_iter().filter_map(|key| serde_json::from_value(key).ok()).take(KEYS).collect();
        Ok(Known { endpoints, keys, at: now })
    }

    async fn get<T: DeserializeOwned>(&self, url: &str) -> Result<T, String> {
        let failed = |why: String| format!("GET {url} failed: {why}");
        let request = http::Request::get(url).body(Bytes::new()).map_err(|error| failed(error.to_string()))?;
        let answer = self.http.send(request).await.map_err(|error| failed(chain(&error)))?;
        if !answer.status.is_success() {
            return Err(failed(format!("it answered {}", answer.status)));
        }
        serde_json::from_slice(&answer.body).map_err(|error| format!("{url} is not what OIDC says: {error}"))
    }
}

#[derive(Debug, Deserialize)]
struct KeySet {
    keys: Vec<serde_json::Value>,
}

impl Known {
    fn find(&self, id: Option<&str>, algorithm: Algorithm) -> Option<DecodingKey> {
        let mut fitting = self.keys.iter().filter(|key| is_for(key, algorithm)).filter_map(|key| {
            let is_named = id.is_none_or(|id| key.common.key_id.as_deref() == Some(id));
            DecodingKey::from_jwk(key).ok().filter(|key| is_named && key.family() == algorithm.family())
        });
        let first = fitting.next()?;
        // Without an id, two keys are a guess.
        (id.is_some() || fitting.next().is_none()).then_some(first)
    }
}

/// Whether the issuer lets this key sign with `algorithm`.
fn is_for(key: &Jwk, algorithm: Algorithm) -> bool {
    let signs = !matches!(key.common.public_key_use, Some(PublicKeyUse::Encryption));
    let named = key.common.key_algorithm.is_none_or(|named| named.to_string() == format!("{algorithm:?}"));
    signs && named
}

#[cfg(test)]
mod tests {
    use jsonwebtoken::jwk::JwkSet;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_shared_secret_among_the_keys_verifies_nothing() {
        let keys: JwkSet =
            serde_json::from_value(json!({"keys": [{"kty": "oct", "kid": "a", "k": "c2VjcmV0"}]})).unwrap();
        let endpoints = Endpoints {
            issuer: String::new(),
            jwks_uri: String::new(),
            authorization_endpoint: None,
            token_endpoint: None,
        };
        let known = Known { endpoints, keys: keys.keys, at: Timestamp(0) };
        for algorithm in [Algorithm::RS256, Algorithm::ES256, Algorithm::EdDSA] {
            assert!(known.find(Some("a"), algorithm).is_none() && known.find(None, algorithm).is_none());
        }
    }
}
