//! The check of a large file, beside the work on it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::{self, JoinHandle};

use rusqlite::{Connection, ErrorCode};

use super::pragma;
use crate::limit;
use crate::open::OpenError;

/// A thread that reads every page of a file once. It ends early when this is dropped.
pub(crate) struct Beside {
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Beside {
    /// Starts to read over `connection`. What is wrong goes to `damage`, and to the log.
    ///
    /// # Errors
    /// The thread cannot be started, or the connection is in use.
    pub(crate) fn start(mut connection: Connection, damage: Arc<OnceLock<String>>) -> Result<Self, OpenError> {
        let is_over = Arc::new(AtomicBool::new(false));
        let asked = Arc::clone(&is_over);
        connection.progress_handler(limit::CHECK_STEPS, Some(move || asked.load(Ordering::Relaxed)))?;
        let work = move || check(&connection, &damage);
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

fn check(connection: &Connection, damage: &OnceLock<String>) {
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
            tracing::debug!("the check of the state file ended with the process");
        }
        Err(error) => tracing::error!(%error, "failed to check the state file; run `heal state check`"),
    }
}
