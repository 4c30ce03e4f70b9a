//! One reading of the live rows, and whom it lets in.

use heal_runtime::Timestamp;
use heal_runtime::port::{Occupancy, Room};

use crate::limit::{ROOM_READING_MS, ROOM_SHARE};

/// The live rows as they were at a moment, and the runs that this process has let in since.
#[derive(Debug)]
pub(super) struct Reading {
    pub at: Timestamp,
    pub occupancy: Occupancy,
    pub let_in: u32,
    /// A run has ended since, so there may be more room.
    pub is_behind: bool,
}

pub(super) enum Verdict {
    Granted,
    Full,
    /// The reading is too old, or has let in as many runs as it may.
    Unknown,
}

impl Reading {
    pub const fn is_recent(&self, now: Timestamp) -> bool {
        now.since_ms(self.at) < ROOM_READING_MS && self.at.since_ms(now) < ROOM_READING_MS
    }

    /// Runs that the reading may let in under `room`, those that it has let in included.
    fn most(&self, room: &Room) -> u32 {
        let taken =
            |playbooks: &[String]| playbooks.iter().filter_map(|name| self.occupancy.taken.get(name)).sum::<u32>();
        let free = room.bounds.iter().map(|bound| bound.max.saturating_sub(taken(&bound.playbooks))).min();
        ((free.unwrap_or(u32::MAX).saturating_add(self.let_in)) / ROOM_SHARE).max(1)
    }

    pub fn let_in(&mut self, now: Timestamp, playbook: &str, room: &Room) -> Verdict {
        if !self.is_recent(now) {
            return Verdict::Unknown;
        }
        if !room.admits(&self.occupancy.taken, |name| self.occupancy.waits(name)) {
            return if self.is_behind { Verdict::Unknown } else { Verdict::Full };
        }
        if self.let_in >= self.most(room) {
            return Verdict::Unknown;
        }
        self.let_in += 1;
        *self.occupancy.taken.entry(playbook.to_owned()).or_default() += 1;
        Verdict::Granted
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use heal_runtime::port::RoomBound;

    use super::*;

    fn room(max: u32) -> Room {
        Room { bounds: vec![RoomBound { playbooks: vec!["restart".to_owned()], max }], yields: true }
    }

    fn reading(taken: u32) -> Reading {
        let taken = BTreeMap::from([("restart".to_owned(), taken)]);
        let occupancy = Occupancy { taken, waiting: Vec::new() };
        Reading { at: Timestamp(10_000), occupancy, let_in: 0, is_behind: false }
    }

    fn let_in(reading: &mut Reading, max: u32) -> u32 {
        let mut granted = 0;
        while matches!(reading.let_in(Timestamp(10_000), "restart", &room(max)), Verdict::Granted) {
            granted += 1;
        }
        granted
    }

    #[test]
    fn a_reading_lets_in_a_tenth_of_the_free_room_and_one_run_if_little_is_left() {
        assert_eq!(let_in(&mut reading(0), 100), 10);
        assert_eq!(let_in(&mut reading(50), 100), 5);
        assert_eq!(let_in(&mut reading(95), 100), 1);
        assert_eq!(let_in(&mut reading(0), 3), 1);
        assert_eq!(let_in(&mut reading(100), 100), 0);
    }

    #[test]
    fn an_old_reading_and_one_that_missed_an_end_do_not_refuse() {
        let refused = |mut reading: Reading, at| reading.let_in(Timestamp(at), "restart", &room(1));
        assert!(matches!(refused(reading(1), 10_000), Verdict::Full));
        assert!(matches!(refused(reading(1), 10_000 + ROOM_READING_MS), Verdict::Unknown));
        assert!(matches!(refused(reading(1), 10_000 - ROOM_READING_MS), Verdict::Unknown));
        assert!(matches!(refused(Reading { is_behind: true, ..reading(1) }, 10_000), Verdict::Unknown));
    }
}
