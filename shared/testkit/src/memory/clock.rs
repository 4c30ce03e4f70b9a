//! Time that only a test moves.

use std::sync::atomic::{AtomicU64, Ordering};

use heal_runtime::Timestamp;
use heal_runtime::port::Clock;

/// A clock that stands still until it is told otherwise.
#[derive(Debug)]
pub struct ManualClock {
    now_ms: AtomicU64,
}

impl ManualClock {
    /// Where [`ManualClock::default`] stands: a round number in the year 2027.
    pub const START: Timestamp = Timestamp(1_800_000_000_000);

    pub const fn new(start: Timestamp) -> Self {
        Self { now_ms: AtomicU64::new(start.0) }
    }

    /// Moves forward, and says where it stands then.
    pub fn advance_ms(&self, milliseconds: u64) -> Timestamp {
        Timestamp(self.now_ms.fetch_add(milliseconds, Ordering::SeqCst)).plus_ms(milliseconds)
    }

    /// Jumps to `moment`, also backwards: clocks of machines do that.
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
