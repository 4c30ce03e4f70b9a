//! State files: opened for reading and for small changes beside a `heal serve`, or taken for oneself.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, bail};
use heal_embedded::{Location, Store};
use heal_runtime::port::SystemClock;

/// A store that no other process works on. The lock goes with the process, however that ends.
#[derive(Debug)]
pub(crate) struct Exclusive {
    pub store: Store,
    _lock: Option<File>,
}

/// Runs that are forgotten with the process.
///
/// # Errors
/// The store cannot be made.
pub(crate) fn in_memory() -> anyhow::Result<Exclusive> {
    let store = Store::open(Location::Memory, Arc::new(SystemClock)).context("state in memory")?;
    Ok(Exclusive { store, _lock: None })
}

/// Takes a state file, made where it is missing, and lets everything that a process which died had in hand go on at once.
///
/// # Errors
/// Another process has it, or it cannot be used.
pub(crate) async fn take(path: &Path) -> anyhow::Result<Exclusive> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder).with_context(|| format!("folder {}", folder.display()))?;
    }
    let lock = lock(path)?;
    let store = open_at(path)?;
    let recovered = store.recover().await.context("state file")?;
    if recovered.messages + recovered.claims > 0 {
        tracing::info!(messages = recovered.messages, claims = recovered.claims, "goes on where another process ended");
    }
    Ok(Exclusive { store, _lock: Some(lock) })
}

/// Opens a state file that is there, beside whoever works on it.
///
/// # Errors
/// It is not there, or cannot be used.
pub(crate) fn open(path: &Path) -> anyhow::Result<Store> {
    if !path.is_file() {
        bail!(
            "{}: there is no such state file, name one with --state FILE.db, or a stack with --stack NAME",
            path.display()
        );
    }
    open_at(path)
}

/// Whether a `heal serve` or `heal run` works on this state file.
pub(crate) fn is_taken(path: &Path) -> bool {
    let Ok(file) = File::open(lock_path(path)) else { return false };
    matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock))
}

fn open_at(path: &Path) -> anyhow::Result<Store> {
    Ok(Store::open(Location::File(path.to_owned()), Arc::new(SystemClock))?)
}

/// The lock is a file beside the database: locking the database itself would shut out readers too.
fn lock(path: &Path) -> anyhow::Result<File> {
    let lock_path = lock_path(path);
    let name = || lock_path.display().to_string();
    let mut file =
        OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&lock_path).with_context(name)?;
    match file.try_lock() {
        Ok(()) => {
            // Only for the message of whoever comes second.
            let _ = file.set_len(0).and_then(|()| write!(file, "{}", std::process::id()));
            Ok(file)
        }
        Err(TryLockError::WouldBlock) => {
            bail!("{}: another heal works on this state file{}", path.display(), holder(&mut file))
        }
        Err(TryLockError::Error(error)) => Err(error).with_context(name),
    }
}

fn holder(file: &mut File) -> String {
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
