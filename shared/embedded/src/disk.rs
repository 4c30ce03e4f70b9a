//! A disk that takes no writes: what begins something is refused at once, what ends work in hand waits, and all goes on once there is room. A file
//! that was found damaged while it is used gets no further write.
//!
//! After a refused write nothing is written until the disk takes a write of [`limit::DISK_ROOM_BYTES`]. Otherwise the small writes of a turn
//! would go through and its large ones would not: messages would wear out their deliveries, and attempts their tries, for no fault of theirs.
//!
//! Once the disk takes writes again, what waited is written first. Only then are messages received and overdue runs continued: an attempt whose
//! result waited would otherwise be taken for one that timed out.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use heal_runtime::port::{BackendError, Result};
use rusqlite::Connection;
use tokio::time::{Instant, sleep};

use crate::error::JobError;
use crate::limit;
use crate::open::OpenError;
use crate::store::Store;

const PROBE: &str = "disk.probe";
/// The digest of a plan that no playbook has.
const PROBE_PLAN: &str = "disk.probe";
/// Bytes of a probe of a disk that has refused nothing.
const IDLE_PROBE_BYTES: u32 = 16;

/// What is known about the disk of a store.
#[derive(Debug, Default)]
pub(crate) struct Disk {
    is_full: AtomicBool,
    /// What a check of the file found; nothing is written any more.
    damage: Arc<OnceLock<String>>,
    /// Writes that wait for it.
    waiting: AtomicUsize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// What the disk answered to the last write that it refused.
    refusal: String,
    probed_at: Option<Instant>,
    /// When it last took a write after it had refused one.
    cleared_at: Option<Instant>,
}

/// The disk refused a write, and has not taken one since.
#[derive(Debug, thiserror::Error)]
#[error("the disk takes no writes: {refusal}; make room, and the work goes on")]
struct Full {
    refusal: String,
}

impl Disk {
    /// Whether the last write was refused.
    pub(crate) fn is_full(&self) -> bool {
        self.is_full.load(Ordering::Relaxed)
    }

    /// Set once the file is found damaged, to what was found.
    pub(crate) fn damage(&self) -> Arc<OnceLock<String>> {
        Arc::clone(&self.damage)
    }

    fn is_ready(&self) -> bool {
        self.damage.get().is_none() && !self.is_full() && self.waiting.load(Ordering::Relaxed) == 0
    }

    /// Remembers that the disk refused a write, if that is what `error` says.
    fn note(&self, error: &BackendError) -> bool {
        let BackendError::Unavailable { cause, .. } = error else { return false };
        let Some(job) = cause.downcast_ref::<JobError>().filter(|job| job.is_of_disk()) else { return false };
        let refusal = std::error::Error::source(job).map_or_else(|| job.to_string(), ToString::to_string);
        let is_first = !self.is_full.swap(true, Ordering::Relaxed);
        if is_first {
            tracing::error!(refusal, "the disk takes no writes: new work is refused, and runs wait");
        }
        self.lock().refusal = refusal;
        true
    }

    fn clear(&self) {
        if self.is_full.swap(false, Ordering::Relaxed) {
            self.lock().cleared_at = Some(Instant::now());
            tracing::info!("the disk takes writes again: runs go on");
        }
    }

    /// Whether the last probe is at least `age` ago; then the caller makes the next one.
    fn takes_turn(&self, age: Duration) -> bool {
        let (mut state, now) = (self.lock(), Instant::now());
        let is_due = state.probed_at.is_none_or(|probed_at| now.duration_since(probed_at) >= age);
        if is_due {
            state.probed_at = Some(now);
        }
        is_due
    }

    fn refuse(&self, operation: &'static str) -> BackendError {
        BackendError::unavailable(operation, Full { refusal: self.lock().refusal.clone() })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A write that waits for the disk.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn start(disk: &'a Disk) -> Self {
        disk.waiting.fetch_add(1, Ordering::Relaxed);
        Self(&disk.waiting)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// How long `operation` waits for a disk that takes no writes. What ends work in hand is worth waiting for: if it fails, a delivery or a claim has to
/// run out before anybody goes on. What begins something is not: the caller keeps it.
fn patience(operation: &str) -> Duration {
    match operation {
        "queue.acknowledge" | "queue.nack" | "queue.dead_letter" | "queue.settle" | "claims.finish"
        | "claims.release" => limit::DISK_PATIENCE,
        _ => Duration::ZERO,
    }
}

impl Store {
    /// Runs `work` in a transaction, and returns once the commit is on the disk. `work` may run again after a rollback.
    pub(crate) async fn write<T, W>(&self, operation: &'static str, work: W) -> Result<T>
    where
        T: Send + 'static,
        W: FnMut(&Connection) -> std::result::Result<T, JobError> + Send + 'static,
    {
        let patience = patience(operation);
        if patience.is_zero() {
            self.make_sure_of_room(operation).await?;
            return self.write_now(operation, work).await.inspect_err(|error| {
                self.disk().note(error);
            });
        }
        let give_up = Instant::now() + patience;
        let mut waiting = None;
        let work = Arc::new(Mutex::new(work));
        loop {
            let error = match self.make_sure_of_room(operation).await {
                Ok(()) => {
                    let work = Arc::clone(&work);
                    let again = move |connection: &Connection| {
                        let mut work = work.lock().unwrap_or_else(PoisonError::into_inner);
                        (*work)(connection)
                    };
                    match self.write_now(operation, again).await {
                        Err(error) if self.disk().note(&error) => error,
                        answered => return answered,
                    }
                }
                Err(error @ BackendError::Corrupt { .. }) => return Err(error),
                Err(error) => error,
            };
            if Instant::now() >= give_up {
                return Err(error);
            }
            waiting.get_or_insert_with(|| Waiting::start(self.disk()));
            sleep(limit::DISK_PROBE).await;
        }
    }

    /// Whether work may begin: the disk takes writes, and what waited for it is written. Waits for that, for at most [`limit::DISK_PAUSE`].
    pub(crate) async fn may_begin(&self) -> bool {
        let give_up = Instant::now() + limit::DISK_PAUSE;
        while !self.disk().is_ready() {
            if Instant::now() >= give_up {
                return false;
            }
            // Nobody else may be asking.
            let _ = self.make_sure_of_room("disk.probe").await;
            sleep(limit::DISK_PROBE / 4).await;
        }
        true
    }

    /// Whether it is known of every attempt in hand how it ended: what waited for the disk is written, and has reached its run.
    pub(crate) fn has_caught_up(&self) -> bool {
        let disk = self.disk();
        disk.is_ready() && disk.lock().cleared_at.is_none_or(|cleared_at| cleared_at.elapsed() >= limit::DISK_PAUSE)
    }

    /// Whether the store takes writes. Asks the disk, unless it has answered within [`limit::DISK_ANSWER`].
    ///
    /// # Errors
    /// It takes none, with what the disk answered.
    pub(crate) async fn takes_writes(&self, operation: &'static str) -> Result<()> {
        self.make_sure_of_room(operation).await?;
        if self.disk().takes_turn(limit::DISK_ANSWER) {
            self.probe(IDLE_PROBE_BYTES).await?;
        }
        Ok(())
    }

    /// # Errors
    /// The file is damaged; or the disk refused a write, and takes none yet.
    async fn make_sure_of_room(&self, operation: &'static str) -> Result<()> {
        if let Some(finding) = self.disk().damage.get() {
            let finding = finding.clone();
            return Err(BackendError::corrupt(operation, OpenError::Damaged { finding }.to_string()));
        }
        if !self.disk().is_full() {
            return Ok(());
        }
        if self.disk().takes_turn(limit::DISK_PROBE) && self.probe(limit::DISK_ROOM_BYTES).await.is_ok() {
            return Ok(());
        }
        Err(self.disk().refuse(operation))
    }

    /// Writes `bytes` and takes them back.
    async fn probe(&self, bytes: u32) -> Result<()> {
        let write = move |connection: &Connection| {
            let sql = "INSERT OR REPLACE INTO plan (digest, body) VALUES (?1, hex(zeroblob(?2)))";
            connection.execute(sql, rusqlite::params![PROBE_PLAN, bytes / 2])?;
            Ok(())
        };
        let remove = |connection: &Connection| {
            connection.execute("DELETE FROM plan WHERE digest = ?1", [PROBE_PLAN])?;
            Ok(())
        };
        let probed = async {
            self.write_now(PROBE, write).await?;
            self.write_now(PROBE, remove).await
        };
        match probed.await {
            Ok(()) => {
                self.disk().clear();
                Ok(())
            }
            Err(error) => {
                self.disk().note(&error);
                Err(error)
            }
        }
    }
}

#[cfg(test)]
mod tests;
