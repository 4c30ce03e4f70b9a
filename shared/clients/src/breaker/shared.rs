//! Where processes meet over one breaker.

use std::fmt::Debug;

use async_trait::async_trait;

use super::machine::Record;

/// A store of breaker records, one per service.
///
/// # Guarantees asked for
/// `replace` is atomic: of many writers that expect the same version, one succeeds.
#[async_trait]
pub trait SharedBreaker: Debug + Send + Sync {
    /// The record of `service`; `None` where none was ever written.
    async fn load(&self, service: &str) -> Result<Option<Record>, StoreFault>;

    /// Writes `next` where the stored version is `expected` (0: nothing is stored). `false`: another one was faster.
    async fn replace(&self, service: &str, expected: u64, next: &Record) -> Result<bool, StoreFault>;
}

/// The store did not answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("breaker store: {0}")]
pub struct StoreFault(pub String);
