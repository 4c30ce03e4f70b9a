//! State files, opened beside a process that works on them, or locked for this process.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, bail};
use heal_embedded::{Location, Store};
use heal_runtime::port::SystemClock;

/// A store that no other process works on. The system releases the lock when the process ends.
#[derive(Debug)]
pub(crate) struct Exclusive {
    pub store: Store,
    _lock: Option<File>,
}

/// A store in memory, which is gone with the process.
///
/// # Errors
/// The store cannot be created.
pub(crate) fn in_memory() -> anyhow::Result<Exclusive> {
    let store = Store::open(Location::Memory, Arc::new(SystemClock)).context("failed to create the state in memory")?;
    Ok(Exclusive { store, _lock: None })
}

/// Locks a state file, created if it is missing, and makes the messages and claims of a process that died available at once.
///
/// # Errors
/// Another process holds the lock, or the file cannot be used.
pub(crate) async fn lock(path: &Path) -> anyhow::Result<Exclusive> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder).with_context(|| format!("failed to create the folder {}", folder.display()))?;
    }
    let lock = lock_file(path)?;
    let store = open_at(path)?;
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
    Ok(Exclusive { store, _lock: Some(lock) })
}

/// Opens an existing state file, beside the process that works on it.
///
/// # Errors
/// The file does not exist, or cannot be used.
pub(crate) fn open(path: &Path) -> anyhow::Result<Store> {
    if !path.is_file() {
        bail!(
            "{}: there is no such state file; name one with --state FILE.db, or a stack with --stack NAME",
            path.display()
        );
    }
    open_at(path)
}

/// Whether a `heal serve` or `heal run` works on this state file.
pub(crate) fn is_locked(path: &Path) -> bool {
    let Ok(file) = File::open(lock_path(path)) else { return false };
    matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock))
}

fn open_at(path: &Path) -> anyhow::Result<Store> {
    Ok(Store::open(Location::File(path.to_owned()), Arc::new(SystemClock))?)
}

/// The lock is a file beside the database, because a lock on the database would exclude readers too.
fn lock_file(path: &Path) -> anyhow::Result<File> {
    let lock_path = lock_path(path);
    let failed = || format!("failed to lock {}", lock_path.display());
    let mut file =
        OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&lock_path).with_context(failed)?;
    match file.try_lock() {
        Ok(()) => {
            // The process id is only for the error message of another process.
            let _ = file.set_len(0).and_then(|()| write!(file, "{}", std::process::id()));
            Ok(file)
        }
        Err(TryLockError::WouldBlock) => {
            bail!("{}: another heal works on this state file{}", path.display(), lock_owner(&mut file))
        }
        Err(TryLockError::Error(error)) => Err(error).with_context(failed),
    }
}

fn lock_owner(file: &mut File) -> String {
    let mut pid = String::new();
    let read = file.rewind().and_then(|()| file.take(20).read_to_string(&mut pid));
    match (read, pid.trim().parse::<u32>()) {
        (Ok(_), Ok(pid)) => format!(" (process {pid})"),
        (Ok(_) | Err(_), _) => String::new(),
    }
}

fn lock_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    PathBuf::from(name)
}
