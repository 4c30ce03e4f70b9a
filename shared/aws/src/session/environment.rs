//! A function's session: the platform sets region, credentials and endpoints in the environment.

use std::sync::Arc;

use aws_config::environment::EnvironmentVariableCredentialsProvider;
use aws_config::{Region, SdkConfig};
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_types::service_config::{LoadServiceConfig, ServiceConfigKey};

use super::{Session, endpoint};
use crate::error::Error;
use crate::http::Connector;
use crate::variables;

/// Whether this process is a Lambda function.
#[cfg(feature = "host")]
pub(super) fn is_function() -> bool {
    variable(variables::LAMBDA_RUNTIME_API).is_some()
}

/// A session from the environment alone, without profile files or a metadata service.
///
/// # Errors
/// [`Error::Invalid`]: the region is missing or malformed.
pub(super) fn session() -> Result<Session, Error> {
    let named = variable(endpoint::ENV_REGION).or_else(|| variable(variables::DEFAULT_REGION));
    let region = endpoint::region(named.as_deref())?;
    let http = Arc::default();
    let sdk = SdkConfig::builder()
        .behavior_version(super::behavior())
        .region(Region::new(region.clone()))
        .credentials_provider(SharedCredentialsProvider::new(EnvironmentVariableCredentialsProvider::new()))
        .http_client(Connector::new(Arc::clone(&http)))
        .timeout_config(super::timeouts())
        .retry_config(super::retries())
        .use_fips(is_set(variables::USE_FIPS_ENDPOINT))
        .use_dual_stack(is_set(variables::USE_DUALSTACK_ENDPOINT))
        .service_config(Variables)
        .build();
    Ok(Session { sdk, http, region, endpoint: None })
}

/// Settings per service: `AWS_ENDPOINT_URL_SQS` takes precedence over `AWS_ENDPOINT_URL`.
#[derive(Debug)]
struct Variables;

impl LoadServiceConfig for Variables {
    fn load_config(&self, key: ServiceConfigKey<'_>) -> Option<String> {
        let service = key.service_id().to_uppercase().replace(' ', "_");
        variable(&format!("{}_{service}", key.env())).or_else(|| variable(key.env()))
    }
}

#[expect(clippy::disallowed_methods, reason = "the AWS SDK's own variables")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

fn is_set(name: &str) -> bool {
    variable(name).is_some_and(|value| value.eq_ignore_ascii_case("true"))
}
