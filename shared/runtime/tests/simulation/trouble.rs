//! What goes wrong with the calls of a process: they are lost, throttled, slow, or its last.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use heal_runtime::port::Clock as _;
use heal_testkit::memory::{Faults, ManualClock, When};

use super::process;
use super::rng::Rng;
use super::seen::Seen;

/// Polls for which a frozen process does nothing: others get much done meanwhile.
const FROZEN_POLLS: u32 = 80;
/// Calls of one kind in a row that a throttled backend refuses.
const THROTTLED_CALLS: u32 = 8;
/// Milliseconds of a freeze: within a lease, beyond it, beyond the visibility of a command, and an hour.
const FREEZES_MS: [u64; 4] = [5_000, 40_000, 150_000, 3_600_000];

/// How often each fault is, out of 10,000 calls.
const LOST: u64 = 400;
const DEATHS: u64 = 35;
const THROTTLED: u64 = 10;
const SELDOM_DEATHS: u64 = 250;
const FROZEN: u64 = 6;
const FROZEN_AT_END: u64 = 60;

/// The calls that end an attempt: a freeze before them outlasts the lease.
const ENDS: [&str; 2] = ["claims.finish", "settlement.append"];
/// Calls that a course has few of.
const SELDOM: [&str; 14] = [
    "breaker.read",
    "checks.load",
    "checks.store",
    "claims.intent",
    "claims.last_touched",
    "claims.peek",
    "claims.release",
    "runs.head",
    "runs.plan",
    "runs.put_plan",
    "settlement.create",
    "switches.halt",
    "switches.prolong",
    "switches.resume",
];

/// The faults of all calls.
#[derive(Debug, Clone)]
pub struct Trouble {
    pub rng: Arc<Rng>,
    pub clock: Arc<ManualClock>,
    pub seen: Arc<Seen>,
    /// Whether calls are the narrator's, who meets no fault.
    pub is_told: Arc<AtomicBool>,
    /// Whether two processes are at work.
    pub is_shared: Arc<AtomicBool>,
    /// Workers that have decided to act, as [`World::acting`](super::remedy::World::acting).
    pub acting: Arc<AtomicU32>,
}

impl Trouble {
    /// Plants the faults.
    pub fn plant(&self, faults: &Faults) {
        let (fails, pauses, lags) = (self.clone(), self.clone(), self.clone());
        let mut throttled = Throttled::default();
        faults.decide_by(move |operation| fails.fails(operation, &mut throttled));
        faults.pause_by(move |operation, when| pauses.pauses(operation, when));
        faults.lag_by(move |_| lags.lags());
    }

    fn is_quiet(&self) -> bool {
        self.is_told.load(Ordering::SeqCst)
    }

    fn fails(&self, operation: &'static str, throttled: &mut Throttled) -> Option<When> {
        if self.is_quiet() {
            return None;
        }
        let process = process::current();
        if process.as_ref().is_some_and(|process| process.is_dead()) {
            return Some(When::Before);
        }
        if throttled.refuses(operation) {
            return Some(When::Before);
        }
        let when = || if self.rng.chance(50) { When::Before } else { When::After };
        let roll = self.rng.below(10_000);
        if roll < LOST {
            let when = when();
            self.seen.note(if when == When::Before { "request lost" } else { "answer lost" });
            return Some(when);
        }
        if roll < LOST + THROTTLED {
            self.seen.note("calls throttled");
            *throttled = Throttled { operation: Some(operation), calls: THROTTLED_CALLS };
            return Some(When::Before);
        }
        let deaths = if SELDOM.contains(&operation) { SELDOM_DEATHS } else { DEATHS };
        if let Some(process) = process.filter(|_| roll < LOST + THROTTLED + deaths) {
            let when = when();
            self.seen.note_death(operation, when);
            process.die();
            return Some(when);
        }
        None
    }

    fn pauses(&self, operation: &str, when: When) -> u32 {
        if self.is_quiet() || process::current().is_none_or(|process| process.is_dead()) {
            return 0;
        }
        let is_shared = self.is_shared.load(Ordering::SeqCst);
        let is_free = self.acting.load(Ordering::SeqCst) == 0;
        let is_end = when == When::Before && ENDS.contains(&operation);
        if is_free && self.rng.below(10_000) < if is_end { FROZEN_AT_END } else { FROZEN } {
            let length_ms = FREEZES_MS[if self.rng.chance(4) { 3 } else { self.rng.below(3) as usize }];
            self.seen.note("process frozen");
            if length_ms == 3_600_000 {
                self.seen.note("process frozen for an hour");
            }
            let since = self.clock.now();
            self.seen.note_freeze(since, self.clock.advance_ms(length_ms));
            return if is_shared { FROZEN_POLLS } else { 0 };
        }
        if is_shared && when == When::Before && self.rng.chance(30) { 1 + self.rng.below(2) as u32 } else { 0 }
    }

    fn lags(&self) -> bool {
        let lags = !self.is_quiet() && process::current().is_some() && self.rng.chance(5);
        if lags {
            self.seen.note("index lags");
        }
        lags
    }
}

/// A backend that refuses one kind of calls for a while.
#[derive(Debug, Default)]
struct Throttled {
    operation: Option<&'static str>,
    calls: u32,
}

impl Throttled {
    fn refuses(&mut self, operation: &'static str) -> bool {
        let refuses = self.operation == Some(operation) && self.calls > 0;
        self.calls -= u32::from(refuses);
        refuses
    }
}
