//! Time and chance, so that a test or a simulation can own both.

use std::time::{SystemTime, UNIX_EPOCH};

use heal_engine::Timestamp;

/// The wall clock.
pub trait Clock: Send + Sync + 'static {
    fn now(&self) -> Timestamp;
}

/// Numbers that nobody can foresee.
pub trait Entropy: Send + Sync + 'static {
    fn next(&self) -> u64;
}

#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the port")]
    fn now(&self) -> Timestamp {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp(u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX))
    }
}

/// Numbers from the operating system's generator, by way of the standard library's seeded hasher.
#[derive(Debug, Clone, Copy, Default)]
pub struct OsEntropy;

impl Entropy for OsEntropy {
    #[expect(clippy::disallowed_methods, reason = "this is the port")]
    fn next(&self) -> u64 {
        let mut bytes = [0; 8];
        // The operating system's generator does not fail after boot; 0 still gives a run that works, with a guessable token.
        if getrandom::fill(&mut bytes).is_err() {
            tracing::warn!("the operating system gave no random number");
        }
        u64::from_ne_bytes(bytes)
    }
}
