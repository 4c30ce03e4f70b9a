//! The port that every source of an identity implements, and the source for plain text.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;

use super::jwt::JwtSvid;
use super::material::{IdentityError, X509Identity};

/// A source of this process's identity.
#[async_trait]
pub trait IdentityProvider: fmt::Debug + Send + Sync {
    /// The current X.509 identity; the same `Arc` until it is rotated.
    ///
    /// # Errors
    /// The source has none, or the last one it provided has expired.
    async fn x509(&self) -> Result<Arc<X509Identity>, IdentityError>;

    /// A token for `audience`; `None` if the source cannot issue one now.
    async fn jwt(&self, audience: &str) -> Option<JwtSvid>;

    /// `false` if this source never provides an identity, so that mutual TLS is impossible.
    fn is_configured(&self) -> bool {
        true
    }
}

/// No identity: plain text only.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoIdentity;

#[async_trait]
impl IdentityProvider for NoIdentity {
    async fn x509(&self) -> Result<Arc<X509Identity>, IdentityError> {
        Err(IdentityError::NotConfigured)
    }

    async fn jwt(&self, _audience: &str) -> Option<JwtSvid> {
        None
    }

    fn is_configured(&self) -> bool {
        false
    }
}
