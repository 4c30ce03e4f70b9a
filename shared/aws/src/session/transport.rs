//! How the SDK's clients call: time, tries, connections.

use aws_config::BehaviorVersion;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_sdk_secretsmanager::config::SharedHttpClient;
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;

use crate::limit::{
    ATTEMPT_TIMEOUT, BACKOFF, CONNECT_TIMEOUT, MAX_ATTEMPTS, OPERATION_TIMEOUT, POOL_IDLE, READ_TIMEOUT,
};

/// The SDK's defaults as they were on that day, so that an update of it changes nothing silently.
pub(super) fn behavior() -> BehaviorVersion {
    BehaviorVersion::v2026_01_12()
}

pub(super) fn timeouts() -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .read_timeout(READ_TIMEOUT)
        .operation_attempt_timeout(ATTEMPT_TIMEOUT)
        .operation_timeout(OPERATION_TIMEOUT)
        .build()
}

pub(super) fn retries() -> RetryConfig {
    RetryConfig::standard().with_max_attempts(MAX_ATTEMPTS).with_initial_backoff(BACKOFF).with_max_backoff(BACKOFF)
}

/// The SDK's own client asks the environment for a proxy; this one does not, and forgets idle connections sooner. It sets `TCP_NODELAY`.
pub(super) fn client() -> SharedHttpClient {
    Builder::new().pool_idle_timeout(POOL_IDLE).tls_provider(Provider::Rustls(CryptoMode::AwsLc)).build_https()
}
