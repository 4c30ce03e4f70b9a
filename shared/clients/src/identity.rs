//! The identity of this process and of the servers it calls: X.509-SVIDs for mutual TLS, JWT-SVIDs for single calls.
//!
//! One port, [`IdentityProvider`], with four sources: the SPIFFE Workload API, [`PemFiles`], a [`Secret`] and [`NoIdentity`].
//! [`provider`] makes the configured one. A connection keeps the identity that it was opened with, so a rotation drops no call.
//!
//! # Guarantees
//! The server's certificate is verified against the trust bundle of the *expected* SPIFFE ID's trust domain, and must carry
//! exactly that one ID. Host names and addresses are not compared.

mod files;
mod jwt;
mod material;
mod secret;
mod source;
mod tls;
mod verifier;
#[cfg(feature = "host")]
mod workload;

// Replaces `workload` in a function; compiled under `host` for its tests only.
#[cfg(any(test, not(feature = "host")))]
mod function;

use std::sync::Arc;

pub use files::PemFiles;
pub use jwt::JwtSvid;
pub use material::{IdentityError, X509Identity};
pub use secret::{MIN_REREAD, Secret, SecretFault, SecretReader};
pub use source::{IdentityProvider, NoIdentity};
#[cfg(feature = "host")]
pub use workload::WorkloadApi;

pub(crate) use tls::{ALPN, client_config};
pub(crate) use verifier::WrongServer;

use crate::config::{IdentityConfig, IdentitySource, keys};
use crate::error::Error;

/// Makes the configured source, which reads nothing before its first use. Secrets Manager needs `secrets`.
///
/// # Errors
/// `Invalid`, naming the variable, if the source is Secrets Manager and `secrets` is `None`.
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
                let problem = "is secrets_manager, but this program has no secret reader".to_owned();
                return Err(Error::Invalid { field: keys::ENV_SPIFFE_SOURCE, problem });
            };
            Arc::new(Secret::new(secret_id, &config.trust_domain, secrets))
        }
        IdentitySource::None => Arc::new(NoIdentity),
    })
}
