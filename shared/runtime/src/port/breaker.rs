//! Circuit breaker state that several processes share.

use async_trait::async_trait;
use heal_engine::Timestamp;
use serde::{Deserialize, Serialize};

use super::Result;

/// The shared part of one service's breaker: whether it is open, and who may try.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BreakerRecord {
    pub opened_at: Timestamp,
    /// Calls are refused until then; afterwards one holder may try.
    pub open_until: Timestamp,
    /// Who has the trial call, and until when nobody else may.
    pub trial: Option<(String, Timestamp)>,
}

/// Stores one record per service.
#[async_trait]
pub trait BreakerStore: Send + Sync + 'static {
    /// None = closed.
    async fn read(&self, service: &str) -> Result<Option<BreakerRecord>>;

    /// Opens it unless it is open already with an `open_until` at or after this one. True where this call wrote.
    async fn open(&self, service: &str, opened_at: Timestamp, open_until: Timestamp) -> Result<bool>;

    /// Takes the trial call for `holder` until `until` where `open_until` has passed at `now` and no other trial is live. True where taken.
    async fn take_trial(&self, service: &str, holder: &str, now: Timestamp, until: Timestamp) -> Result<bool>;

    /// The trial call worked: removes the record.
    async fn close(&self, service: &str) -> Result<()>;
}
