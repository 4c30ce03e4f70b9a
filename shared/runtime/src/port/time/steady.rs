//! A wall clock that does not go back, made of one that may and of the time since the process began.

use heal_engine::Timestamp;

/// Milliseconds by which wall clock and elapsed time may differ between two reads without being a jump: time services correct so much.
const JUMP_MS: u64 = 1_000;
/// The largest step back that is evened out, in milliseconds: one day, longer than a wrong time zone. After a larger one the old time is useless.
const EVENED_MS: u64 = 86_400_000;
/// While the wall clock is behind, one in so many milliseconds is left out.
const SLOWER: u64 = 10;

/// Milliseconds that may pass while both clocks are read. A thread that is put aside between the two would take its own pause for a jump.
const PAIRED_MS: u64 = 100;
/// Reads after which a pair is taken as it is.
const READS: usize = 5;

/// Reads a wall clock and the milliseconds since the process began so that both are of the same moment.
pub(super) fn pair(mut wall: impl FnMut() -> Timestamp, mut elapsed_ms: impl FnMut() -> u64) -> (Timestamp, u64) {
    let mut before = elapsed_ms();
    for _ in 1..READS {
        let (wall, after) = (wall(), elapsed_ms());
        if after.saturating_sub(before) <= PAIRED_MS {
            return (wall, after);
        }
        before = after;
    }
    (wall(), elapsed_ms())
}

/// The clock's state at its last read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Steady {
    now: Timestamp,
    wall: Timestamp,
    /// Milliseconds since the process began.
    elapsed_ms: u64,
}

/// The wall clock was set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Jump {
    /// Back by less than a day: time goes on slowly until the clock has caught up.
    Back {
        /// Milliseconds.
        by_ms: u64,
    },
    /// Further back: the old time is useless.
    FarBack {
        /// Milliseconds.
        by_ms: u64,
    },
    /// Ahead, or the process did not run.
    Ahead {
        /// Milliseconds.
        by_ms: u64,
    },
}

impl Jump {
    /// Its word in metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Back { .. } => "back",
            Self::FarBack { .. } => "far_back",
            Self::Ahead { .. } => "ahead",
        }
    }
}

impl Steady {
    pub(super) const fn new(wall: Timestamp) -> Self {
        Self { now: wall, wall, elapsed_ms: 0 }
    }

    /// Goes on from `seen` if that is ahead by no more than what is evened out.
    pub(super) fn raise(&mut self, seen: Timestamp) -> bool {
        let is_behind = seen > self.now && seen.since_ms(self.now) <= EVENED_MS;
        if is_behind {
            self.now = seen;
        }
        is_behind
    }

    /// The time, where the wall clock reads `wall` and the process has run for `elapsed_ms`; and whether the clock was set since the last read.
    pub(super) fn advance(&mut self, wall: Timestamp, elapsed_ms: u64) -> (Timestamp, Option<Jump>) {
        let passed = elapsed_ms.saturating_sub(self.elapsed_ms);
        let expected = self.wall.plus_ms(passed);
        let (behind, ahead) = (expected.since_ms(wall), wall.since_ms(expected));
        let jump = match (behind, ahead) {
            (by_ms, _) if by_ms > EVENED_MS => Some(Jump::FarBack { by_ms }),
            (by_ms, _) if by_ms > JUMP_MS => Some(Jump::Back { by_ms }),
            (_, by_ms) if by_ms > JUMP_MS => Some(Jump::Ahead { by_ms }),
            _ => None,
        };
        let is_too_far = self.now.since_ms(wall) > EVENED_MS;
        self.now = if wall >= self.now || is_too_far {
            wall
        } else {
            // The wall clock may catch up within this step.
            self.now.plus_ms(passed - passed / SLOWER).max(wall)
        };
        (self.wall, self.elapsed_ms) = (wall, elapsed_ms);
        (self.now, jump)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp(1_700_000_000_000);
    const HOUR_MS: u64 = 3_600_000;

    #[test]
    fn a_wait_of_two_seconds_takes_two_although_the_clock_is_put_back_an_hour() {
        let mut steady = Steady::new(START);
        let due = START.plus_ms(2_000);
        let back = Timestamp(START.0 - HOUR_MS);
        assert_eq!(steady.advance(back, 10), (START.plus_ms(9), Some(Jump::Back { by_ms: HOUR_MS + 10 })));
        let waited =
            (1..1_000).map(|step| step * 10).find(|ms| steady.advance(back.plus_ms(*ms), 10 + ms).0 >= due).unwrap();
        assert!((1_990..2_300).contains(&waited), "{waited} ms");
    }

    #[test]
    fn time_never_goes_back_and_meets_the_wall_clock_again() {
        let mut steady = Steady::new(START);
        let back = Timestamp(START.0 - HOUR_MS);
        let mut before = START;
        for step in 1..=12 * 60_u64 {
            let (now, _) = steady.advance(back.plus_ms(step * 60_000), step * 60_000);
            assert!(now >= before, "step {step}");
            before = now;
        }
        assert_eq!(before, back.plus_ms(12 * HOUR_MS));
    }

    #[test]
    fn a_clock_that_was_a_year_ahead_is_believed_when_it_is_put_right() {
        let year_ms = 365 * 86_400_000;
        let mut steady = Steady::new(START.plus_ms(year_ms));
        let (now, jump) = steady.advance(START, 0);
        assert_eq!((now, jump), (START, Some(Jump::FarBack { by_ms: year_ms })));
        assert_eq!(steady.advance(START.plus_ms(5), 5), (START.plus_ms(5), None));
    }

    #[test]
    fn time_goes_on_from_what_a_store_has_seen_unless_that_is_far_ahead() {
        let mut steady = Steady::new(START);
        assert!(!steady.raise(Timestamp(START.0 - 1)) && !steady.raise(START.plus_ms(EVENED_MS + 1)));
        let seen = START.plus_ms(HOUR_MS);
        assert!(steady.raise(seen));
        assert_eq!(steady.advance(START.plus_ms(10), 10), (seen.plus_ms(9), None));
    }

    #[test]
    fn a_thread_that_is_put_aside_between_both_clocks_reads_them_again() {
        let read = |elapsed: &[u64]| {
            let (mut walls, mut elapsed) = ((0..).map(Timestamp), elapsed.iter().copied());
            pair(|| walls.next().unwrap(), || elapsed.next().unwrap())
        };
        assert_eq!(read(&[0, PAIRED_MS]), (Timestamp(0), PAIRED_MS));
        assert_eq!(read(&[0, 5_000, 5_001]), (Timestamp(1), 5_001));
        assert_eq!(read(&[0, 1_000, 2_000, 3_000, 4_000, 5_000]), (Timestamp(READS as u64 - 1), 5_000));
    }

    #[test]
    fn a_step_ahead_is_taken_at_once() {
        let mut steady = Steady::new(START);
        let ahead = START.plus_ms(HOUR_MS);
        assert_eq!(steady.advance(ahead, 0), (ahead, Some(Jump::Ahead { by_ms: HOUR_MS })));
        assert_eq!(steady.advance(ahead.plus_ms(JUMP_MS), 0), (ahead.plus_ms(JUMP_MS), None));
    }
}
