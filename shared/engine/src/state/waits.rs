//! How long a run has waited in queues and for people.

use super::State;
use crate::limit;
use crate::time::Timestamp;

/// The union of the intervals in which a run waited: attempts that wait at the same time count once.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Waits {
    /// Milliseconds of the intervals that no later one can overlap.
    settled_ms: u64,
    /// The others, disjoint and in order.
    open: Vec<(Timestamp, Timestamp)>,
}

impl Waits {
    /// Milliseconds in all, at most [`limit::WAIT_MS`].
    pub(crate) fn total_ms(&self) -> u64 {
        let open = self.open.iter().map(|(from, to)| to.since_ms(*from));
        open.fold(self.settled_ms, u64::saturating_add).min(limit::WAIT_MS)
    }

    /// Adds an interval.
    fn add(&mut self, mut from: Timestamp, mut to: Timestamp) {
        if to <= from {
            return;
        }
        self.open.retain(|(start, end)| {
            let is_apart = *end < from || *start > to;
            if !is_apart {
                (from, to) = (from.min(*start), to.max(*end));
            }
            is_apart
        });
        let place = self.open.partition_point(|(start, _)| *start < from);
        self.open.insert(place, (from, to));
    }

    /// Sums up the intervals that end before `moment`, from which on all later ones start.
    fn settle(&mut self, moment: Timestamp) {
        let ended = self.open.partition_point(|(_, end)| *end < moment);
        let ended = self.open.drain(..ended).map(|(from, to)| to.since_ms(from));
        self.settled_ms = ended.fold(self.settled_ms, u64::saturating_add);
    }
}

impl State {
    /// Milliseconds in which a command of the run waited for a worker, a result or a due timer for the dispatcher, or a step for people. The run's
    /// deadline is later by as much.
    pub fn waited_ms(&self) -> u64 {
        self.waits.total_ms()
    }

    /// When the run's time is over, seen from `now`: while a step waits for people, the time stands still.
    pub(crate) fn deadline_at(&self, now: Timestamp) -> Timestamp {
        self.deadline_after(self.asked_from(), now)
    }

    /// When the run's time is over if it has waited from `from` until `now` as well.
    pub(super) fn deadline_after(&self, from: Option<Timestamp>, now: Timestamp) -> Timestamp {
        let Some(from) = from else { return self.deadline };
        let mut waits = self.waits.clone();
        waits.add(from, now);
        self.deadline.plus_ms(waits.total_ms().saturating_sub(self.waits.total_ms()))
    }

    /// Since when a step waits for people.
    pub(super) fn asked_from(&self) -> Option<Timestamp> {
        self.asking.iter().filter_map(|step| self.step_question(*step)).map(|question| question.at).min()
    }

    /// A message of the run waited in a queue, or a step for people, in these intervals. What a held run adds later, it does not wait.
    pub(crate) fn wait_in_queues(&mut self, intervals: &[(Timestamp, Timestamp)]) {
        let before = self.waits.total_ms();
        let held_from = self.held.as_ref().map(|held| held.since);
        for (from, to) in intervals {
            self.waits.add(*from, held_from.map_or(*to, |held_from| held_from.min(*to)));
        }
        // Later intervals start where something pending starts to wait, or later.
        let earliest = self.pending.values().filter_map(super::Pending::waits_from).min();
        self.waits.settle(earliest.unwrap_or(Timestamp(u64::MAX)));
        self.deadline = self.deadline.plus_ms(self.waits.total_ms().saturating_sub(before));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn total(intervals: &[(u64, u64)]) -> u64 {
        let mut waits = Waits::default();
        for (from, to) in intervals {
            waits.add(Timestamp(*from), Timestamp(*to));
        }
        waits.total_ms()
    }

    #[test]
    fn intervals_count_once_in_whatever_order_they_come() {
        assert_eq!(total(&[(0, 50), (100, 110)]), 60);
        assert_eq!(total(&[(100, 110), (0, 50)]), 60);
        assert_eq!(total(&[(0, 50), (20, 80), (90, 100), (40, 95)]), 100);
        assert_eq!(total(&[(0, 100), (10, 20)]), 100);
        assert_eq!(total(&[(10, 10), (20, 10)]), 0);
    }

    #[test]
    fn settled_intervals_are_counted_and_no_longer_kept() {
        let mut waits = Waits::default();
        waits.add(Timestamp(0), Timestamp(10));
        waits.add(Timestamp(20), Timestamp(30));
        waits.settle(Timestamp(15));
        assert_eq!((waits.settled_ms, waits.open.len(), waits.total_ms()), (10, 1, 20));
    }

    #[test]
    fn a_run_is_extended_by_at_most_a_day() {
        assert_eq!(total(&[(0, 86_400_001)]), limit::WAIT_MS);
        assert_eq!(limit::WAIT_MS, 86_400_000);
    }
}
