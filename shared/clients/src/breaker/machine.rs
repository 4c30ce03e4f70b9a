//! The breaker's rules, pure: a record, what happened, and the time give the next record.

use std::time::Duration;

/// When to open, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// Consecutive failures that open it; at least 1.
    pub threshold: u32,
    /// From the opening to the first trial, and from a trial that was never reported to the next one.
    pub reset: Duration,
}

impl Default for Settings {
    /// 5 failures, 60 seconds (the guide's settings).
    fn default() -> Self {
        Self { threshold: 5, reset: Duration::from_mins(1) }
    }
}

/// The breaker of one service, as it is shared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Grows by one with every change: the guard of conditional writes. 0 was never written.
    pub version: u64,
    pub phase: Phase,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Phase {
    Closed,
    /// Since epoch milliseconds.
    Open {
        since_ms: u64,
    },
    /// One trial is under way, taken by `holder` at `since_ms` (epoch milliseconds).
    HalfOpen {
        since_ms: u64,
        holder: String,
    },
}

/// The phase as a metric: without its details.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Closed,
    Open,
    HalfOpen,
}

impl State {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half_open",
        }
    }
}

/// Whether a call may go through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Admission {
    Pass,
    /// It may, once this record is committed.
    Trial(Record),
    Refuse {
        retry_after: Duration,
    },
}

impl Record {
    /// What holds where nothing was ever written.
    pub const NEW: Self = Self { version: 0, phase: Phase::Closed };

    pub fn state(&self) -> State {
        match self.phase {
            Phase::Closed => State::Closed,
            Phase::Open { .. } => State::Open,
            Phase::HalfOpen { .. } => State::HalfOpen,
        }
    }

    /// Whether a call of `caller` may go through at `now_ms`.
    pub fn admit(&self, settings: &Settings, caller: &str, now_ms: u64) -> Admission {
        let since_ms = match &self.phase {
            Phase::Closed => return Admission::Pass,
            Phase::Open { since_ms } | Phase::HalfOpen { since_ms, .. } => *since_ms,
        };
        let waited = Duration::from_millis(now_ms.saturating_sub(since_ms));
        match settings.reset.checked_sub(waited) {
            Some(left) if !left.is_zero() => Admission::Refuse { retry_after: left },
            Some(_) | None => {
                Admission::Trial(self.next(Phase::HalfOpen { since_ms: now_ms, holder: caller.to_owned() }))
            }
        }
    }

    /// The record after a trial that succeeded.
    #[must_use]
    pub fn closed(&self) -> Self {
        self.next(Phase::Closed)
    }

    /// The record after the last failure that was let pass, or after a trial that failed.
    #[must_use]
    pub fn opened(&self, now_ms: u64) -> Self {
        self.next(Phase::Open { since_ms: now_ms })
    }

    fn next(&self, phase: Phase) -> Self {
        Self { version: self.version.saturating_add(1), phase }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTINGS: Settings = Settings { threshold: 5, reset: Duration::from_mins(1) };

    #[test]
    fn a_new_record_lets_every_call_pass() {
        assert_eq!(Record::NEW.admit(&SETTINGS, "a", 0), Admission::Pass);
    }

    #[test]
    fn an_open_one_refuses_until_the_reset_time_is_over() {
        let open = Record::NEW.opened(1_000);
        assert_eq!(open.admit(&SETTINGS, "a", 60_999), Admission::Refuse { retry_after: Duration::from_millis(1) });
        let Admission::Trial(trial) = open.admit(&SETTINGS, "a", 61_000) else {
            panic!("no trial at the end of the reset time");
        };
        assert_eq!(trial.version, open.version + 1);
        assert_eq!(trial.state(), State::HalfOpen);
    }

    #[test]
    fn a_trial_under_way_is_the_only_one_until_it_lapses() {
        let open = Record::NEW.opened(0);
        let Admission::Trial(trial) = open.admit(&SETTINGS, "a", 60_000) else {
            panic!("no trial");
        };
        assert!(matches!(trial.admit(&SETTINGS, "b", 60_001), Admission::Refuse { .. }));
        assert!(matches!(trial.admit(&SETTINGS, "b", 120_000), Admission::Trial(_)));
    }

    #[test]
    fn a_clock_that_went_back_refuses_for_no_longer_than_the_reset_time() {
        let open = Record::NEW.opened(10_000);
        assert_eq!(open.admit(&SETTINGS, "a", 0), Admission::Refuse { retry_after: SETTINGS.reset });
    }
}
