//! What a person's machine, a container or an instance knows of AWS.

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use aws_config::Region;
use aws_credential_types::Credentials;
use tokio::time::timeout;

use super::{Session, endpoint, transport};
use crate::error::Error;
use crate::http::Connector;
use crate::limit::LOAD_TIMEOUT;

/// What is given instead of being looked for in the environment and the profile files.
#[derive(Debug, Clone, Default)]
pub struct AwsOverrides {
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

impl Session {
    /// What is not in `given` comes from the environment and the profile files. Connects to nothing but, where no region is named, the
    /// instance's metadata service.
    ///
    /// # Errors
    /// `Invalid` where there is no region, or a region or endpoint is none.
    pub async fn load(given: AwsOverrides) -> Result<Self, Error> {
        let endpoint = given.endpoint_url.as_deref().map(|url| endpoint::parse(endpoint::ENV_URL, url)).transpose()?;
        let http = Arc::default();
        let mut loader = aws_config::defaults(transport::behavior())
            .http_client(Connector::new(Arc::clone(&http)))
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
        let given = AwsOverrides { keys: Some(keys), ..AwsOverrides::default() };
        let text = format!("{given:?}");
        assert!(text.contains("AKIDEXAMPLE") && !text.contains("hunter2") && !text.contains("sesame"), "{text}");
    }
}
