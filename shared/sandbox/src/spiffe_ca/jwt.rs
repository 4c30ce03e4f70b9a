//! JWT-SVIDs: tokens for a SPIFFE id and an audience, signed with ES256.

use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair, UnparsedPublicKey,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::{CaError, Validity};

/// The length of one coordinate of a P-256 point, in bytes.
const COORDINATE_BYTES: usize = 32;

/// Why a token is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// The token is not three base64url parts with the expected claims.
    #[error("token: not a JWT-SVID")]
    Form,
    /// Another key signed the token.
    #[error("token: not signed by this authority")]
    Signature,
    /// The token is for another audience.
    #[error("token: not for the audience `{expected}`")]
    Audience {
        /// The expected audience.
        expected: String,
    },
    /// The token has expired or is not valid yet.
    #[error("token: expired or not valid yet")]
    Expired,
}

/// The key that signs the tokens of a trust domain.
pub(super) struct JwtAuthority {
    key: EcdsaKeyPair,
    key_id: String,
}

impl JwtAuthority {
    pub(super) fn new() -> Result<Self, CaError> {
        let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).map_err(|_| CaError::TokenKey)?;
        let point = key.public_key().as_ref();
        let key_id = URL_SAFE_NO_PAD.encode(point.get(1..17).unwrap_or_default());
        Ok(Self { key, key_id })
    }

    pub(super) fn sign(&self, spiffe_id: &str, audience: &[&str], validity: Validity) -> Result<String, CaError> {
        let header = json!({"alg": "ES256", "kid": self.key_id, "typ": "JWT"});
        let claims = json!({
            "sub": spiffe_id,
            "aud": audience,
            "iat": epoch_seconds(validity.not_before)?,
            "exp": epoch_seconds(validity.not_after)?,
        });
        let signed = format!("{}.{}", encode(&header), encode(&claims));
        let signature = self.key.sign(&SystemRandom::new(), signed.as_bytes()).map_err(|_| CaError::TokenKey)?;
        Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }

    /// The public key as a JWK.
    pub(super) fn jwk(&self) -> Value {
        // The point is uncompressed: one byte 4, then both coordinates.
        let point = self.key.public_key().as_ref().get(1..).unwrap_or_default();
        let (x, y) = point.split_at_checked(COORDINATE_BYTES).unwrap_or_default();
        json!({
            "kty": "EC",
            "use": "jwt-svid",
            "crv": "P-256",
            "kid": self.key_id,
            "x": URL_SAFE_NO_PAD.encode(x),
            "y": URL_SAFE_NO_PAD.encode(y),
        })
    }

    pub(super) fn subject(&self, token: &str, audience: &str) -> Result<String, TokenError> {
        let (signed, signature) = token.rsplit_once('.').ok_or(TokenError::Form)?;
        let (_, claims) = signed.split_once('.').ok_or(TokenError::Form)?;
        let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| TokenError::Form)?;
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, self.key.public_key().as_ref())
            .verify(signed.as_bytes(), &signature)
            .map_err(|_| TokenError::Signature)?;
        let claims = URL_SAFE_NO_PAD.decode(claims).map_err(|_| TokenError::Form)?;
        let claims: Value = serde_json::from_slice(&claims).map_err(|_| TokenError::Form)?;
        let for_us = |aud: &Value| aud.as_array().is_some_and(|all| all.iter().any(|one| one == audience));
        if !claims.get("aud").is_some_and(for_us) {
            return Err(TokenError::Audience { expected: audience.to_owned() });
        }
        let now = epoch_seconds(SystemTime::now()).map_err(|_| TokenError::Expired)?;
        let time = |name: &str| claims.get(name).and_then(Value::as_u64).ok_or(TokenError::Form);
        if now < time("iat")? || now >= time("exp")? {
            return Err(TokenError::Expired);
        }
        claims.get("sub").and_then(Value::as_str).map(str::to_owned).ok_or(TokenError::Form)
    }
}

fn encode(json: &Value) -> String {
    URL_SAFE_NO_PAD.encode(json.to_string())
}

fn epoch_seconds(time: SystemTime) -> Result<u64, CaError> {
    let since = time.duration_since(UNIX_EPOCH).map_err(|_| CaError::Validity)?;
    Ok(since.as_secs())
}
