//! The count of runs for one target: the same remedy again and again does not heal it.

use heal_engine::format::Format;
use heal_engine::{RunId, Timestamp};
use serde::{Deserialize, Serialize};

use super::{Created, NewRun};
use crate::port::has_passed;

/// Milliseconds that an escalation waits for a person: one year. Afterwards the target counts as new.
const ESCALATION_KEPT_MS: u64 = 365 * 86_400_000;

/// How a new run is counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repeat {
    /// What is counted: the playbook and its target.
    pub key: String,
    /// Runs that may start in a window, at least 1; at most [`heal_engine::limit::REPEATED_RUNS`].
    pub max: u32,
    /// Milliseconds of the window, from the start of each run.
    pub window_ms: u64,
    /// Whether the run is the escalation itself: it is created although the bound is reached, and then stands for the target.
    pub escalates: bool,
    /// An escalation that is over: it no longer stands for the target, and the count starts anew.
    pub acknowledged: Option<RunId>,
}

/// What a store keeps under a [`Repeat::key`]. The decision is made here, alike for every store.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct RepeatCounter {
    /// The runs of the window, and before them as many others as [`Repeat::max`] allows.
    runs: Vec<CountedRun>,
    /// The run that stands for the target until somebody acknowledges it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    escalated: Option<RunId>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct CountedRun {
    run_id: RunId,
    at: Timestamp,
}

impl Format for RepeatCounter {
    const NAME: &'static str = "count of repeated runs";
}

impl RepeatCounter {
    /// The counter after `run` was created.
    ///
    /// # Errors
    /// Why `run` must not be created: [`Created::Repeated`] or [`Created::Escalated`].
    pub fn admit(&self, run: &NewRun, repeat: &Repeat) -> Result<Self, Created> {
        self.admit_at(&run.commit.run_id, run.commit.at, repeat)
    }

    fn admit_at(&self, run_id: &RunId, now: Timestamp, repeat: &Repeat) -> Result<Self, Created> {
        let is_over = self.escalated.is_some() && self.escalated == repeat.acknowledged;
        let before = if is_over { Self::default() } else { self.clone() };
        if let Some(run_id) = before.escalated {
            return Err(Created::Escalated { run_id });
        }
        // A run from the future was counted by a clock that was wrong: it is not known to be of this window.
        let is_counted =
            |counted: &CountedRun| now < counted.at.plus_ms(repeat.window_ms) && has_passed(counted.at, now);
        let (mut runs, mut others): (Vec<_>, Vec<_>) = before.runs.into_iter().partition(is_counted);
        if repeat.escalates {
            return Ok(Self { runs, escalated: Some(run_id.clone()) });
        }
        if runs.len() >= repeat.max as usize {
            return Err(Created::Repeated { runs: runs.into_iter().map(|counted| counted.run_id).collect() });
        }
        runs.push(CountedRun { run_id: run_id.clone(), at: now });
        // Whoever has a wrong clock forgets no run that the others count.
        others.drain(..others.len().saturating_sub(repeat.max as usize));
        others.append(&mut runs);
        Ok(Self { runs: others, escalated: None })
    }

    /// When the counter no longer says anything about a run that starts at `now` or later.
    pub fn expires_at(&self, now: Timestamp, repeat: &Repeat) -> Timestamp {
        now.plus_ms(if self.escalated.is_some() { ESCALATION_KEPT_MS } else { repeat.window_ms })
    }
}

#[cfg(test)]
mod tests {
    use heal_engine::format;

    use super::*;
    use crate::port::CLOCK_SKEW_MS;

    #[test]
    fn a_count_expires_with_its_window_and_an_escalation_after_a_year() {
        let repeat = Repeat { key: String::new(), max: 1, window_ms: 5, escalates: false, acknowledged: None };
        let escalated = RepeatCounter { escalated: Some(RunId::new("run-1")), ..RepeatCounter::default() };
        assert_eq!(RepeatCounter::default().expires_at(Timestamp(7), &repeat), Timestamp(12));
        assert_eq!(escalated.expires_at(Timestamp(7), &repeat), Timestamp(7 + 31_536_000_000));
    }

    #[test]
    fn a_run_that_a_clock_a_year_ahead_counted_is_not_of_this_window() {
        let counted =
            |at| RepeatCounter { runs: vec![CountedRun { run_id: RunId::new("run-1"), at }], escalated: None };
        let repeat = Repeat { key: String::new(), max: 1, window_ms: 60_000, escalates: false, acknowledged: None };
        let (now, run_id) = (Timestamp(1_000_000), RunId::new("run-2"));
        for (at, is_counted) in
            [(now, true), (now.plus_ms(CLOCK_SKEW_MS), true), (now.plus_ms(365 * 86_400_000), false)]
        {
            assert_eq!(counted(at).admit_at(&run_id, now, &repeat).is_err(), is_counted, "{at:?}");
        }
    }

    #[test]
    fn a_clock_a_year_ahead_forgets_no_run_that_the_others_count() {
        let repeat = Repeat { key: String::new(), max: 2, window_ms: 60_000, escalates: false, acknowledged: None };
        let (now, ahead) = (Timestamp(1_000_000), Timestamp(1_000_000).plus_ms(365 * 86_400_000));
        let run = |number: u64| RunId::new(format!("run-{number}"));
        let mut counter = RepeatCounter::default();
        for (number, at) in [(1, now), (2, ahead), (3, now.plus_ms(1)), (4, ahead.plus_ms(1))] {
            counter = counter.admit_at(&run(number), at, &repeat).unwrap();
        }
        let refused = counter.admit_at(&run(5), now.plus_ms(2), &repeat).unwrap_err();
        assert_eq!(refused, Created::Repeated { runs: vec![run(1), run(3)] });
        // What is kept is bounded.
        for number in 6..100 {
            counter = counter.admit_at(&run(number), ahead.plus_ms(number * 60_000), &repeat).unwrap();
            assert!(counter.runs.len() <= 3, "{counter:?}");
        }
    }

    #[test]
    fn stored_counters_are_read_as_they_were_written() {
        let counted = |run: &str, at| CountedRun { run_id: RunId::new(run), at: Timestamp(at) };
        let runs = vec![counted("run-1", 5), counted("run-2", 7)];
        for (text, counter) in [
            (r#"{"runs":[]}"#, RepeatCounter::default()),
            (
                r#"{"runs":[{"run_id":"run-1","at":5},{"run_id":"run-2","at":7}],"escalated":"run-3"}"#,
                RepeatCounter { runs, escalated: Some(RunId::new("run-3")) },
            ),
        ] {
            assert_eq!(format::encode(&counter), text);
            assert_eq!(format::decode::<RepeatCounter>(text).unwrap(), counter);
        }
    }
}
