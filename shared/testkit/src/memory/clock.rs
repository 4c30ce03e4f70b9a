//! Time that only a test advances.

use std::sync::atomic::{AtomicU64, Ordering};

use heal_runtime::Timestamp;
use heal_runtime::port::Clock;

/// A clock that stands still until the test advances it.
#[derive(Debug)]
pub struct ManualClock {
    now_ms: AtomicU64,
}

impl ManualClock {
    /// The time of [`ManualClock::default`]: a round number in the year 2027.
    pub const START: Timestamp = Timestamp(1_800_000_000_000);

    /// A clock that shows `start`.
    pub const fn new(start: Timestamp) -> Self {
        Self { now_ms: AtomicU64::new(start.0) }
    }

    /// Advances the clock, and returns the new time.
    pub fn advance_ms(&self, milliseconds: u64) -> Timestamp {
        Timestamp(self.now_ms.fetch_add(milliseconds, Ordering::SeqCst)).plus_ms(milliseconds)
    }

    /// Jumps to `moment`, also backwards, as clocks of machines do.
    pub fn set(&self, moment: Timestamp) {
        self.now_ms.store(moment.0, Ordering::SeqCst);
    }
}

impl Default for ManualClock {
    fn default() -> Self {
        Self::new(Self::START)
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.now_ms.load(Ordering::SeqCst))
    }
}
