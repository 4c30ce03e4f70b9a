//! State files, opened beside a process that works on them, or locked for this process.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use heal_embedded::{Location, Options, Store};
use heal_runtime::port::SystemClock;

/// A store that no other process works on. The system releases the lock when the process ends.
#[derive(Debug)]
pub(crate) struct Exclusive {
    pub store: Store,
}

/// A store in memory, which is gone with the process.
///
/// # Errors
/// The store cannot be created.
pub(crate) fn in_memory() -> anyhow::Result<Exclusive> {
    let store = Store::open(Location::Memory, Arc::new(SystemClock)).context("failed to create the state in memory")?;
    Ok(Exclusive { store })
}

/// Locks a state file, created if it is missing, and makes the messages and claims of a process that died available at once.
///
/// # Errors
/// Another process holds the lock, or the file cannot be used or is damaged.
pub(crate) async fn lock(path: &Path) -> anyhow::Result<Exclusive> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder).with_context(|| format!("failed to create the folder {}", folder.display()))?;
    }
    let options = Options { exclusive: true, ..Options::new(Location::File(path.to_owned()), Arc::new(SystemClock)) };
    let store = Store::open_with(options)?;
    // Whoever put the clock back while nothing ran has moved every stored wait away.
    if let Some(newest) = store.newest().await.with_context(|| format!("failed to read {}", path.display()))? {
        SystemClock::not_before(newest);
    }
    let recovered =
        store.recover().await.with_context(|| format!("failed to recover the state file {}", path.display()))?;
    if recovered.messages + recovered.claims > 0 {
        tracing::info!(
            messages = recovered.messages,
            claims = recovered.claims,
            "resumed the work of a process that ended"
        );
    }
    Ok(Exclusive { store })
}

/// Opens an existing state file, beside the process that works on it.
///
/// # Errors
/// The file does not exist, or cannot be used.
pub(crate) fn open(path: &Path) -> anyhow::Result<Store> {
    if path.symlink_metadata().is_err() {
        bail!(
            "{}: there is no such state file; name one with --state FILE.db, or a stack with --stack NAME",
            path.display()
        );
    }
    Ok(Store::open(Location::File(path.to_owned()), Arc::new(SystemClock))?)
}
