//! Notices that this process did not run for a while: it was stopped, its machine slept, or its Lambda sandbox was frozen.
//!
//! What times out meanwhile says nothing about the service that was called: the answer may be there, unread. The wall clock shows every kind
//! of freeze; the monotonic one stops while a machine sleeps.

use std::convert::Infallible;
use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use heal_engine::Timestamp;

/// Milliseconds between two looks at the clock.
const TICK_MS: u64 = 500;

/// A gap between two looks that is longer than this, in milliseconds, is a freeze: far more than a busy machine delays a timer.
pub const FREEZE_MS: u64 = 2_000;

/// Watches one piece of work for freezes. `N` reads the wall clock.
#[derive(Debug)]
pub struct FreezeWatch<N> {
    now: N,
    last_ms: AtomicU64,
    frozen_ms: AtomicU64,
}

impl<N: Fn() -> Timestamp> FreezeWatch<N> {
    /// Watches from now on.
    pub fn start(now: N) -> Self {
        let last_ms = AtomicU64::new(now().0);
        Self { now, last_ms, frozen_ms: AtomicU64::new(0) }
    }

    /// Looks at the clock until dropped. Without it, the watched work itself would count as a freeze.
    pub async fn tick(&self) -> Infallible {
        loop {
            tokio::time::sleep(Duration::from_millis(TICK_MS)).await;
            self.frozen_ms();
        }
    }

    /// Awaits `work`, and looks at the clock meanwhile.
    pub async fn during<T>(&self, work: impl Future<Output = T>) -> T {
        tokio::select! {
            // In this order, so that the same schedule has the same course.
            biased;
            result = work => result,
            never = self.tick() => match never {},
        }
    }

    /// Milliseconds frozen so far. A gap that no tick has seen yet is included, since after a freeze the work may go on first.
    pub fn frozen_ms(&self) -> u64 {
        let now = (self.now)();
        let gap = now.since_ms(Timestamp(self.last_ms.swap(now.0, Ordering::Relaxed)));
        let frozen = if gap > FREEZE_MS { gap } else { 0 };
        self.frozen_ms.fetch_add(frozen, Ordering::Relaxed) + frozen
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn work_that_takes_long_is_not_a_freeze() {
        let started = tokio::time::Instant::now();
        let watch = FreezeWatch::start(|| Timestamp(u64::try_from(started.elapsed().as_millis()).unwrap()));
        watch.during(tokio::time::sleep(Duration::from_mins(10))).await;
        assert_eq!(watch.frozen_ms(), 0);
    }

    #[test]
    fn a_gap_beyond_the_limit_is_a_freeze_and_counted_once() {
        let now = Cell::new(0);
        let watch = FreezeWatch::start(|| Timestamp(now.get()));
        now.set(FREEZE_MS);
        assert_eq!(watch.frozen_ms(), 0, "a gap at the limit");
        now.set(2 * FREEZE_MS + 1);
        assert_eq!(watch.frozen_ms(), FREEZE_MS + 1);
        assert_eq!(watch.frozen_ms(), FREEZE_MS + 1);
        now.set(0);
        assert_eq!(watch.frozen_ms(), FREEZE_MS + 1, "a clock that was put back is not a freeze");
    }
}
