//! What a function is told: the platform puts region, credentials and endpoints into its environment, and there is nothing else to look in.

use std::sync::Arc;

use aws_config::environment::EnvironmentVariableCredentialsProvider;
use aws_config::{Region, SdkConfig};
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_types::service_config::{LoadServiceConfig, ServiceConfigKey};

use super::{Session, endpoint, transport};
use crate::error::Error;
use crate::http::Connector;
use crate::variables;

/// Whether this process is a function.
#[cfg(feature = "host")]
pub(super) fn is_function() -> bool {
    variable(variables::LAMBDA_RUNTIME_API).is_some()
}

/// Looks for nothing: no profile file, no metadata service.
///
/// # Errors
/// `Invalid`: there is no region, or it is none.
pub(super) fn session() -> Result<Session, Error> {
    let named = variable(endpoint::ENV_REGION).or_else(|| variable(variables::DEFAULT_REGION));
    let region = endpoint::region(named.as_deref())?;
    let http = Arc::default();
    let sdk = SdkConfig::builder()
        .behavior_version(transport::behavior())
        .region(Region::new(region.clone()))
        .credentials_provider(SharedCredentialsProvider::new(EnvironmentVariableCredentialsProvider::new()))
        .http_client(Connector::new(Arc::clone(&http)))
        .timeout_config(transport::timeouts())
        .retry_config(transport::retries())
        .use_fips(is_set(variables::USE_FIPS_ENDPOINT))
        .use_dual_stack(is_set(variables::USE_DUALSTACK_ENDPOINT))
        .service_config(Variables)
        .build();
    Ok(Session { sdk, http, region, endpoint: None })
}

/// Settings per service: `AWS_ENDPOINT_URL_SQS` goes before `AWS_ENDPOINT_URL`.
#[derive(Debug)]
struct Variables;

impl LoadServiceConfig for Variables {
    fn load_config(&self, key: ServiceConfigKey<'_>) -> Option<String> {
        let service = key.service_id().to_uppercase().replace(' ', "_");
        variable(&format!("{}_{service}", key.env())).or_else(|| variable(key.env()))
    }
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

fn is_set(name: &str) -> bool {
    variable(name).is_some_and(|value| value.eq_ignore_ascii_case("true"))
}
