//! Connections, as the store needs them.

use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::{Connection, ErrorCode};

use crate::{limit, schema};

/// Why a store was not opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("database {}", path.display())]
    File {
        path: PathBuf,
        #[source]
        cause: Box<OpenError>,
    },
    #[error("cannot be opened")]
    Io(#[from] std::io::Error),
    #[error("cannot be used")]
    Sqlite(#[source] rusqlite::Error),
    #[error("is no SQLite database")]
    NotADatabase,
    /// A SQLite database of another program. It is left as it was.
    #[error("belongs to another application (application_id {application})")]
    Foreign { application: i32 },
    /// It is left as it was.
    #[error("has version {found}, this program knows versions up to {known}: use the newer program")]
    Newer { found: u32, known: u32 },
    /// The file system can't do what a write-ahead log needs; network file systems can't.
    #[error("cannot have a write-ahead log here (journal mode is `{mode}`)")]
    NoLog { mode: String },
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

/// The writing connection of a file, which is made where it is missing, and brought to the current version.
pub(crate) fn writer(path: &Path, busy_timeout: Duration) -> Result<Connection, OpenError> {
    let open = || {
        create(path)?;
        let mut connection = Connection::open(path)?;
        connection.busy_timeout(busy_timeout)?;
        schema::check(&connection)?;
        write_ahead(&connection, busy_timeout)?;
        configure(&connection, limit::WRITER_CACHE_KIB)?;
        schema::migrate(&mut connection)?;
        Ok(connection)
    };
    open().map_err(|error: OpenError| error.at(path))
}

/// A connection that sees every commit, and changes nothing.
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

/// A database that is gone with its connection.
pub(crate) fn memory() -> Result<Connection, OpenError> {
    let mut connection = Connection::open_in_memory()?;
    configure(&connection, limit::WRITER_CACHE_KIB)?;
    schema::migrate(&mut connection)?;
    Ok(connection)
}

/// Incidents and outputs are nobody else's business: a new file is its owner's alone. The log beside it gets the same rights.
fn create(path: &Path) -> std::io::Result<()> {
    let mut options = OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop)
}

/// Two processes that do this to a new file at the same time get `busy` at once, whatever the timeout: so it is tried again.
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
    // A commit is answered only once it is on the disk.
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.pragma_update(None, "cache_size", -i64::from(cache_kib))?;
    connection.pragma_update(None, "wal_autocheckpoint", limit::CHECKPOINT_PAGES)?;
    connection.pragma_update(None, "journal_size_limit", limit::WAL_BYTES)?;
    Ok(())
}
