//! Who calls, from where, and to which endpoints.

mod endpoint;
mod transport;

use std::fmt;
use std::time::SystemTime;

use aws_config::{Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::ProvideCredentials;
use tokio::time::timeout;
use url::Url;

use crate::error::Error;
use crate::limit::{CREDENTIALS_TIMEOUT, LOAD_TIMEOUT};
use crate::text::chain;

pub(crate) use endpoint::{Service, parse as parse_endpoint};

/// Region, credentials and endpoints, for all clients of this crate.
///
/// Credentials are looked for where AWS's own tools look, in their order: environment, profile files, web identity, container, instance.
/// They are asked for at the first call and renewed before they end.
#[derive(Clone)]
pub struct Session {
    sdk: SdkConfig,
    region: String,
    /// Where all services are, if that was given.
    endpoint: Option<Url>,
}

/// What is given instead of being looked for in the environment and the profile files.
#[derive(Debug, Clone, Default)]
pub struct Given {
    pub region: Option<String>,
    pub keys: Option<Keys>,
    /// One endpoint for all services, as `AWS_ENDPOINT_URL` would name it.
    pub endpoint_url: Option<String>,
}

/// Credentials.
#[derive(Clone)]
pub struct Keys {
    pub access_key_id: String,
    pub secret_access_key: String,
    pub session_token: Option<String>,
    pub expires_at: Option<SystemTime>,
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys").field("access_key_id", &self.access_key_id).finish_non_exhaustive()
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("region", &self.region).finish_non_exhaustive()
    }
}

impl Session {
    /// Everything from the environment and the profile files.
    ///
    /// # Errors
    /// As [`Session::load`].
    pub async fn from_env() -> Result<Self, Error> {
        Self::load(Given::default()).await
    }

    /// What is not in `given` comes from the environment and the profile files. Connects to nothing but, where no region is named, the
    /// instance's metadata service.
    ///
    /// # Errors
    /// `Invalid` where there is no region, or a region or endpoint is none.
    pub async fn load(given: Given) -> Result<Self, Error> {
        let endpoint = given.endpoint_url.as_deref().map(|url| endpoint::parse(endpoint::ENV_URL, url)).transpose()?;
        let mut loader = aws_config::defaults(transport::behavior())
            .http_client(transport::client())
            .timeout_config(transport::timeouts())
            .retry_config(transport::retries());
        if let Some(region) = given.region {
            loader = loader.region(Region::new(region));
        }
        if let Some(keys) = given.keys {
            loader = loader.credentials_provider(keys.into_credentials());
        }
        let Ok(sdk) = timeout(LOAD_TIMEOUT, Box::pin(loader.load())).await else {
            let problem = format!("is not set, and nothing else named a region within {} ms", LOAD_TIMEOUT.as_millis());
            return Err(Error::Invalid { field: endpoint::ENV_REGION, problem });
        };
        let region = endpoint::region(sdk.region().map(Region::as_ref))?;
        Ok(Self { sdk, region, endpoint })
    }

    pub fn region(&self) -> &str {
        &self.region
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

impl Keys {
    fn into_credentials(self) -> Credentials {
        Credentials::new(self.access_key_id, self.secret_access_key, self.session_token, self.expires_at, "given")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_not_in_a_debug_form() {
        let keys = Keys {
            access_key_id: "AKIDEXAMPLE".to_owned(),
            secret_access_key: "hunter2".to_owned(),
            session_token: Some("sesame".to_owned()),
            expires_at: None,
        };
        let given = Given { keys: Some(keys), ..Given::default() };
        let text = format!("{given:?}");
        assert!(text.contains("AKIDEXAMPLE") && !text.contains("hunter2") && !text.contains("sesame"), "{text}");
    }
}
