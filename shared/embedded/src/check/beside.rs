//! The check of a large file, beside the work on it.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use rusqlite::{Connection, ErrorCode};

use super::pragma;
use crate::limit;
use crate::open::OpenError;

/// A thread that reads every page of a file once. It ends early when this is dropped, or when the log grows beyond [`limit::CHECK_LOG_BYTES`]: a read
/// that is not over keeps it from beginning anew.
pub(crate) struct Beside {
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Beside {
    /// Starts to read over `connection`. What is wrong goes to `damage`, and to the program's log.
    ///
    /// # Errors
    /// The thread cannot be started, or the connection is in use.
    #[expect(clippy::disallowed_methods, reason = "paces a thread of its own, which blocks")]
    pub(crate) fn start(
        mut connection: Connection,
        log: PathBuf,
        damage: Arc<OnceLock<String>>,
    ) -> Result<Self, OpenError> {
        let is_over = Arc::new(AtomicBool::new(false));
        let asked = Arc::clone(&is_over);
        let mut rested_at = Instant::now();
        let has_to_end = move || {
            if rested_at.elapsed() >= limit::CHECK_SPELL {
                thread::sleep(limit::CHECK_PAUSE);
                rested_at = Instant::now();
            }
            asked.load(Ordering::Relaxed) || is_too_long(&log)
        };
        connection.progress_handler(limit::CHECK_STEPS, Some(has_to_end))?;
        let ended = Arc::clone(&is_over);
        let work = move || check(&connection, &damage, &ended);
        let thread = thread::Builder::new().name("store-check".to_owned()).spawn(work)?;
        Ok(Self { is_over, thread: Some(thread) })
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the thread that checks the state file panicked");
        }
    }
}

fn is_too_long(log: &Path) -> bool {
    log.metadata().is_ok_and(|log| log.len() > limit::CHECK_LOG_BYTES)
}

fn check(connection: &Connection, damage: &OnceLock<String>, is_over: &AtomicBool) {
    match pragma(connection, "quick_check").map(|findings| findings.into_iter().next()) {
        Ok(None) => tracing::info!("checked the state file: every page is whole"),
        Ok(Some(finding)) => {
            tracing::error!(
                finding,
                "the state file is damaged: nothing more is written to it; stop heal, keep the file, and restore a backup"
            );
            // Only this thread sets it.
            let _ = damage.set(finding);
        }
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::OperationInterrupted) => {
            if !is_over.load(Ordering::Relaxed) {
                tracing::warn!(
                    limit_bytes = limit::CHECK_LOG_BYTES,
                    "gave up the check of the state file, since its log grew meanwhile; run `heal state check` for a whole one"
                );
            }
        }
        Err(error) => tracing::error!(%error, "failed to check the state file; run `heal state check`"),
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};

    use super::*;

    /// A database with a page in its middle that is gone.
    fn damaged(folder: &Path) -> Connection {
        let path = folder.join("damaged.db");
        let connection = Connection::open(&path).unwrap();
        let rows = "CREATE TABLE content (body BLOB);
            WITH RECURSIVE number (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < 20000)
            INSERT INTO content SELECT zeroblob(1000) FROM number";
        connection.execute_batch(rows).unwrap();
        drop(connection);
        let mut bytes = fs::read(&path).unwrap();
        let middle = bytes.len() / 2 / 4_096 * 4_096;
        bytes[middle..middle + 4_096].fill(7);
        fs::write(&path, bytes).unwrap();
        Connection::open(&path).unwrap()
    }

    #[test]
    fn a_check_goes_on_while_the_log_is_short_enough_and_gives_up_beyond() {
        for (log_bytes, finds) in [(limit::CHECK_LOG_BYTES, true), (limit::CHECK_LOG_BYTES + 1, false)] {
            let folder = tempfile::tempdir().unwrap();
            let log = folder.path().join("log");
            File::create(&log).unwrap().set_len(log_bytes).unwrap();
            let damage = Arc::default();
            let mut beside = Beside::start(damaged(folder.path()), log, Arc::clone(&damage)).unwrap();
            beside.thread.take().unwrap().join().unwrap();
            assert_eq!(damage.get().is_some(), finds, "{log_bytes}");
        }
    }
}
