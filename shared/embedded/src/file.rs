//! The state file as a file of the operating system: one inode with one name, readable by its owner alone, and at most one process that works
//! on it.
//!
//! A second name, a symbolic or a hard link, would lead a second process past the lock of `-wal` and `-shm`, which SQLite finds by the name.

mod holder;

use std::fs::{self, File, Metadata, OpenOptions, Permissions, TryLockError};
use std::io;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use crate::open::OpenError;

/// The mode of the state file, of the files that belong to it and of every copy: incidents and outputs are confidential.
const MODE: u32 = 0o600;
/// The bits of a mode that say who may do what.
const MODE_BITS: u32 = 0o777;
/// What the store appends to the state file's name for the record of messages in hand.
pub(crate) const HAND: &str = ".hand";
/// What SQLite appends to it for the log.
const LOG: &str = "-wal";
/// What is appended to the state file's name for the files that belong to it: SQLite's, and the record of messages in hand.
pub(crate) const BESIDE: [&str; 4] = [LOG, "-shm", "-journal", HAND];
/// Tries of an opening during which another process creates or replaces the file.
const OPENING_TRIES: u32 = 8;
/// Tries to get the lock: another process that only asks whether it is held has it for a moment.
const LOCK_TRIES: u32 = 10;
/// Pause before the next of these tries.
const LOCK_PAUSE: Duration = Duration::from_millis(10);

/// Why a file cannot be a state file. It is left as it is.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// Another name would lead to the same file.
    #[error("it is a symbolic link to \"{}\"; name that file itself", target.display())]
    SymbolicLink {
        /// Where the link leads.
        target: PathBuf,
    },
    /// A FIFO, a folder, a device or a socket.
    #[error("it is a {kind}, expected a regular file")]
    NotRegular {
        /// What it is.
        kind: &'static str,
    },
    /// Two processes could work on one file under two names.
    #[error(
        "it has {names} names (hard links), expected 1; `find FOLDER -samefile FILE` shows them: remove all but one"
    )]
    HardLinks {
        /// The number of its names.
        names: u64,
    },
    /// Others could read it, and this process may not change that.
    #[error(
        "its mode is {observed:03o}, expected {MODE:03o}, and cannot be changed; its owner can, with `chmod 600 FILE`"
    )]
    Mode {
        /// The mode that it has.
        observed: u32,
        /// Why the mode cannot be changed.
        #[source]
        cause: io::Error,
    },
    /// Another process put a file in its place.
    #[error("another file took its place while it was opened; start again")]
    Replaced,
    /// A file that SQLite would use with it cannot be used.
    #[error("\"{}\" beside it cannot be used", path.display())]
    Beside {
        /// The file beside it.
        path: PathBuf,
        /// What is wrong with that file.
        #[source]
        cause: Box<FileError>,
    },
    /// Another process works on it.
    #[error("another heal works on this state file ({}); stop it, or take another file", holder::name(*process))]
    Locked {
        /// The other process's id, where the system tells it.
        process: Option<u32>,
    },
}

/// An open state file, by its canonical path. It has to live as long as every connection to it: closing it releases SQLite's own locks in this
/// process.
#[derive(Debug)]
pub(crate) struct StateFile {
    path: PathBuf,
    file: File,
    /// Whether it was created by this opening.
    pub is_new: bool,
    is_owned: bool,
}

impl StateFile {
    /// Opens an existing file.
    pub(crate) fn open(path: &Path) -> Result<Self, OpenError> {
        Self::open_or(path, |path| {
            Err(io::Error::new(io::ErrorKind::NotFound, format!("{} does not exist", path.display())))
        })
    }

    /// Opens a file, which is created if it is missing.
    pub(crate) fn open_or_create(path: &Path) -> Result<Self, OpenError> {
        Self::open_or(path, create)
    }

    fn open_or(path: &Path, missing: impl Fn(&Path) -> io::Result<File>) -> Result<Self, OpenError> {
        let path = canonical(path)?;
        for _ in 0..OPENING_TRIES {
            // Nothing is opened before it is known what it is: a FIFO would wait for its other end for ever.
            let opened = match fs::symlink_metadata(&path) {
                Ok(found) => {
                    check(&path, &found)?;
                    OpenOptions::new().read(true).write(true).open(&path).map(|file| (file, false))
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => missing(&path).map(|file| (file, true)),
                Err(error) => Err(error),
            };
            let (file, is_new) = match opened {
                Ok(opened) => opened,
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                Err(error) => return Err(error.into()),
            };
            let state = Self { path: path.clone(), file, is_new, is_owned: false };
            if state.is_in_place()? {
                if is_new {
                    // That of a file which was here before, with messages of the same numbers.
                    let _ = fs::remove_file(beside(&path, HAND));
                }
                state.keep_private()?;
                return Ok(state);
            }
        }
        Err(FileError::Replaced.into())
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Bytes of the file, without what is in the log beside it.
    pub(crate) fn bytes(&self) -> io::Result<u64> {
        self.file.metadata().map(|metadata| metadata.len())
    }

    /// SQLite's write-ahead log beside the file.
    pub(crate) fn log(&self) -> PathBuf {
        beside(&self.path, LOG)
    }

    /// Whether there is anything in the log beside the file.
    pub(crate) fn has_log(&self) -> bool {
        fs::metadata(self.log()).is_ok_and(|log| log.len() > 0)
    }

    /// Whether the path leads to this file.
    pub(crate) fn is_in_place(&self) -> Result<bool, OpenError> {
        let own = self.file.metadata()?;
        match fs::symlink_metadata(&self.path) {
            Ok(found) => {
                check(&self.path, &found)?;
                Ok((found.dev(), found.ino()) == (own.dev(), own.ino()))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Makes this process the one that works on the file, until it ends. The lock is on the file itself, whatever name leads to it.
    pub(crate) fn own(&mut self) -> Result<(), OpenError> {
        for _ in 0..LOCK_TRIES {
            match self.file.try_lock() {
                Ok(()) if self.is_in_place()? => {
                    self.is_owned = true;
                    return Ok(());
                }
                Ok(()) => return Err(FileError::Replaced.into()),
                Err(TryLockError::WouldBlock) => thread::sleep(LOCK_PAUSE),
                Err(TryLockError::Error(error)) => return Err(error.into()),
            }
        }
        Err(FileError::Locked { process: holder::of(&self.file.metadata()?) }.into())
    }

    /// Whether another process works on the file.
    pub(crate) fn is_owned_by_another(&self) -> io::Result<bool> {
        if self.is_owned {
            return Ok(false);
        }
        match self.file.try_lock_shared() {
            Ok(()) => self.file.unlock().map(|()| false),
            Err(TryLockError::WouldBlock) => Ok(true),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    /// Gives this file and those beside it the mode that keeps them from others.
    fn keep_private(&self) -> Result<(), OpenError> {
        restrict(self.file.metadata()?.mode(), |mode| self.file.set_permissions(mode))?;
        for suffix in BESIDE {
            let path = beside(&self.path, suffix);
            let found = match fs::symlink_metadata(&path) {
                Ok(found) => found,
                // SQLite removes them when the last connection closes.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error.into()),
            };
            let kept =
                check(&path, &found).and_then(|()| restrict(found.mode(), |mode| fs::set_permissions(&path, mode)));
            kept.map_err(|cause| FileError::Beside { path, cause: Box::new(cause) })?;
        }
        Ok(())
    }
}

/// Creates a file for its owner alone, unless there is anything under this name.
pub(crate) fn create(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create_new(true).mode(MODE).open(path)
}

/// `path` with `suffix` behind its last name.
pub(crate) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// The path with its folder's links resolved. Its last name is kept: a link there is refused, not followed.
fn canonical(path: &Path) -> io::Result<PathBuf> {
    let no_name = || io::Error::new(io::ErrorKind::InvalidInput, "the path ends in no file name");
    let name = path.file_name().ok_or_else(no_name)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    Ok(folder.canonicalize()?.join(name))
}

/// Whether this can be a state file, or a file beside one.
fn check(path: &Path, found: &Metadata) -> Result<(), FileError> {
    let kind = found.file_type();
    if kind.is_symlink() {
        return Err(FileError::SymbolicLink { target: fs::read_link(path).unwrap_or_default() });
    }
    if !kind.is_file() {
        let names = [
            (kind.is_dir(), "folder"),
            (kind.is_fifo(), "FIFO"),
            (kind.is_socket(), "socket"),
            (kind.is_char_device() || kind.is_block_device(), "device"),
        ];
        let kind = names.into_iter().find_map(|(is_it, name)| is_it.then_some(name)).unwrap_or("special file");
        return Err(FileError::NotRegular { kind });
    }
    match found.nlink() {
        // A file that was removed since it was found has no name left.
        0 | 1 => Ok(()),
        names => Err(FileError::HardLinks { names }),
    }
}

/// Takes from a mode what others could do.
fn restrict(mode: u32, set: impl FnOnce(Permissions) -> io::Result<()>) -> Result<(), FileError> {
    let observed = mode & MODE_BITS;
    if observed & !MODE == 0 {
        return Ok(());
    }
    set(Permissions::from_mode(MODE)).map_err(|cause| FileError::Mode { observed, cause })?;
    tracing::warn!(mode = format!("{observed:03o}"), "others could read the state file; its mode is 600 now");
    Ok(())
}
