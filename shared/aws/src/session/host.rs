//! Sessions outside of functions: on a person's machine, in a container or on an instance.

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use aws_config::Region;
use aws_credential_types::Credentials;
use tokio::time::timeout;

use super::{Session, endpoint};
use crate::error::Error;
use crate::http::Connector;
use crate::limit::LOAD_TIMEOUT;

/// Settings that take precedence over the environment and the profile files.
#[derive(Debug, Clone, Default)]
pub struct AwsOverrides {
    /// The region, such as `eu-central-1`.
    pub region: Option<String>,
    /// The credentials.
    pub keys: Option<Keys>,
    /// One endpoint for all services, as `AWS_ENDPOINT_URL` would name it.
    pub endpoint_url: Option<String>,
}

/// Static credentials.
#[derive(Clone)]
pub struct Keys {
    /// The access key's id; not secret.
    pub access_key_id: String,
    /// The access key; secret.
    pub secret_access_key: String,
    /// The token of temporary credentials; secret.
    pub session_token: Option<String>,
    /// When temporary credentials expire.
    pub expires_at: Option<SystemTime>,
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys").field("access_key_id", &self.access_key_id).finish_non_exhaustive()
    }
}

impl Session {
    /// Loads a session. Settings that are not in `overrides` come from the environment and the profile files. Connects to the instance's
    /// metadata service if no region is set, and to nothing else.
    ///
    /// # Errors
    /// [`Error::Invalid`]: the region is missing or malformed, or the endpoint is not a URL.
    pub async fn load(overrides: AwsOverrides) -> Result<Self, Error> {
        let endpoint =
            overrides.endpoint_url.as_deref().map(|url| endpoint::parse(endpoint::ENV_URL, url)).transpose()?;
        let http = Arc::default();
        let mut loader = aws_config::defaults(super::behavior())
            .http_client(Connector::new(Arc::clone(&http)))
            .timeout_config(super::timeouts())
            .retry_config(super::retries());
        if let Some(region) = overrides.region {
            loader = loader.region(Region::new(region));
        }
        if let Some(keys) = overrides.keys {
            loader = loader.credentials_provider(keys.into_credentials());
        }
        let Ok(sdk) = timeout(LOAD_TIMEOUT, Box::pin(loader.load())).await else {
            let problem = format!("is not set, and no region was found within {} ms", LOAD_TIMEOUT.as_millis());
            return Err(Error::Invalid { field: endpoint::ENV_REGION, problem });
        };
        let region = endpoint::region(sdk.region().map(Region::as_ref))?;
        Ok(Self { sdk, http, region, endpoint })
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
        let overrides = AwsOverrides { keys: Some(keys), ..AwsOverrides::default() };
        let text = format!("{overrides:?}");
        assert!(text.contains("AKIDEXAMPLE") && !text.contains("hunter2") && !text.contains("sesame"), "{text}");
    }
}
