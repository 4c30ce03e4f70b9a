//! The state of circuit breakers, shared by processes.

use async_trait::async_trait;
use heal_engine::Timestamp;
use serde::{Deserialize, Serialize};

use super::Result;

/// The stored state of one service's breaker, which is open or half open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BreakerRecord {
    /// When the breaker opened.
    pub opened_at: Timestamp,
    /// Calls are refused until then; afterwards one holder may make a trial call.
    pub open_until: Timestamp,
    /// Who makes the trial call, and until when no other holder may make one.
    pub trial: Option<(String, Timestamp)>,
}

/// Stores one record per service.
#[async_trait]
pub trait BreakerStore: Send + Sync + 'static {
    /// The record of `service`; `None` if its breaker is closed.
    async fn read(&self, service: &str) -> Result<Option<BreakerRecord>>;

    /// Opens the breaker unless it is open with an `open_until` at or after this one. True if this call wrote.
    async fn open(&self, service: &str, opened_at: Timestamp, open_until: Timestamp) -> Result<bool>;

    /// Takes the trial call for `holder` until `until` if `open_until` has passed at `now` and no other trial is live. True if taken.
    async fn take_trial(&self, service: &str, holder: &str, now: Timestamp, until: Timestamp) -> Result<bool>;

    /// Ends the trial of `holder`, which proved nothing: the next holder may make one at once. True if `holder` had it.
    async fn release_trial(&self, service: &str, holder: &str) -> Result<bool>;

    /// Closes the breaker after a successful trial call: removes the record.
    async fn close(&self, service: &str) -> Result<()>;
}
