//! Scheduled checks: who looks, and what is remembered between two looks.

use async_trait::async_trait;
use heal_engine::Timestamp;
use heal_engine::check::{Observation, Probe};

use super::Result;

/// Looks. It only reads: a probe never changes its target.
#[async_trait]
pub trait Prober: Send + Sync + 'static {
    /// What the probe sees at `now`, within the probe's own time. It never fails: what cannot be told is [`Observation::Unknown`].
    async fn look(&self, probe: &Probe, now: Timestamp) -> Observation;
}

/// Stores one small JSON text per check, and nothing else.
#[async_trait]
pub trait CheckStore: Send + Sync + 'static {
    /// The version and the text that were stored last; none where nothing was.
    async fn load(&self, name: &str) -> Result<Option<(u64, String)>>;

    /// Stores `json` as the next version where the stored one is `expected_version`, 0 where there has to be none yet: it has
    /// version `expected_version` + 1 then. False where another version is stored: somebody else was faster, and nothing is written.
    ///
    /// The same store again answers true while nobody else has stored: the first answer may have been lost.
    async fn store(&self, name: &str, expected_version: u64, json: &str) -> Result<bool>;
}
