//! Who this process is, and who the server has to be: X.509-SVIDs for mutual TLS, JWT-SVIDs for calls.
//!
//! One [`IdentityProvider`] with four sources: the SPIFFE Workload API, [`PemFiles`], a [`Secret`], or [`NoIdentity`].
//! [`provider`] makes the configured one. What a provider gives is current at that moment; connections are made with it and
//! keep it, so a rotation drops no call.
//!
//! # Guarantees
//! The server's certificate is verified against the authorities of the trust domain of the *expected* id, and has exactly that
//! one id. Names and addresses play no part.

mod error;
mod files;
mod jwt;
mod material;
mod secret;
mod tls;
mod verifier;
#[cfg(feature = "host")]
mod workload;

// What a function has instead; the tests are those of both.
#[cfg(any(test, not(feature = "host")))]
mod function;

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;

pub use error::IdentityError;
pub use files::PemFiles;
pub use jwt::JwtSvid;
pub use material::X509Identity;
pub use secret::{MIN_REREAD, Secret, SecretFault, SecretReader};
#[cfg(feature = "host")]
pub use workload::WorkloadApi;

pub(crate) use tls::{ALPN, client_config, crypto, untrusted};

use crate::config::{IdentityConfig, IdentitySource, keys};
use crate::error::Error;

/// A source of this process's identity.
#[async_trait]
pub trait IdentityProvider: fmt::Debug + Send + Sync {
    /// The identity as it is now; the same `Arc` as long as it does not change.
    ///
    /// # Errors
    /// There is none, or the last one known has ended.
    async fn x509(&self) -> Result<Arc<X509Identity>, IdentityError>;

    /// A token for `audience`, `None` where this source has none just now.
    async fn jwt(&self, audience: &str) -> Option<JwtSvid>;

    /// Whether there is an identity to be had at all.
    fn is_configured(&self) -> bool {
        true
    }
}

/// Nobody: plain text only.
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

/// The configured source. Nothing is read before it is needed. `secrets` is needed where the source is Secrets Manager.
///
/// # Errors
/// `Invalid`, naming the variable, where the source needs what is not given.
pub fn provider(
    config: &IdentityConfig,
    secrets: Option<Arc<dyn SecretReader>>,
) -> Result<Arc<dyn IdentityProvider>, Error> {
    Ok(match &config.source {
        #[cfg(feature = "host")]
        IdentitySource::WorkloadApi { socket } => Arc::new(WorkloadApi::new(socket)),
        #[cfg(not(feature = "host"))]
        IdentitySource::WorkloadApi { socket } => Arc::new(function::NoAgent::new(socket)),
        IdentitySource::Files(paths) => Arc::new(PemFiles::new(paths.clone(), &config.trust_domain)),
        IdentitySource::SecretsManager { secret_id } => {
            let Some(secrets) = secrets else {
                let problem = "is secrets_manager, but there is nothing to read secrets with".to_owned();
                return Err(Error::Invalid { field: keys::ENV_SPIFFE_SOURCE, problem });
            };
            Arc::new(Secret::new(secret_id, &config.trust_domain, secrets))
        }
        IdentitySource::None => Arc::new(NoIdentity),
    })
}
