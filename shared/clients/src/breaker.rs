//! Circuit breaker: refuses calls to a service that does not answer, and finds out when it answers again.
//!
//! A number of consecutive failures opens the breaker; calls are then refused at once. After the reset time one trial call passes: its
//! success closes the breaker, its failure opens it again. [`machine`] is pure, time is its argument.
//!
//! A failure is one of the connection (refused, reset, TLS, no answer in time, 502, 503, 504), or a call that the service failed at (500).
//! Of the latter, only those at twice as many distinct targets open it: bad ids are not an outage. Nor does one bad id that is the trial keep the
//! breaker open: the next call is a trial too, for as many trials as targets open it. What this process could not do itself, for lack of
//! descriptors or because it was frozen, is not a failure at all, and costs no trial.
//!
//! # Shared state
//! Over a [`BreakerStore`](heal_runtime::port::BreakerStore) the breaker of a service is one for all processes. Each process counts its own
//! failures; the first to reach the threshold writes the opening. The trial call belongs to the holder that the store accepted; a holder that
//! dies loses it after the reset time. The local view is at most [`VIEW_LIFETIME`] old. If the store does not answer, the process relies on
//! its own view.

mod failures;
mod gate;
pub mod machine;

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

pub use gate::{Breaker, STORE_TIMEOUT, VIEW_LIFETIME};
pub use machine::{Settings, State};

/// Gives the time in epoch milliseconds.
pub type Clock = Arc<dyn Fn() -> u64 + Send + Sync>;

/// The clock of this machine.
pub fn system_clock() -> Clock {
    Arc::new(|| {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        since.map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    })
}
