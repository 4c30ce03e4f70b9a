//! The failures that open a breaker, counted since the last answer.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use super::machine::{Change, Settings};
use crate::error::Lesson;

/// Targets that a service has to fail at for each failure of the threshold: five bad ids are not an outage, ten are.
const TARGETS_PER_FAILURE: usize = 2;

/// Targets that are remembered at most, whatever the threshold is: 8 bytes each.
pub(super) const MAX_TARGETS: usize = 64;

/// Failures without an answer in between.
#[derive(Debug, Default)]
pub(super) struct Failures {
    /// Calls that found the service away.
    absences: u32,
    /// The targets of the calls that the service itself failed at, as hashes: ids are long, and come from outside.
    targets: BTreeSet<u64>,
    /// Trial calls since the opening that the service failed at for their target's sake.
    trials: usize,
}

impl Failures {
    /// An answer starts the count again; a target that the service failed at counts once.
    pub(super) fn count(&mut self, lesson: Lesson, target: &str) {
        match lesson {
            Lesson::Answers => *self = Self::default(),
            Lesson::IsAway => self.count_absence(),
            Lesson::FailedAtTarget => {
                self.count_target(target);
            }
            Lesson::Nothing => {}
        }
    }

    /// What follows from a trial call. After a 500 the call's own target may be the cause: then the next call is a trial too, so that a bad id does
    /// not keep out the good ones. After as many trials, or different targets, as open a closed breaker, the cause is the service.
    pub(super) fn after_trial(&mut self, lesson: Lesson, target: &str, settings: &Settings) -> Change {
        match lesson {
            Lesson::Answers => {
                *self = Self::default();
                Change::Close
            }
            Lesson::Nothing => Change::ReleaseTrial,
            Lesson::FailedAtTarget => {
                let is_new = self.count_target(target);
                self.trials += 1;
                if (is_new && self.targets.len() >= targets_of(settings)) || self.trials >= targets_of(settings) {
                    self.opened();
                    Change::Open
                } else {
                    Change::ReleaseTrial
                }
            }
            Lesson::IsAway => {
                self.opened();
                Change::Open
            }
        }
    }

    /// The breaker opens: what its targets are is still known at the next trial.
    pub(super) fn opened(&mut self) {
        (self.absences, self.trials) = (0, 0);
    }

    fn count_absence(&mut self) {
        self.absences = self.absences.saturating_add(1);
    }

    /// Notes a target that the service failed at. Whether it was not known yet; once [`MAX_TARGETS`] are known, no other is kept, and each counts as new.
    fn count_target(&mut self, target: &str) -> bool {
        let mut hasher = DefaultHasher::new();
        target.hash(&mut hasher);
        let hash = hasher.finish();
        if self.targets.len() < MAX_TARGETS { self.targets.insert(hash) } else { !self.targets.contains(&hash) }
    }

    /// Whether they open the breaker.
    pub(super) fn open(&self, settings: &Settings) -> bool {
        self.absences >= settings.threshold || self.targets.len() >= targets_of(settings)
    }
}

/// The number of targets that the service has to fail at.
fn targets_of(settings: &Settings) -> usize {
    let threshold = usize::try_from(settings.threshold).unwrap_or(MAX_TARGETS);
    threshold.saturating_mul(TARGETS_PER_FAILURE).min(MAX_TARGETS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed_at(targets: usize) -> Failures {
        let mut failures = Failures::default();
        for number in 0..targets {
            failures.count_target(&format!("t-{number}"));
        }
        failures
    }

    #[test]
    fn many_targets_or_few_absences_open_it() {
        let settings = Settings::default();
        assert!(!failed_at(9).open(&settings));
        assert!(failed_at(10).open(&settings));
        let mut away = Failures::default();
        (0..4).for_each(|_| away.count_absence());
        assert!(!away.open(&settings));
        away.count_absence();
        assert!(away.open(&settings));
    }

    #[test]
    fn a_target_counts_once_and_the_memory_is_bounded() {
        let mut one = Failures::default();
        assert!(one.count_target("t-1"));
        assert!((0..1_000).all(|_| !one.count_target("t-1")));
        assert!(!one.open(&Settings { threshold: 1, ..Settings::default() }));
        assert_eq!(failed_at(1_000).targets.len(), MAX_TARGETS);
        assert!(failed_at(MAX_TARGETS).open(&Settings { threshold: u32::MAX, ..Settings::default() }));
    }

    fn trial_at(failures: &mut Failures, target: &str) -> Change {
        failures.after_trial(Lesson::FailedAtTarget, target, &Settings::default())
    }

    #[test]
    fn a_trial_at_a_known_target_proves_nothing_and_one_at_a_new_target_does_where_many_failed() {
        let mut failures = failed_at(10);
        failures.opened();
        assert_eq!(trial_at(&mut failures, "t-3"), Change::ReleaseTrial);
        assert_eq!(trial_at(&mut failures, "t-10"), Change::Open);
        assert_eq!(trial_at(&mut failures, "t-10"), Change::ReleaseTrial, "it is known by now");
        assert_eq!(failures.after_trial(Lesson::Answers, "t-3", &Settings::default()), Change::Close);
        assert_eq!(failures.targets.len(), 0);
    }

    #[test]
    fn trials_at_bad_targets_end_after_as_many_as_open_a_closed_breaker() {
        let mut failures = failed_at(1);
        failures.opened();
        for _ in 0..2 {
            assert!((1..10).all(|_| trial_at(&mut failures, "t-0") == Change::ReleaseTrial));
            assert_eq!(trial_at(&mut failures, "t-0"), Change::Open);
        }
    }
}
