//! `Idempotency-Key`: a request that creates something is repeated without creating a second one.
//!
//! What is created gets an id that is derived from the key and the caller, so the store itself recognises the repetition.

use axum::http::{HeaderMap, StatusCode};

use crate::hash;
use crate::problem::Problem;

const HEADER: &str = "idempotency-key";
/// Longest key, in bytes.
const KEY_BYTES: usize = 255;

/// A caller's key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct IdempotencyKey(String);

impl IdempotencyKey {
    /// The key of a request by `identity`, if it has one.
    ///
    /// # Errors
    /// 422 if it is empty, too long or not text.
    pub(crate) fn read(headers: &HeaderMap, identity: &str) -> Result<Option<Self>, Problem> {
        let Some(value) = headers.get(HEADER) else { return Ok(None) };
        let key = value.to_str().unwrap_or_default().trim();
        if key.is_empty() || key.len() > KEY_BYTES {
            let message = format!("is not a key, expected 1 to {KEY_BYTES} printable ASCII characters");
            return Err(Problem::field("Idempotency-Key", message));
        }
        Ok(Some(Self(format!("{identity}\n{key}"))))
    }

    /// The first `digits` hexadecimal digits of the key's hash, 64 at most.
    pub(crate) fn hex(&self, digits: usize) -> String {
        hash::hex(self.0.as_bytes(), digits)
    }
}

/// 409: the key was used for another request.
pub(crate) fn conflict() -> Problem {
    Problem::new(
        StatusCode::CONFLICT,
        "the Idempotency-Key was used for another request; use a new key for a new request",
    )
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn keys_of_two_callers_never_meet() {
        let mut headers = HeaderMap::new();
        assert_eq!(IdempotencyKey::read(&headers, "local:anna").unwrap(), None);
        headers.insert(HEADER, HeaderValue::from_static("k-1"));
        let key = |identity| IdempotencyKey::read(&headers, identity).unwrap().unwrap().hex(32);
        assert_eq!((key("local:anna").len(), key("local:anna")), (32, key("local:anna")));
        assert_ne!(key("local:anna"), key("local:bob"));
        for wrong in [" ", &"k".repeat(KEY_BYTES + 1)] {
            headers.insert(HEADER, HeaderValue::from_str(wrong).unwrap());
            assert!(IdempotencyKey::read(&headers, "local:anna").is_err());
        }
    }
}
