//! Room among the live runs, counted by their live rows.
//!
//! A row of its own that counts the runs would cost each run two write units. Instead, each process reads the live rows and decides for itself.
//!
//! # Guarantees
//! With `n` processes, at most `max + (n - 1) * most(max)` runs take room under a bound of `max`, where `most(max)` is a tenth of `max` and at
//! least 1; near the bound, the second part is `n - 1`. With one process, the bound is exact.
//!
//! Why: a process lets in at most a tenth of the room that a reading showed free (one run, if little is left), and reads anew only after the rows
//! of all these are written. Take the newest reading that is in use. Its process counts every run whose row was there, and of each other process
//! at most those that one older reading let in are missing.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use heal_runtime::Commit;
use heal_runtime::RunStatus;
use heal_runtime::Timestamp;
use heal_runtime::port::{Admitted, Occupancy, Result, Room, RunHead, WaitingRun, place};
use tokio::sync::{RwLock, RwLockReadGuard};

use super::append;
use super::due::{self, Which};
use super::read;
use crate::limit::{ROOM_READING_MS, ROOM_SHARE};
use crate::store::call::Change;
use crate::store::item::Item;
use crate::store::{Store, key};

const OPERATION: &str = "runs.admit";

/// What this process knows of the rooms.
#[derive(Debug, Default)]
pub(in crate::store) struct Rooms {
    /// Held for reading while the row of a run that was let in is written, and for writing while the rows are read.
    gate: RwLock<()>,
    reading: Mutex<Option<Reading>>,
    /// Readings so far: who finds one of no use, and another one meanwhile, does not read again.
    readings: AtomicU64,
}

/// The live rows as they were at a moment, and the runs that this process has let in since.
#[derive(Debug)]
struct Reading {
    at: Timestamp,
    occupancy: Occupancy,
    let_in: u32,
    /// A run has ended since, so there may be more room.
    is_behind: bool,
}

/// The right to write the row of one run that takes room.
pub(super) struct Grant<'r> {
    rooms: &'r Rooms,
    playbook: String,
    _gate: RwLockReadGuard<'r, ()>,
}

enum Verdict {
    Granted,
    Full,
    /// The reading is too old, or has let in as many runs as it may.
    Unknown,
}

impl Reading {
    const fn is_recent(&self, now: Timestamp) -> bool {
        now.since_ms(self.at) < ROOM_READING_MS && self.at.since_ms(now) < ROOM_READING_MS
    }

    /// Runs that the reading may let in under `room`, those that it has let in included.
    fn most(&self, room: &Room) -> u32 {
        let taken =
            |playbooks: &[String]| playbooks.iter().filter_map(|name| self.occupancy.taken.get(name)).sum::<u32>();
        let free = room.bounds.iter().map(|bound| bound.max.saturating_sub(taken(&bound.playbooks))).min();
        ((free.unwrap_or(u32::MAX).saturating_add(self.let_in)) / ROOM_SHARE).max(1)
    }

    fn let_in(&mut self, now: Timestamp, playbook: &str, room: &Room) -> Verdict {
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

impl Rooms {
    /// The right to take `room` for a run of `playbook`; `None` if there is none.
    pub(super) async fn grant(
        &self,
        store: &Store,
        now: Timestamp,
        playbook: Option<&str>,
        room: &Room,
    ) -> Result<Option<Grant<'_>>> {
        let playbook = playbook.unwrap_or_default();
        loop {
            let gate = self.gate.read().await;
            let seen = self.readings.load(Ordering::Acquire);
            let verdict = self.with(|reading| match reading {
                Some(reading) => reading.let_in(now, playbook, room),
                None => Verdict::Unknown,
            });
            match verdict {
                Verdict::Granted => {
                    return Ok(Some(Grant { rooms: self, playbook: playbook.to_owned(), _gate: gate }));
                }
                Verdict::Full => return Ok(None),
                Verdict::Unknown => drop(gate),
            }
            self.refresh(store, now, seen).await?;
        }
    }

    /// The rooms as they are known; read anew if that is too long ago, or if a run waits and another has ended since.
    pub(super) async fn occupancy(&self, store: &Store, now: Timestamp) -> Result<Occupancy> {
        let seen = self.readings.load(Ordering::Acquire);
        let known = self.with(|reading| {
            let known = reading.as_ref().filter(|reading| reading.is_recent(now));
            known.filter(|known| known.occupancy.waiting.is_empty() || !known.is_behind).map(|it| it.occupancy.clone())
        });
        if let Some(occupancy) = known {
            return Ok(occupancy);
        }
        self.refresh(store, now, seen).await?;
        Ok(self.with(|reading| reading.as_ref().map(|it| it.occupancy.clone()).unwrap_or_default()))
    }

    /// A run has ended, or waits no longer.
    pub(super) fn note_change(&self) {
        self.with(|reading| {
            if let Some(reading) = reading {
                reading.is_behind = true;
            }
        });
    }

    /// The run waits for room now: whoever comes later goes behind it.
    pub(super) fn note_waiting(&self, head: &RunHead) {
        self.with(|reading| {
            if let (Some(reading), Some(waiting)) = (reading, waiting(head)) {
                reading.occupancy.waiting.push(waiting);
                reading.occupancy.sort();
            }
        });
    }

    /// The run waits for room no longer.
    fn note_admitted(&self, head: &RunHead) {
        self.with(|reading| {
            if let Some(reading) = reading {
                reading.occupancy.waiting.retain(|waiting| waiting.run_id != head.run_id);
            }
        });
    }

    /// Reads the rows, unless there is a newer reading than the one `seen`.
    async fn refresh(&self, store: &Store, now: Timestamp, seen: u64) -> Result<()> {
        let _gate = self.gate.write().await;
        if self.readings.load(Ordering::Acquire) != seen {
            return Ok(());
        }
        let occupancy = read_rows(store).await?;
        self.with(|reading| *reading = Some(Reading { at: now, occupancy, let_in: 0, is_behind: false }));
        self.readings.store(seen + 1, Ordering::Release);
        Ok(())
    }

    fn with<T>(&self, use_reading: impl FnOnce(&mut Option<Reading>) -> T) -> T {
        use_reading(&mut self.reading.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Grant<'_> {
    /// The run was not written after all.
    pub(super) fn give_back(self) {
        self.rooms.with(|reading| {
            let taken = reading.as_mut().and_then(|reading| reading.occupancy.taken.get_mut(&self.playbook));
            if let Some(taken) = taken {
                *taken = taken.saturating_sub(1);
            }
        });
    }
}

async fn read_rows(store: &Store) -> Result<Occupancy> {
    let mut taken: BTreeMap<String, u32> = BTreeMap::new();
    let mut waiting = Vec::new();
    for row in due::live_rows(store, "runs.occupancy", Which::All).await? {
        let Some(playbook) = row.playbook else { continue };
        if row.takes_room {
            *taken.entry(playbook).or_default() += 1;
        } else if row.waits && row.held_by.is_none() {
            let place = place(row.severity.as_deref(), row.at);
            waiting.push(WaitingRun { run_id: row.run_id, playbook, place });
        }
    }
    let mut occupancy = Occupancy { taken, waiting };
    occupancy.sort();
    Ok(occupancy)
}

/// Whether the run waits for room, so that its time stands still.
pub(super) fn waits(head: &RunHead) -> bool {
    head.status == RunStatus::Pending && head.wake_at.is_none()
}

fn waiting(head: &RunHead) -> Option<WaitingRun> {
    let place = place(head.subject.severity.as_deref(), head.started_at);
    Some(WaitingRun { run_id: head.run_id.clone(), playbook: head.playbook.clone()?, place })
}

/// Appends the commit with which the run takes `room`.
///
/// The live row first: if this process dies in between, the row counts a run that waits, and the sweep corrects it. The other way round, a run
/// would go on that nobody counts.
pub(super) async fn admit(store: &Store, commit: &Commit, head: &RunHead, room: &Room) -> Result<Admitted> {
    let Some(newest) = read::newest(store, OPERATION, &commit.run_id).await? else {
        return append::append(store, commit, head).await.map(Admitted::Written);
    };
    let playbook = newest.head.playbook.as_deref();
    let Some(grant) = store.rooms.grant(store, commit.at, playbook, room).await? else { return Ok(Admitted::Full) };
    take(store, &newest.head, &newest.live.sk).await?;
    store.rooms.note_admitted(&newest.head);
    let appended = append::append_after(store, commit, head, true).await?;
    drop(grant);
    Ok(Admitted::Written(appended))
}

/// Marks the live row as that of a run that takes room.
async fn take(store: &Store, head: &RunHead, sk: &str) -> Result<()> {
    let change = Change {
        key: key::live_by_sk(sk.to_owned()),
        update: "SET room = :yes REMOVE waits",
        condition: "run_id = :run",
        values: Item::default().text(":run", head.run_id.as_str()).flag(":yes", true),
    };
    store.update(OPERATION, change).await.map(drop)
}

/// Writes into the live row whether the run waits for room, as its newest commit says; one that does not wait any more takes room.
pub(super) async fn note(store: &Store, operation: &'static str, head: &RunHead, sk: &str) -> Result<()> {
    store.rooms.note_change();
    if !waits(head) {
        return take(store, head, sk).await;
    }
    store.rooms.note_waiting(head);
    let values = Item::default().text(":run", head.run_id.as_str()).flag(":yes", true);
    let (update, values) = match &head.subject.severity {
        Some(severity) => ("SET waits = :yes, severity = :severity REMOVE room", values.text(":severity", severity)),
        None => ("SET waits = :yes REMOVE room", values),
    };
    let change = Change { key: key::live_by_sk(sk.to_owned()), update, condition: "run_id = :run", values };
    store.update(operation, change).await.map(drop)
}

#[cfg(test)]
mod tests {
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
