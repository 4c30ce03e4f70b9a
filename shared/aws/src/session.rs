//! Region, credentials and endpoints of all calls.

mod endpoint;
mod environment;
#[cfg(feature = "host")]
mod host;

use std::fmt;
use std::sync::Arc;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::ProvideCredentials;
use tokio::time::timeout;
use url::Url;

use crate::error::Error;
use crate::http::Http;
use crate::limit::{
    ATTEMPT_TIMEOUT, BACKOFF, CONNECT_TIMEOUT, CREDENTIALS_TIMEOUT, MAX_ATTEMPTS, OPERATION_TIMEOUT, READ_TIMEOUT,
};
use crate::text::chain;

pub(crate) use endpoint::{Service, parse as parse_endpoint};
#[cfg(feature = "host")]
pub use host::{AwsOverrides, Keys};

/// Region, credentials and endpoints, for all clients of this crate.
///
/// Credentials come from AWS's default chain: environment, profile files, web identity, container, instance. A function has them in its
/// environment. They are loaded at the first call and renewed before they expire.
#[derive(Clone)]
pub struct Session {
    sdk: SdkConfig,
    http: Arc<Http>,
    region: String,
    /// One endpoint for all services, if the caller set one.
    endpoint: Option<Url>,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("region", &self.region).finish_non_exhaustive()
    }
}

impl Session {
    /// Loads the session: a function's from the environment alone, any other program's from the environment and the profile files.
    ///
    /// # Errors
    /// [`Error::Invalid`]: the region is missing or malformed.
    #[cfg_attr(not(feature = "host"), expect(clippy::unused_async, reason = "only the feature `host` awaits"))]
    pub async fn from_env() -> Result<Self, Error> {
        #[cfg(feature = "host")]
        if !environment::is_function() {
            return Self::load(AwsOverrides::default()).await;
        }
        environment::session()
    }

    /// The region, such as `eu-central-1`.
    pub fn region(&self) -> &str {
        &self.region
    }

    /// The HTTP client of calls without an SDK client.
    pub(crate) fn http(&self) -> &Http {
        &self.http
    }

    /// The configuration of SDK clients. Set their endpoint from [`Session::endpoint_override`], which validates it.
    pub(crate) fn sdk(&self) -> &SdkConfig {
        &self.sdk
    }

    /// The current credentials.
    ///
    /// # Errors
    /// `NoCredentials`.
    pub(crate) async fn credentials(&self) -> Result<Credentials, Error> {
        let Some(provider) = self.sdk.credentials_provider() else {
            return Err(Error::NoCredentials("no provider is configured".to_owned()));
        };
        match timeout(CREDENTIALS_TIMEOUT, provider.provide_credentials()).await {
            Ok(credentials) => credentials.map_err(|error| Error::NoCredentials(chain(&error))),
            Err(_) => Err(Error::NoCredentials(format!("no answer within {} ms", CREDENTIALS_TIMEOUT.as_millis()))),
        }
    }
}

/// The SDK's defaults of that day, so that an update of the SDK does not change behaviour silently.
fn behavior() -> BehaviorVersion {
    BehaviorVersion::v2026_01_12()
}

/// Timeouts of SDK clients, where a client does not set its own.
fn timeouts() -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .read_timeout(READ_TIMEOUT)
        .operation_attempt_timeout(ATTEMPT_TIMEOUT)
        .operation_timeout(OPERATION_TIMEOUT)
        .build()
}

/// Retries of SDK clients, where a client does not set its own.
fn retries() -> RetryConfig {
    RetryConfig::standard().with_max_attempts(MAX_ATTEMPTS).with_initial_backoff(BACKOFF).with_max_backoff(BACKOFF)
}
