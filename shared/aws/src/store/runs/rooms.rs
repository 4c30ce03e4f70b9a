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

mod reading;

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
use crate::store::call::Change;
use crate::store::item::Item;
use crate::store::{Store, key};
use reading::{Reading, Verdict};

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

/// The right to write the row of one run that takes room.
pub(super) struct Grant<'r> {
    rooms: &'r Rooms,
    playbook: String,
    _gate: RwLockReadGuard<'r, ()>,
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
