//! Opens and configures the store's connections.

use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::{Connection, ErrorCode};

use crate::{limit, schema};

/// Why a state file cannot be opened. The file is left as it was.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Any error, with the path of the file.
    #[error("failed to open state file \"{}\"", path.display())]
    File {
        /// The file as the caller named it.
        path: PathBuf,
        /// Any other variant.
        #[source]
        cause: Box<OpenError>,
    },
    /// The file cannot be created, read or copied, or a thread cannot be started.
    #[error("the operating system refused")]
    Io(#[from] std::io::Error),
    /// SQLite cannot use the file: it is locked, damaged or read-only.
    #[error("SQLite cannot use the file")]
    Sqlite(#[source] rusqlite::Error),
    /// The file's content is something else.
    #[error("the file is not a SQLite database")]
    NotADatabase,
    /// A SQLite database of another program.
    #[error(
        "the database belongs to another application (application_id {application}, expected {})",
        schema::APPLICATION_ID
    )]
    Foreign {
        /// SQLite's `application_id` of the file.
        application: i32,
    },
    /// A newer build migrated the file.
    #[error("schema version {observed} is newer than this build's {supported}; upgrade heal")]
    Newer {
        /// The file's version.
        observed: u32,
        /// The newest version that this build reads.
        supported: u32,
    },
    /// No copy of the file could be kept before its migration.
    #[error("failed to keep a copy at \"{}\" before the migration from schema version {observed}", backup.display())]
    Backup {
        /// Where the copy was to be.
        backup: PathBuf,
        /// The file's version.
        observed: u32,
        /// [`OpenError::Io`] or [`OpenError::Sqlite`].
        #[source]
        cause: Box<OpenError>,
    },
    /// The file system cannot hold a write-ahead log, as network file systems cannot.
    #[error(
        "the file system does not support a write-ahead log (journal mode is `{mode}`, expected `wal`); use a local disk"
    )]
    NoLog {
        /// The journal mode that SQLite fell back to.
        mode: String,
    },
}

impl OpenError {
    fn at(self, path: &Path) -> Self {
        Self::File { path: path.to_owned(), cause: Box::new(self) }
    }
}

impl From<rusqlite::Error> for OpenError {
    fn from(error: rusqlite::Error) -> Self {
        if error.sqlite_error_code() == Some(ErrorCode::NotADatabase) {
            Self::NotADatabase
        } else {
            Self::Sqlite(error)
        }
    }
}

/// Opens the writing connection of a file. Creates the file if it is missing, and migrates an older one.
pub(crate) fn writer(path: &Path, busy_timeout: Duration) -> Result<Connection, OpenError> {
    let open = || {
        create(path)?;
        let mut connection = Connection::open(path)?;
        connection.busy_timeout(busy_timeout)?;
        schema::check(&connection)?;
        write_ahead(&connection, busy_timeout)?;
        configure(&connection, limit::WRITER_CACHE_KIB)?;
        schema::migrate(&mut connection, |connection, version| backup(connection, path, version))?;
        Ok(connection)
    };
    open().map_err(|error: OpenError| error.at(path))
}

/// Opens a read-only connection, which sees every commit.
pub(crate) fn reader(path: &Path, busy_timeout: Duration) -> Result<Connection, OpenError> {
    let open = || {
        let connection = Connection::open(path)?;
        connection.busy_timeout(busy_timeout)?;
        configure(&connection, limit::READER_CACHE_KIB)?;
        connection.pragma_update(None, "query_only", true)?;
        Ok(connection)
    };
    open().map_err(|error: OpenError| error.at(path))
}

/// Opens a database in memory, which lives as long as its connection.
pub(crate) fn memory() -> Result<Connection, OpenError> {
    let mut connection = Connection::open_in_memory()?;
    configure(&connection, limit::WRITER_CACHE_KIB)?;
    schema::migrate(&mut connection, |_, _| Ok(()))?;
    Ok(connection)
}

/// Keeps a copy of the file beside it, as `<file>.v<version>.bak`, before the file is migrated.
fn backup(connection: &Connection, path: &Path, version: u32) -> Result<(), OpenError> {
    let beside = |suffix: String| {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        PathBuf::from(name)
    };
    let backup = beside(format!(".v{version}.bak"));
    // A copy under another name, so that a process that dies meanwhile leaves no half of a backup.
    let partial = beside(format!(".v{version}.bak.{}", std::process::id()));
    let keep = || -> Result<(), OpenError> {
        create(&partial)?;
        connection.execute("VACUUM INTO ?1", [partial.to_string_lossy()])?;
        let copied: u32 = Connection::open(&partial)?.pragma_query_value(None, "user_version", |row| row.get(0))?;
        if copied == version {
            OpenOptions::new().write(true).open(&partial)?.sync_all()?;
            std::fs::rename(&partial, &backup)?;
        } else {
            // Another process kept the copy and migrated the file meanwhile.
            std::fs::remove_file(&partial)?;
        }
        Ok(())
    };
    keep().map_err(|cause| {
        // What is left of the copy is of no use; its own removal failing changes nothing about that.
        let _ = std::fs::remove_file(&partial);
        OpenError::Backup { backup: backup.clone(), observed: version, cause: Box::new(cause) }
    })
}

/// Creates the file readable by its owner alone, since incidents and outputs are confidential. SQLite gives the log beside it the same mode.
fn create(path: &Path) -> std::io::Result<()> {
    let mut options = OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop)
}

/// Switches the file to WAL mode. SQLite ignores its busy timeout when two processes switch a new file at once, so this retries.
#[expect(clippy::disallowed_methods, reason = "waits for another process, in a thread that blocks")]
fn write_ahead(connection: &Connection, busy_timeout: Duration) -> Result<(), OpenError> {
    let give_up = Instant::now() + busy_timeout;
    loop {
        match connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get::<_, String>(0)) {
            Ok(mode) if mode == "wal" => return Ok(()),
            Ok(mode) => return Err(OpenError::NoLog { mode }),
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) && Instant::now() < give_up => {
                thread::sleep(Duration::from_millis(10));
            }
            Err(error) => return Err(error.into()),
        }
    }
}

fn configure(connection: &Connection, cache_kib: u32) -> Result<(), OpenError> {
    connection.set_prepared_statement_cache_capacity(limit::STATEMENTS);
    // Sync the disk at every commit, before the caller gets its answer.
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    // What was deleted does not stay readable in the file's free pages.
    connection.pragma_update(None, "secure_delete", true)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.pragma_update(None, "cache_size", -i64::from(cache_kib))?;
    connection.pragma_update(None, "wal_autocheckpoint", limit::CHECKPOINT_PAGES)?;
    connection.pragma_update(None, "journal_size_limit", limit::WAL_BYTES)?;
    Ok(())
}
