//! Secrets Manager: a secret's current value.

use aws_sdk_secretsmanager::config::Builder;

use crate::error::Error;
use crate::session::{Service, Session};

/// Reads secrets.
#[derive(Debug, Clone)]
pub struct Client {
    sdk: aws_sdk_secretsmanager::Client,
}

impl Client {
    /// Makes a client, which connects at the first call.
    ///
    /// # Errors
    /// [`Error::Invalid`]: the configured endpoint is not a URL.
    pub fn new(session: &Session) -> Result<Self, Error> {
        let endpoint = session.endpoint_override(Service::SecretsManager)?;
        let mut config = Builder::from(session.sdk());
        if let Some(endpoint) = endpoint {
            config = config.endpoint_url(endpoint);
        }
        Ok(Self { sdk: aws_sdk_secretsmanager::Client::from_conf(config.build()) })
    }

    /// The value of the secret with that name or ARN, text or binary, in its version `AWSCURRENT`.
    ///
    /// # Errors
    /// Any but [`Error::Invalid`]. No error contains the value.
    pub async fn read(&self, secret_id: &str) -> Result<Vec<u8>, Error> {
        let what = || format!("secret {secret_id}");
        let answer = Box::pin(self.sdk.get_secret_value().secret_id(secret_id).send()).await;
        let found = answer.map_err(|error| Error::from_sdk(what(), &error))?;
        match (found.secret_string, found.secret_binary) {
            (Some(text), _) => Ok(text.into_bytes()),
            (None, Some(binary)) => Ok(binary.into_inner()),
            (None, None) => Err(Error::Unusable {
                what: what(),
                problem: "the answer has neither a text nor a binary value".to_owned(),
            }),
        }
    }
}
