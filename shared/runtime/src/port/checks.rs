//! Scheduled checks: who probes, and what is stored between two probes.

use async_trait::async_trait;
use heal_engine::Timestamp;
use heal_engine::check::{Observation, Probe};

use super::Result;

/// Probes targets. A probe only reads: it never changes its target.
#[async_trait]
pub trait Prober: Send + Sync + 'static {
    /// What `probe` sees at `now`, within the probe's own timeout. A failure is not an error but [`Observation::Unknown`].
    async fn probe(&self, probe: &Probe, now: Timestamp) -> Observation;
}

/// Stores one small JSON text per check.
#[async_trait]
pub trait CheckStore: Send + Sync + 'static {
    /// The stored version and text; `None` if nothing is stored.
    async fn load(&self, name: &str) -> Result<Option<(u64, String)>>;

    /// Stores `json` as version `expected_version` + 1 if the stored version is `expected_version` (0: nothing is stored yet). False if
    /// another version is stored: another writer was faster, and nothing is written.
    ///
    /// The same call again answers true until another writer stores: the first answer may have been lost.
    async fn store(&self, name: &str, expected_version: u64, json: &str) -> Result<bool>;
}
