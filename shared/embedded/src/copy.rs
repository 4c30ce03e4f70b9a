//! Copies of a state file: a backup while a process works on it, its restoration, and the copy that is kept before a migration.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use rusqlite::Connection;

use crate::file::{self, StateFile};
use crate::open::{self, OpenError};
use crate::{check, limit};

/// Names for the file that a restoration replaces: `FILE.replaced.1` to this one.
const REPLACED_NAMES: u32 = 1_000;

/// What a restoration left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// Bytes of the restored file.
    pub bytes: u64,
    /// Where the file that it replaced is kept, with its log beside it; `None` if there was none.
    pub replaced: Option<PathBuf>,
}

/// Copies the state file `from` to a new file `to`, also while a process works on it: the copy is of one moment, has no free pages, and was
/// checked. Returns its bytes.
///
/// # Errors
/// `to` exists, or cannot be written; or `from` is not a whole state file. `to` does not exist then.
pub fn back_up(from: &Path, to: &Path) -> Result<u64, OpenError> {
    let source = Source::open(from)?;
    if to.symlink_metadata().is_ok() {
        return Err(OpenError::Exists { path: to.to_owned() });
    }
    source.copy_beside(to)?.move_to(to)
}

/// Puts a copy of the backup `from` in the place of the state file `to`, on which no process may work. The file that was there is kept beside it.
///
/// # Errors
/// `from` is not a whole state file of this or an earlier version, or a process works on `to`: then nothing is changed. If the file system fails
/// between the last two steps, `to` has a second name, for which every process refuses it: remove the name `to`, and restore again.
pub fn restore(from: &Path, to: &Path) -> Result<Restored, OpenError> {
    let source = Source::open(from)?;
    if to.symlink_metadata().is_err() {
        let copy = source.copy_beside(to)?;
        // A log without its file may still be there.
        set_aside(to, false)?;
        return Ok(Restored { bytes: copy.move_to(to)?, replaced: None });
    }
    let open = || {
        let mut old = StateFile::open(to)?;
        old.own()?;
        Ok(old)
    };
    let old = open().map_err(|error: OpenError| error.at(to))?;
    let copy = source.copy_beside(old.path())?;
    let replaced = set_aside(old.path(), true)?;
    Ok(Restored { bytes: copy.move_to(old.path())?, replaced: Some(replaced) })
}

/// The file that a copy is made of.
struct Source {
    path: PathBuf,
    version: u32,
    // The connection goes first.
    connection: Connection,
    _file: StateFile,
}

impl Source {
    fn open(path: &Path) -> Result<Self, OpenError> {
        let open = || {
            let file = StateFile::open(path)?;
            let (connection, version) = open::for_reading(&file, limit::BUSY_TIMEOUT)?;
            // It writes to the copy alone, which SQLite does not tell from a write to the file.
            connection.pragma_update(None, "query_only", false)?;
            Ok(Self { path: path.to_owned(), version, connection, _file: file })
        };
        open().map_err(|error: OpenError| error.at(path))
    }

    /// A whole copy for the name `to`.
    fn copy_beside(&self, to: &Path) -> Result<Partial, OpenError> {
        let copy = || {
            let copy = Partial::copy(&self.connection, to)?;
            copy.check(self.version)?;
            Ok(copy)
        };
        copy().map_err(|cause| OpenError::Copy { path: self.path.clone(), cause: Box::new(cause) })
    }
}

/// Gives the file, if it is there, a second name, and moves its log and its record of messages in hand to that name: whatever file is in its place
/// would be given both. Until the file is replaced it has two names, so no process starts on it.
fn set_aside(path: &Path, is_there: bool) -> Result<PathBuf, OpenError> {
    let free = (1..=REPLACED_NAMES).map(|number| file::beside(path, &format!(".replaced.{number}")));
    let kept = free.into_iter().find(|path| path.symlink_metadata().is_err());
    let kept = kept.ok_or_else(|| OpenError::Exists { path: file::beside(path, ".replaced.1") })?;
    if is_there {
        fs::hard_link(path, &kept)?;
    }
    for suffix in file::BESIDE {
        let moved = fs::rename(file::beside(path, suffix), file::beside(&kept, suffix));
        match moved {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
            Ok(()) | Err(_) => {}
        }
    }
    Ok(kept)
}

/// Keeps a copy of the file beside it, as `<file>.v<version>.bak`, before the file is migrated.
pub(crate) fn before_migration(connection: &Connection, path: &Path, version: u32) -> Result<(), OpenError> {
    let backup = file::beside(path, &format!(".v{version}.bak"));
    let keep = || {
        let copy = Partial::copy(connection, &backup)?;
        // Another process may have kept the copy and migrated the file meanwhile.
        if copy.version()? == version { copy.move_to(&backup).map(drop) } else { Ok(()) }
    };
    keep().map_err(|cause| OpenError::Backup { backup: backup.clone(), observed: version, cause: Box::new(cause) })
}

/// A copy under another name, so that a process that dies meanwhile leaves no half of a copy. Removed when dropped.
struct Partial {
    path: PathBuf,
}

impl Partial {
    fn copy(connection: &Connection, to: &Path) -> Result<Self, OpenError> {
        let partial = Self { path: file::beside(to, &format!(".partial.{}", std::process::id())) };
        // A process of the same id may have died over it.
        let _ = fs::remove_file(&partial.path);
        drop(file::create(&partial.path)?);
        connection.execute("VACUUM INTO ?1", [partial.path.to_string_lossy()])?;
        Ok(partial)
    }

    fn version(&self) -> Result<u32, OpenError> {
        Ok(Connection::open(&self.path)?.pragma_query_value(None, "user_version", |row| row.get(0))?)
    }

    /// Whether the copy is whole.
    fn check(&self, version: u32) -> Result<(), OpenError> {
        let copied = self.version()?;
        if copied != version {
            let finding = format!("the copy has schema version {copied}, expected {version}");
            return Err(OpenError::Damaged { finding });
        }
        let examined = check::examine(&self.path)?;
        examined.findings.into_iter().next().map_or(Ok(()), |finding| Err(OpenError::Damaged { finding }))
    }

    /// Gives the copy its name, on the disk for good. Its bytes.
    fn move_to(self, path: &Path) -> Result<u64, OpenError> {
        let file = File::open(&self.path)?;
        file.sync_all()?;
        fs::rename(&self.path, path)?;
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(folder)?.sync_all()?;
        Ok(file.metadata()?.len())
    }
}

impl Drop for Partial {
    /// A copy that was moved is not there any more. What is left of another one is of no use; its own removal failing changes nothing about that.
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}
