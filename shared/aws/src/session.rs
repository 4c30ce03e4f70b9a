//! Who calls, from where, and to which endpoints.

mod endpoint;
mod environment;
#[cfg(feature = "host")]
mod host;
mod transport;

use std::fmt;
use std::sync::Arc;

use aws_config::SdkConfig;
use aws_credential_types::Credentials;
use aws_credential_types::provider::ProvideCredentials;
use tokio::time::timeout;
use url::Url;

use crate::error::Error;
use crate::http::Http;
use crate::limit::CREDENTIALS_TIMEOUT;
use crate::text::chain;

pub(crate) use endpoint::{Service, parse as parse_endpoint};
#[cfg(feature = "host")]
pub use host::{AwsOverrides, Keys};

/// Region, credentials and endpoints, for all clients of this crate.
///
/// Credentials are looked for where AWS's own tools look, in their order: environment, profile files, web identity, container, instance. A
/// function has them in its environment. They are asked for at the first call and renewed before they end.
#[derive(Clone)]
pub struct Session {
    sdk: SdkConfig,
    http: Arc<Http>,
    region: String,
    /// Where all services are, if that was given.
    endpoint: Option<Url>,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("region", &self.region).finish_non_exhaustive()
    }
}

impl Session {
    /// A function: all of it from the environment. Any other program: from the environment and the profile files.
    ///
    /// # Errors
    /// `Invalid` where there is no region, or a region is none.
    #[cfg_attr(not(feature = "host"), expect(clippy::unused_async, reason = "it waits where there is more to look in"))]
    pub async fn from_env() -> Result<Self, Error> {
        #[cfg(feature = "host")]
        if !environment::is_function() {
            return Self::load(AwsOverrides::default()).await;
        }
        environment::session()
    }

    pub fn region(&self) -> &str {
        &self.region
    }

    /// For calls that the SDK has no client for.
    pub(crate) fn http(&self) -> &Http {
        &self.http
    }

    /// For the SDK's clients. Their endpoint is [`Session::endpoint_override`], which is checked.
    pub(crate) fn sdk(&self) -> &SdkConfig {
        &self.sdk
    }

    /// The credentials as they are now.
    ///
    /// # Errors
    /// `NoCredentials`.
    pub(crate) async fn credentials(&self) -> Result<Credentials, Error> {
        let Some(provider) = self.sdk.credentials_provider() else {
            return Err(Error::NoCredentials("none are configured".to_owned()));
        };
        match timeout(CREDENTIALS_TIMEOUT, provider.provide_credentials()).await {
            Ok(credentials) => credentials.map_err(|error| Error::NoCredentials(chain(&error))),
            Err(_) => Err(Error::NoCredentials(format!("none within {} ms", CREDENTIALS_TIMEOUT.as_millis()))),
        }
    }
}
