//! Tokens of an OIDC issuer: signature, issuer, audience and time, and the role that follows from a claim.
//!
//! The issuer's keys come from its discovery document (`keys`). The algorithm is one of a list of signatures that only the issuer can make,
//! and has to be of the key's own kind: a token cannot choose how it is verified.

mod keys;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use heal_runtime::port::Clock;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde_json::Value;

use super::DoorsError;
use crate::caller::Role;
use keys::Keys;

pub(super) use keys::{CallError, Endpoints, IssuerClient};

/// Longest token that is read, in bytes.
pub const TOKEN_BYTES: usize = 16 * 1024;
/// Longest value of the claim that identifies a caller, in bytes.
pub const SUBJECT_BYTES: usize = 256;

/// An issuer, and what its tokens mean here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Oidc {
    /// The issuer's URL, exactly as its tokens name it in `iss`.
    pub issuer: String,
    /// The value of `aud` in tokens for this API.
    pub audience: String,
    /// Accepted signatures.
    pub algorithms: Vec<Algorithm>,
    /// How far the issuer's clock may be off, in seconds.
    pub leeway_seconds: u64,
    /// The claim that identifies a caller, such as `sub` or `email`.
    pub identity_claim: String,
    /// The claim that says what a caller may do.
    pub roles: RoleClaim,
    /// How people sign in with a browser; `None`: they do not.
    pub client: Option<Client>,
}

/// A claim, and the role of each of its values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleClaim {
    /// Such as `groups`. Its value is a text or a list of texts.
    pub claim: String,
    /// The role of each value; of several, the highest holds.
    pub map: BTreeMap<String, Role>,
}

/// This server as a client of the issuer.
#[derive(Clone, PartialEq, Eq)]
pub struct Client {
    /// Its id.
    pub id: String,
    /// Its secret; a public client has none.
    pub secret: Option<String>,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("id", &self.id).finish_non_exhaustive()
    }
}

impl RoleClaim {
    /// The highest role of the claim's values; API Gateway writes a list as `[a b]`.
    pub fn role(&self, claims: &Value) -> Option<Role> {
        let values: Vec<&str> = match claims.get(&self.claim)? {
            Value::Array(items) => items.iter().filter_map(Value::as_str).collect(),
            Value::String(text) => {
                let listed = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
                listed.map_or_else(|| vec![text.as_str()], |listed| listed.split([' ', ',']).collect())
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => Vec::new(),
        };
        values.into_iter().filter_map(|value| self.map.get(value).copied()).max()
    }
}

/// Why a token is refused. No text of the token is in it.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The token has too many bytes.
    #[error("the token has more than {TOKEN_BYTES} bytes")]
    TooLarge,
    /// It is not a token, or its algorithm is none that this library knows, such as `none`.
    #[error("the token is not a signed JWT of a known algorithm")]
    NotAToken(#[source] jsonwebtoken::errors::Error),
    /// Its algorithm is not in the list.
    #[error("the token is signed with {algorithm:?}, which is not in `algorithms`")]
    Algorithm {
        /// The token's own.
        algorithm: Algorithm,
    },
    /// The issuer has no key of this id and kind.
    #[error("the issuer has no key of the token's id and algorithm")]
    NoKey,
    /// The issuer's keys cannot be read.
    #[error("the issuer's keys cannot be read: {detail}")]
    NoKeys {
        /// Which call failed, and how.
        detail: String,
    },
    /// The signature, the issuer or the audience is wrong.
    #[error("the token does not hold: {0}")]
    Invalid(jsonwebtoken::errors::Error),
    /// It is not valid at this time.
    #[error("the token {what}")]
    Time {
        /// `has expired`, and the like.
        what: &'static str,
    },
    /// A claim that identifies its bearer is missing or unusable.
    #[error("the token's claim `{claim}` {what}")]
    Claim {
        /// Its name.
        claim: String,
        /// What is wrong with it.
        what: &'static str,
    },
}

/// One issuer, with its keys.
pub(crate) struct Issuer {
    oidc: Oidc,
    keys: Keys,
    clock: Arc<dyn Clock>,
}

impl Issuer {
    pub(super) fn new(oidc: Oidc, clock: Arc<dyn Clock>) -> Result<Self, DoorsError> {
        let keys = Keys::new(&oidc.issuer, Arc::clone(&clock)).map_err(DoorsError::Client)?;
        Ok(Self { oidc, keys, clock })
    }

    /// This server as a client, if people sign in.
    pub(super) const fn client(&self) -> Option<&Client> {
        self.oidc.client.as_ref()
    }

    pub(super) async fn endpoints(&self) -> Result<Endpoints, TokenError> {
        self.keys.endpoints().await
    }

    pub(super) const fn http(&self) -> &IssuerClient {
        self.keys.http()
    }

    /// The claims of `token`. With a `nonce` it has to be an ID token for this server as a client, otherwise a token for the API.
    ///
    /// # Errors
    /// The token does not hold, or the issuer's keys cannot be read.
    pub(super) async fn verify(&self, token: &str, nonce: Option<&str>) -> Result<Value, TokenError> {
        if token.len() > TOKEN_BYTES {
            return Err(TokenError::TooLarge);
        }
        let header = jsonwebtoken::decode_header(token).map_err(TokenError::NotAToken)?;
        if !self.oidc.algorithms.contains(&header.alg) {
            return Err(TokenError::Algorithm { algorithm: header.alg });
        }
        let key = self.keys.find(header.kid.as_deref(), header.alg).await?;
        let claims = self.claims(token, &key, header.alg, nonce.is_some())?;
        self.check_time(&claims)?;
        if nonce.is_some_and(|nonce| claims.get("nonce").and_then(Value::as_str) != Some(nonce)) {
            return Err(TokenError::Claim { claim: "nonce".to_owned(), what: "is not that of this sign-in" });
        }
        Ok(claims)
    }

    fn claims(&self, token: &str, key: &DecodingKey, algorithm: Algorithm, is_id: bool) -> Result<Value, TokenError> {
        let mut validation = Validation::new(algorithm);
        let audience = if is_id { self.oidc.client.as_ref().map(|client| &client.id) } else { None };
        validation.set_audience(&[audience.unwrap_or(&self.oidc.audience)]);
        validation.set_issuer(&[&self.oidc.issuer]);
        validation.set_required_spec_claims(&["exp", "iss", "aud"]);
        // Times are compared with the port's clock.
        validation.validate_exp = false;
        let data = jsonwebtoken::decode::<Value>(token, key, &validation).map_err(TokenError::Invalid)?;
        Ok(data.claims)
    }

    fn check_time(&self, claims: &Value) -> Result<(), TokenError> {
        let seconds = |claim: &str| claims.get(claim).and_then(Value::as_f64);
        let now = std::time::Duration::from_millis(self.clock.now().0).as_secs_f64();
        let leeway = std::time::Duration::from_secs(self.oidc.leeway_seconds).as_secs_f64();
        let expires =
            seconds("exp").ok_or_else(|| TokenError::Claim { claim: "exp".to_owned(), what: "is not a time" })?;
        if now >= expires + leeway {
            return Err(TokenError::Time { what: "has expired" });
        }
        if seconds("nbf").is_some_and(|from| now + leeway < from) {
            return Err(TokenError::Time { what: "is not valid yet" });
        }
        Ok(())
    }

    /// `oidc:SUBJECT`.
    pub(super) fn identity(&self, claims: &Value) -> Result<String, TokenError> {
        let claim = &self.oidc.identity_claim;
        let wrong = |what| Err(TokenError::Claim { claim: claim.clone(), what });
        let Some(subject) = claims.get(claim).and_then(Value::as_str) else {
            return wrong("is missing, or is not a text");
        };
        // Whoever may write any address into a profile would be whom they like.
        if claim == "email" && claims.get("email_verified") != Some(&Value::Bool(true)) {
            return wrong("is not verified by the issuer (`email_verified`)");
        }
        if subject.trim().is_empty() || subject.len() > SUBJECT_BYTES || subject.chars().any(char::is_control) {
            return wrong("is empty, too long, or has control characters");
        }
        Ok(format!("oidc:{subject}"))
    }

    pub(super) fn role(&self, claims: &Value) -> Option<Role> {
        self.oidc.roles.role(claims)
    }

    pub(super) fn role_claim(&self) -> &str {
        &self.oidc.roles.claim
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_highest_role_of_the_claim_holds() {
        let map = BTreeMap::from([("dev".to_owned(), Role::Viewer), ("sre".to_owned(), Role::Approver)]);
        let roles = RoleClaim { claim: "groups".to_owned(), map };
        let cases = [
            (json!({"groups": ["dev", "sre", "x"]}), Some(Role::Approver)),
            (json!({"groups": "dev"}), Some(Role::Viewer)),
            (json!({"groups": "[dev sre]"}), Some(Role::Approver)),
            (json!({"groups": ["x"]}), None),
            (json!({"groups": {"sre": true}}), None),
            (json!({"roles": ["sre"]}), None),
            (Value::Null, None),
        ];
        for (claims, role) in cases {
            assert_eq!(roles.role(&claims), role, "{claims}");
        }
    }
}
