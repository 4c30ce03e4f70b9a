//! The file that survives the process.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use signal_hook::SigId;
use signal_hook::consts::SIGABRT;
use signal_hook::low_level::{pipe, unregister};

/// An open record. A process that aborts appends one byte to it: what was killed from outside cannot.
#[derive(Debug)]
pub(super) struct Record {
    path: PathBuf,
    file: File,
    abort: SigId,
    /// Bytes in the file.
    pub written: u64,
}

impl Record {
    /// A new file under the record's name, readable by its owner alone. It never follows a link: the name is taken by renaming. A process that
    /// dies meanwhile leaves the old one.
    pub(super) fn create(path: &Path, text: &str) -> io::Result<Self> {
        let mut partial = path.as_os_str().to_owned();
        partial.push(".new");
        match std::fs::remove_file(&partial) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        let mut options = OpenOptions::new();
        options.append(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(&partial)?;
        file.write_all(text.as_bytes())?;
        std::fs::rename(&partial, path)?;
        let abort = pipe::register(SIGABRT, file.try_clone()?)?;
        Ok(Self { path: path.to_owned(), file, abort, written: text.len() as u64 })
    }

    pub(super) fn append(&mut self, lines: &str) -> io::Result<()> {
        self.file.write_all(lines.as_bytes())?;
        self.written += lines.len() as u64;
        Ok(())
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn remove(self) {
        // A file that stays says nothing more than that these messages were in hand.
        let _ = std::fs::remove_file(&self.path);
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        unregister(self.abort);
    }
}
