//! What the stage knows for its laws: which halts the engine has ordered itself, and what clocks can have written.

use heal_guard::Halt;
use heal_runtime::Timestamp;
use heal_runtime::halts::HALT_CACHE_MS;
use heal_runtime::port::Clock as _;

use super::process::YEAR_MS;
use super::stage::Stage;

/// A halt of the engine.
pub struct OwnHalt {
    /// As it was last.
    pub halt: Halt,
    /// When it was first seen to end when, each time that it was prolonged.
    pub ends: Vec<(Timestamp, Timestamp)>,
    pub last_seen: Timestamp,
}

impl OwnHalt {
    /// Whether every process whose clock differs from the true time by at most `skew_ms` knows at `at` that it lasts.
    pub fn surely_lasts(&self, at: Timestamp, skew_ms: u64) -> bool {
        let known = self.ends.iter().filter(|(seen, _)| seen.plus_ms(HALT_CACHE_MS + skew_ms) <= at);
        at < self.last_seen && known.map(|(_, end)| *end).max().is_some_and(|end| at.plus_ms(skew_ms) < end)
    }
}

impl Stage {
    /// Remembers which halts the engine itself has ordered, and until when they surely lasted.
    pub fn watch_halts(&mut self) {
        let now = self.clock.now();
        for halt in self.switches.rows().into_iter().filter(|halt| halt.by.starts_with("system:")) {
            // A storm that comes back soon after its end has the same id.
            let which = (halt.id.clone(), halt.since);
            let own = self.own_halts.entry(which).or_insert_with(|| OwnHalt {
                halt: halt.clone(),
                ends: Vec::new(),
                last_seen: now,
            });
            if own.ends.last().is_none_or(|(_, end)| *end != halt.until) {
                own.ends.push((now, halt.until));
            }
            (own.halt, own.last_seen) = (halt, now);
        }
    }

    /// Whether a clock that was wrong has written `at`.
    pub fn is_of_a_wrong_clock(&self, at: Timestamp) -> bool {
        self.may_be_wrong && self.healed_at.is_some_and(|healed_at| at > healed_at.plus_ms(YEAR_MS as u64 / 2))
    }

    /// Whether a clock was a year ahead in the `window_ms` before `at`: whoever had it believed that every window had ended.
    pub fn was_wrong_within(&self, window_ms: u64, at: Timestamp) -> bool {
        self.wrong_at.iter().any(|wrong_at| *wrong_at <= at && at < wrong_at.plus_ms(window_ms))
    }

    /// Milliseconds by which two right clocks differ in this course.
    pub fn apart_ms(&self) -> u64 {
        self.skews_ms[0].abs_diff(self.skews_ms[1])
    }

    /// Milliseconds by which a right clock differs from the true time in this course, at most.
    pub fn skew_ms(&self) -> u64 {
        self.skews_ms.iter().map(|skew_ms| skew_ms.unsigned_abs()).max().unwrap_or(0)
    }
}
