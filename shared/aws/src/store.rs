//! The ports on one DynamoDB table: event log, claims and cooldowns, breaker state.
//!
//! Every decision is a condition on one row, or on the few rows of one transaction; a fact from an index is read again from the log before
//! it decides anything. A retry recognises its own first try. Names of rows: `store/key.rs`.

mod autonomy;
mod breaker;
mod call;
mod checks;
mod claims;
#[cfg(feature = "fuzz")]
pub(crate) mod decode;
mod garbage;
mod item;
mod key;
mod pack;
mod runs;
mod switches;

use std::fmt;
use std::sync::Arc;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::Builder;

use crate::error::Error;
use crate::limit::{
    BACKOFF, CONNECT_TIMEOUT, RUN_RETENTION_DAYS, STORE_ATTEMPT_TIMEOUT, STORE_MAX_ATTEMPTS, STORE_OPERATION_TIMEOUT,
};
use crate::session::{Service, Session};

/// The ports over one table. Clones share the client and the cache.
#[derive(Clone)]
pub struct Store {
    client: Client,
    table: Arc<str>,
    newest_runs: Arc<runs::NewestCache>,
    rooms: Arc<runs::Rooms>,
    announced: Arc<claims::Announced>,
    /// Milliseconds that a run is kept after its end.
    keep_runs_ms: u64,
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("table", &self.table).finish_non_exhaustive()
    }
}

impl Store {
    /// Makes a client, which connects at the first call.
    ///
    /// # Errors
    /// [`Error::Invalid`]: the configured endpoint is not a URL.
    pub fn new(session: &Session, table: impl Into<Arc<str>>) -> Result<Self, Error> {
        let endpoint = session.endpoint_override(Service::DynamoDb)?;
        let mut config = Builder::from(session.sdk()).timeout_config(timeouts()).retry_config(retries());
        if let Some(endpoint) = endpoint {
            config = config.endpoint_url(endpoint);
        }
        let client = Client::from_conf(config.build());
        let store = Self {
            client,
            table: table.into(),
            newest_runs: Arc::default(),
            rooms: Arc::default(),
            announced: Arc::default(),
            keep_runs_ms: 0,
        };
        Ok(store.keeping_runs_for(RUN_RETENTION_DAYS))
    }

    /// The same store, which keeps a run, and its plan, for `days` after the run's end; by default [`RUN_RETENTION_DAYS`].
    #[must_use]
    pub fn keeping_runs_for(self, days: u64) -> Self {
        Self { keep_runs_ms: days.saturating_mul(86_400_000), ..self }
    }

    /// The table's name.
    pub fn table(&self) -> &str {
        &self.table
    }
}

/// Shorter timeouts than the session's, and more tries: a turn makes several calls.
pub(crate) fn timeouts() -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .read_timeout(STORE_ATTEMPT_TIMEOUT)
        .operation_attempt_timeout(STORE_ATTEMPT_TIMEOUT)
        .operation_timeout(STORE_OPERATION_TIMEOUT)
        .build()
}

pub(crate) fn retries() -> RetryConfig {
    RetryConfig::standard().with_max_attempts(STORE_MAX_ATTEMPTS).with_max_backoff(BACKOFF)
}
