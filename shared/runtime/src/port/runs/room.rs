//! Room among the live runs: how many may be live at the same time, and which run is admitted next.

use std::collections::BTreeMap;

use heal_engine::severity::Severity;
use heal_engine::{RunId, Timestamp};

use super::{Appended, RunHead};

/// Waiting runs of one playbook that [`RunLog::occupancy`](super::RunLog::occupancy) names.
pub const WAITING_RUNS: usize = 50;

/// Live runs of some playbooks together that may take room at the same time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomBound {
    /// The playbooks whose runs count.
    pub playbooks: Vec<String>,
    /// Runs that may take room at the same time; at least 1.
    pub max: u32,
}

/// The room that a run takes from now until its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Room {
    /// The run takes room only if every bound has some left.
    pub bounds: Vec<RoomBound>,
    /// Whether runs that wait for the same room go first: true of a run that has not waited itself.
    pub yields: bool,
}

/// The result of [`RunLog::admit`](super::RunLog::admit).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admitted {
    /// There is no room: nothing is stored.
    Full,
    /// There is room, and the answer to the commit is this.
    Written(Appended),
}

/// The live runs that take room, and those that wait for it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Occupancy {
    /// Runs that take room, by playbook.
    pub taken: BTreeMap<String, u32>,
    /// Of each playbook the first [`WAITING_RUNS`] runs that wait for room and that nothing holds, in the order in which they are admitted.
    pub waiting: Vec<WaitingRun>,
}

/// A run that waits for room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaitingRun {
    /// The run.
    pub run_id: RunId,
    /// Its playbook.
    pub playbook: String,
    /// As [`place`] has it.
    pub place: (usize, Timestamp),
}

/// What waiting runs are ordered by, the least first: the severity, the most severe first, then the start of the run, the oldest first.
pub fn place(severity: Option<&str>, started_at: Timestamp) -> (usize, Timestamp) {
    (Severity::rank(severity), started_at)
}

/// The number of a waiting run among `waiting`, the waiting runs of its playbook, counted from 1. Those that are held are passed over.
pub fn number_in_queue(head: &RunHead, waiting: &[RunHead]) -> usize {
    let place =
        |head: &RunHead| (self::place(head.subject.severity.as_deref(), head.started_at), head.run_id.to_string());
    let own = place(head);
    1 + waiting.iter().filter(|other| other.held_by.is_none() && place(other) < own).count()
}

impl Room {
    /// Whether every bound has room left among the runs that take it.
    pub fn is_free(&self, taken: &BTreeMap<String, u32>) -> bool {
        let count = |bound: &RoomBound| bound.playbooks.iter().filter_map(|name| taken.get(name)).sum::<u32>();
        self.bounds.iter().all(|bound| count(bound) < bound.max)
    }

    /// Whether the run may take room now. `waits` says whether a run of a playbook waits that nothing holds.
    pub fn admits(&self, taken: &BTreeMap<String, u32>, waits: impl Fn(&str) -> bool) -> bool {
        let is_behind = || self.bounds.iter().flat_map(|bound| &bound.playbooks).any(|name| waits(name));
        self.is_free(taken) && !(self.yields && is_behind())
    }
}

impl Occupancy {
    /// Sorts the waiting runs, and keeps the first [`WAITING_RUNS`] of each playbook.
    pub fn sort(&mut self) {
        self.waiting.sort_by(|a, b| (a.place, a.run_id.as_str()).cmp(&(b.place, b.run_id.as_str())));
        let mut kept: BTreeMap<String, usize> = BTreeMap::new();
        self.waiting.retain(|run| {
            let kept = kept.entry(run.playbook.clone()).or_default();
            *kept += 1;
            *kept <= WAITING_RUNS
        });
    }

    /// Whether a run of this playbook waits that nothing holds.
    pub fn waits(&self, playbook: &str) -> bool {
        self.waiting.iter().any(|run| run.playbook == playbook)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn room(yields: bool) -> Room {
        let bound = |playbooks: &[&str], max| RoomBound {
            playbooks: playbooks.iter().map(|name| (*name).to_owned()).collect(),
            max,
        };
        Room { bounds: vec![bound(&["restart"], 2), bound(&["restart", "replan"], 3)], yields }
    }

    fn taken(restart: u32, replan: u32) -> BTreeMap<String, u32> {
        BTreeMap::from([("restart".to_owned(), restart), ("replan".to_owned(), replan), ("other".to_owned(), 99)])
    }

    #[test]
    fn a_run_needs_room_under_every_bound() {
        assert!(room(false).is_free(&BTreeMap::new()) && room(false).is_free(&taken(1, 1)));
        assert!(!room(false).is_free(&taken(2, 0)), "its playbook is full");
        assert!(!room(false).is_free(&taken(1, 2)), "its service is full");
    }

    #[test]
    fn a_run_that_has_not_waited_goes_behind_those_that_wait_for_the_same_room() {
        let replan_waits = |name: &str| name == "replan";
        assert!(!room(true).admits(&taken(0, 0), replan_waits));
        assert!(room(false).admits(&taken(0, 0), replan_waits), "it has waited itself");
        assert!(room(true).admits(&taken(0, 0), |name| name == "other"));
    }

    #[test]
    fn the_most_severe_is_first_then_the_oldest() {
        let waiting = |run_id: &str, severity: Option<&str>, at| WaitingRun {
            run_id: RunId::new(run_id),
            playbook: "restart".to_owned(),
            place: place(severity, Timestamp(at)),
        };
        let mut occupancy = Occupancy {
            taken: BTreeMap::new(),
            waiting: vec![
                waiting("unknown", None, 1),
                waiting("low", Some("LOW"), 1),
                waiting("younger", Some("HIGH"), 9),
                waiting("older", Some("HIGH"), 8),
                waiting("critical", Some("critical"), 10),
            ],
        };
        occupancy.sort();
        let order: Vec<_> = occupancy.waiting.iter().map(|run| run.run_id.as_str()).collect();
        assert_eq!(order, ["critical", "older", "younger", "low", "unknown"]);
        occupancy.waiting = (0..60).map(|at| waiting(&format!("{at}"), None, at)).collect();
        occupancy.sort();
        assert_eq!(occupancy.waiting.len(), WAITING_RUNS);
    }
}
