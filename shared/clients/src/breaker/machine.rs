//! The breaker's rules, pure: the record of a service, what happened and the time give the next record.

use std::time::Duration;

use heal_runtime::Timestamp;
use heal_runtime::port::BreakerRecord;

/// When a breaker opens, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// Consecutive failures of the connection that open it, at least 1; of calls that the service failed at, at twice as many targets.
    pub threshold: u32,
    /// From the opening to the first trial call, and from a trial call without a result to the next one.
    pub reset: Duration,
}

impl Default for Settings {
    /// 5 failures, 60 seconds (the guide's settings).
    fn default() -> Self {
        Self { threshold: 5, reset: Duration::from_mins(1) }
    }
}

/// The state as a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Every call passes.
    Closed,
    /// No call passes.
    Open,
    /// One trial call is in flight.
    HalfOpen,
}

impl State {
    /// The state that `record` describes; no record is closed.
    pub const fn from_record(record: Option<&BreakerRecord>) -> Self {
        match record {
            None => Self::Closed,
            Some(BreakerRecord { trial: None, .. }) => Self::Open,
            Some(BreakerRecord { trial: Some(_), .. }) => Self::HalfOpen,
        }
    }

    /// Its word in logs and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half_open",
        }
    }
}

/// Whether a call may pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Admission {
    /// It passes.
    Pass,
    /// It passes as the trial call, once the trial is written.
    Trial,
    /// It does not pass.
    Refuse {
        /// Until the next trial call.
        retry_after: Duration,
    },
}

/// A change of a service's record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// The threshold was reached, or a trial call failed.
    Open,
    /// A trial call starts.
    TakeTrial {
        /// Unique to the trial call.
        holder: String,
    },
    /// The trial call proved nothing: the next call is a trial too.
    ReleaseTrial,
    /// The trial call succeeded.
    Close,
}

impl Settings {
    /// Whether a call may pass at `now`. A clock that was put back refuses for at most the reset time.
    pub fn admit(&self, record: Option<&BreakerRecord>, now: Timestamp) -> Admission {
        let Some(record) = record else { return Admission::Pass };
        let until = record.trial.as_ref().map_or(record.open_until, |(_, until)| *until);
        match until.since_ms(now) {
            0 => Admission::Trial,
            left_ms => Admission::Refuse { retry_after: Duration::from_millis(left_ms).min(self.reset) },
        }
    }

    /// When an opening or a trial call that starts at `now` ends.
    pub fn until(&self, now: Timestamp) -> Timestamp {
        now.plus_ms(u64::try_from(self.reset.as_millis()).unwrap_or(u64::MAX))
    }

    /// The record after `change` at `now`.
    pub fn apply(&self, record: Option<BreakerRecord>, change: &Change, now: Timestamp) -> Option<BreakerRecord> {
        let until = self.until(now);
        match change {
            Change::Close => None,
            Change::Open => Some(BreakerRecord { opened_at: now, open_until: until, trial: None }),
            Change::TakeTrial { holder } => {
                record.map(|record| BreakerRecord { trial: Some((holder.clone(), until)), ..record })
            }
            Change::ReleaseTrial => record.map(|record| BreakerRecord { trial: None, ..record }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTINGS: Settings = Settings { threshold: 5, reset: Duration::from_mins(1) };

    fn opened_at(ms: u64) -> Option<BreakerRecord> {
        SETTINGS.apply(None, &Change::Open, Timestamp(ms))
    }

    #[test]
    fn a_service_without_a_record_lets_every_call_pass() {
        assert_eq!(SETTINGS.admit(None, Timestamp(0)), Admission::Pass);
    }

    #[test]
    fn an_open_one_refuses_until_the_reset_time_has_passed() {
        let open = opened_at(1_000);
        let refuse = Admission::Refuse { retry_after: Duration::from_millis(1) };
        assert_eq!(SETTINGS.admit(open.as_ref(), Timestamp(60_999)), refuse);
        assert_eq!(SETTINGS.admit(open.as_ref(), Timestamp(61_000)), Admission::Trial);
    }

    #[test]
    fn a_trial_in_flight_is_the_only_one_until_it_expires() {
        let holder = "a".to_owned();
        let trial = SETTINGS.apply(opened_at(0), &Change::TakeTrial { holder }, Timestamp(60_000));
        assert_eq!(State::from_record(trial.as_ref()), State::HalfOpen);
        assert!(matches!(SETTINGS.admit(trial.as_ref(), Timestamp(60_001)), Admission::Refuse { .. }));
        assert_eq!(SETTINGS.admit(trial.as_ref(), Timestamp(120_000)), Admission::Trial);
    }

    #[test]
    fn a_clock_that_was_put_back_refuses_for_at_most_the_reset_time() {
        let refuse = Admission::Refuse { retry_after: SETTINGS.reset };
        assert_eq!(SETTINGS.admit(opened_at(10_000).as_ref(), Timestamp(0)), refuse);
    }
}
