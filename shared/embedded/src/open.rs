//! Opens and configures the store's connections.

use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use crate::file::{FileError, StateFile};
use crate::store::Options;
use crate::{check, checkpoints, copy, limit, schema};

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
    /// The file is a link, is not a regular one, can be read by others, or another process works on it.
    #[error("the file cannot be used")]
    Unfit(#[from] FileError),
    /// The file has no content, which a state file has from its first moment on.
    #[error(
        "the file is empty, expected a state file; remove it to start with a new one, or restore a backup with `heal state restore`"
    )]
    Empty,
    /// The content of the file is damaged. Nothing was written to it.
    #[error(
        "the file is damaged: {finding}; keep it, see everything with `heal state check`, and restore a backup with `heal state restore`"
    )]
    Damaged {
        /// The first thing that is wrong, in SQLite's words.
        finding: String,
    },
    /// A copy would replace another file.
    #[error("\"{}\" exists already; name a new file", path.display())]
    Exists {
        /// The copy's name.
        path: PathBuf,
    },
    /// No copy of the file could be made.
    #[error("failed to copy \"{}\"", path.display())]
    Copy {
        /// The file.
        path: PathBuf,
        /// Any other variant.
        #[source]
        cause: Box<OpenError>,
    },
    /// SQLite cannot use the file: it is locked or read-only.
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
    pub(crate) fn at(self, path: &Path) -> Self {
        Self::File { path: path.to_owned(), cause: Box::new(self) }
    }
}

/// The connections to a file. Those to read go first: see `crate::store`.
#[derive(Debug)]
pub(crate) struct Connections {
    /// To check the file while it is used; `None` if it was checked before, or this process does not work on it.
    pub check: Option<Connection>,
    /// For reads of a few rows; `None` if the disk is full.
    pub glance: Option<Connection>,
    pub readers: Vec<Connection>,
    /// `None` if the disk is full: the file is only read.
    pub writer: Option<Connection>,
    pub file: StateFile,
}

impl From<rusqlite::Error> for OpenError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::NotADatabase) => Self::NotADatabase,
            Some(ErrorCode::DatabaseCorrupt) => Self::Damaged { finding: error.to_string() },
            Some(_) | None => Self::Sqlite(error),
        }
    }
}

/// Opens the connections to a file. Creates the file if it is missing, and migrates an older one. A process that works on the file gets its lock,
/// and the file is checked: before anything is written, or while it is used if it is large.
pub(crate) fn connections(path: &Path, options: &Options) -> Result<Connections, OpenError> {
    let open = || {
        let mut file = StateFile::open_or_create(path)?;
        if options.exclusive {
            file.own()?;
            if !file.is_new && file.bytes()? == 0 {
                return Err(OpenError::Empty);
            }
        }
        let is_large = file.bytes()? > limit::CHECK_FIRST_BYTES;
        match writer(&file, options, is_large) {
            Ok(writer) => {
                let to_read = || reader(&file, options.busy_timeout);
                let check = (options.exclusive && is_large).then(to_read).transpose()?;
                let readers = (0..limit::READERS).map(|_| to_read()).collect::<Result<_, _>>()?;
                let glance = Some(to_read()?);
                Ok(Connections { check, glance, readers, writer: Some(writer), file })
            }
            // Whoever only reads needs no room.
            Err(error) if is_out_of_room(&error) && !options.exclusive => match alone(&file, options.busy_timeout) {
                Ok((reader, schema::VERSION)) => {
                    Ok(Connections { check: None, glance: None, readers: vec![reader], writer: None, file })
                }
                Ok(_) | Err(_) => Err(error),
            },
            Err(error) => Err(error),
        }
    };
    open().map_err(|error: OpenError| error.at(path))
}

fn writer(file: &StateFile, options: &Options, is_large: bool) -> Result<Connection, OpenError> {
    let busy_timeout = options.busy_timeout;
    let mut connection = connect(file, busy_timeout)?;
    let version = schema::version(&connection)?;
    if options.exclusive && version == 0 && !file.is_new {
        return Err(OpenError::Damaged { finding: "it has no tables".to_owned() });
    }
    if options.exclusive && version > 0 {
        // A migration changes the whole file, so that one is checked first however large it is.
        if !is_large || version < schema::VERSION {
            check::pages(&connection, limit::CHECK_TIME)?;
        }
        check::tables(&connection, version)?;
    }
    // A file that has tables keeps its page size.
    connection.pragma_update(None, "page_size", limit::PAGE_BYTES)?;
    write_ahead(&connection, busy_timeout)?;
    configure(&connection, limit::WRITER_CACHE_KIB)?;
    checkpoints::schedule(&mut connection)?;
    schema::migrate(&mut connection, |connection, version| copy::before_migration(connection, file.path(), version))?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false)?;
    Ok(connection)
}

/// Opens a read-only connection, which sees every commit.
fn reader(file: &StateFile, busy_timeout: Duration) -> Result<Connection, OpenError> {
    let connection = connect(file, busy_timeout)?;
    configure(&connection, limit::READER_CACHE_KIB)?;
    connection.pragma_update(None, "query_only", true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false)?;
    Ok(connection)
}

/// Opens a connection that writes nothing to the file, not even when it is closed, also if the disk is full; and the version of the file's tables.
pub(crate) fn for_reading(file: &StateFile, busy_timeout: Duration) -> Result<(Connection, u32), OpenError> {
    let has_log = file.has_log();
    let open = || {
        let connection = connect(file, busy_timeout)?;
        connection.pragma_update(None, "query_only", true)?;
        let version = schema::version(&connection)?;
        // Without a log there is nothing to leave as it is: what SQLite creates beside the file goes with the connection.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, has_log)?;
        Ok((connection, version))
    };
    match open() {
        Ok((_, 0)) => Err(OpenError::Empty),
        Err(error) if is_out_of_room(&error) => alone(file, busy_timeout).map_err(|_| error),
        opened => opened,
    }
}

/// Opens the only connection to a file, to read it; and the version of its tables. The index of its log is in memory, for which SQLite otherwise needs
/// room on the disk.
fn alone(file: &StateFile, busy_timeout: Duration) -> Result<(Connection, u32), OpenError> {
    let connection = connect(file, busy_timeout)?;
    connection.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.pragma_update(None, "query_only", true)?;
    let version = schema::version(&connection)?;
    Ok((connection, version))
}

/// Opens a connection that leaves the log beside the file where it is, until the file is known to be whole.
fn connect(file: &StateFile, busy_timeout: Duration) -> Result<Connection, OpenError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    let connection = Connection::open_with_flags(file.path(), flags)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    connection.busy_timeout(busy_timeout)?;
    if file.is_in_place()? { Ok(connection) } else { Err(FileError::Replaced.into()) }
}

/// Whether SQLite found no room for its files, as on a full disk.
fn is_out_of_room(error: &OpenError) -> bool {
    let OpenError::Sqlite(error) = error else { return false };
    crate::error::is_of_disk(error)
}

/// Opens a database in memory, which lives as long as its connection.
pub(crate) fn memory() -> Result<Connection, OpenError> {
    let mut connection = Connection::open_in_memory()?;
    configure(&connection, limit::WRITER_CACHE_KIB)?;
    schema::migrate(&mut connection, |_, _| Ok(()))?;
    Ok(connection)
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
    connection.pragma_update(None, "journal_size_limit", limit::WAL_BYTES)?;
    Ok(())
}
