//! Time and chance, so that a test or a simulation can own both.

use std::time::{SystemTime, UNIX_EPOCH};

use heal_engine::Timestamp;

use super::{BackendError, Result};

/// The wall clock.
pub trait Clock: Send + Sync + 'static {
    /// The current time, in milliseconds since the epoch.
    fn now(&self) -> Timestamp;
}

/// Unpredictable numbers: tokens, ids and jitter are made of them.
pub trait Entropy: Send + Sync + 'static {
    /// The next number.
    ///
    /// # Errors
    /// [`BackendError::Unavailable`]: the generator failed. A guessable number would be worse than a turn that is tried again.
    fn next(&self) -> Result<u64>;
}

/// The operating system's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the port")]
    fn now(&self) -> Timestamp {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp(u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX))
    }
}

/// The operating system's random number generator.
#[derive(Debug, Clone, Copy, Default)]
pub struct OsEntropy;

impl Entropy for OsEntropy {
    #[expect(clippy::disallowed_methods, reason = "this is the port")]
    fn next(&self) -> Result<u64> {
        getrandom::u64().map_err(|error| BackendError::unavailable("entropy.next", error))
    }
}
