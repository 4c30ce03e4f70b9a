//! The failures that open a breaker, counted since the last answer.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use super::machine::Settings;
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
}

impl Failures {
    /// An answer starts the count again; a target that the service failed at counts once.
    pub(super) fn count(&mut self, lesson: Lesson, target: &str) {
        match lesson {
            Lesson::Answers => *self = Self::default(),
            Lesson::IsAway => self.count_absence(),
            Lesson::FailedAtTarget => self.count_target(target),
            Lesson::Nothing => {}
        }
    }

    fn count_absence(&mut self) {
        self.absences = self.absences.saturating_add(1);
    }

    fn count_target(&mut self, target: &str) {
        if self.targets.len() < MAX_TARGETS {
            let mut hasher = DefaultHasher::new();
            target.hash(&mut hasher);
            self.targets.insert(hasher.finish());
        }
    }

    /// Whether they open the breaker.
    pub(super) fn open(&self, settings: &Settings) -> bool {
        let threshold = usize::try_from(settings.threshold).unwrap_or(MAX_TARGETS);
        let targets = threshold.saturating_mul(TARGETS_PER_FAILURE).min(MAX_TARGETS);
        self.absences >= settings.threshold || self.targets.len() >= targets
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed_at(targets: usize) -> Failures {
        let mut failures = Failures::default();
        (0..targets).for_each(|number| failures.count_target(&format!("t-{number}")));
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
        (0..1_000).for_each(|_| one.count_target("t-1"));
        assert!(!one.open(&Settings { threshold: 1, ..Settings::default() }));
        assert_eq!(failed_at(1_000).targets.len(), MAX_TARGETS);
        assert!(failed_at(MAX_TARGETS).open(&Settings { threshold: u32::MAX, ..Settings::default() }));
    }
}
