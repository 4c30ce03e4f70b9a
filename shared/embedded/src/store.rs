//! The store: its options, its connections, and how the ports read and write.

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use heal_runtime::Timestamp;
use heal_runtime::port::{BackendError, Clock, Result};
use rusqlite::Connection;

use crate::check::Beside;
use crate::claims::Announced;
use crate::disk::Disk;
use crate::error::JobError;
use crate::file::StateFile;
use crate::news::News;
use crate::open::{self, OpenError};
use crate::pool::Pool;
use crate::queue::Queues;
use crate::{limit, schema};

/// Where a store keeps its data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// A file, created if it is missing; its folder must exist. The files `-wal` and `-shm` beside it belong to it.
    File(PathBuf),
    /// Memory, until the last clone of the store is dropped.
    Memory,
}

/// How to open a store.
#[derive(Clone)]
pub struct Options {
    /// File or memory.
    pub location: Location,
    /// The clock of the queues. The other ports get the time from their callers.
    pub clock: Arc<dyn Clock>,
    /// Deliveries of one message before it is dead-lettered.
    pub max_receives: u32,
    /// How long a write waits for another process's transaction before it fails as unavailable.
    pub busy_timeout: Duration,
    /// Whether this process works on the file: no other one that does may have it open, and the file is checked, before anything is written or, if it
    /// is larger than [`limit::CHECK_FIRST_BYTES`], while it is used.
    pub exclusive: bool,
}

impl Options {
    /// The defaults of [`limit`] for a store at `location`.
    pub fn new(location: Location, clock: Arc<dyn Clock>) -> Self {
        let (max_receives, busy_timeout) = (limit::MAX_RECEIVES, limit::BUSY_TIMEOUT);
        Self { location, clock, max_receives, busy_timeout, exclusive: false }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { location, max_receives, busy_timeout, exclusive, .. } = self;
        f.debug_struct("Options")
            .field("location", location)
            .field("max_receives", max_receives)
            .field("busy_timeout", busy_timeout)
            .field("exclusive", exclusive)
            .finish_non_exhaustive()
    }
}

/// All ports over one database. Clones share the store, which closes when the last one is dropped.
#[derive(Clone)]
pub struct Store {
    shared: Arc<Shared>,
}

struct Shared {
    location: Location,
    /// `None` unless a large file is checked while this process works on it. Dropped before the writer, as `readers`.
    _check: Option<Beside>,
    /// For reads of a few rows; `None` where `readers` has no second connection. Dropped before the writer, as `readers`.
    glance: Option<Mutex<Connection>>,
    /// `None` in memory, which has one connection. Dropped before the writer: SQLite deletes the WAL when the last connection closes, and if
    /// readers and writer close at once, neither sees itself as the last and the files stay.
    readers: Option<Pool>,
    /// `None` if the file could be opened for reading only, since the disk is full.
    writer: Option<Pool>,
    /// `None` in memory. Dropped after the connections to it.
    file: Option<StateFile>,
    disk: Disk,
    clock: Arc<dyn Clock>,
    max_receives: u32,
    queues: Queues,
    /// Claims that only this process knows of as yet.
    announced: Announced,
    news: News,
}

impl Store {
    /// Opens the store at `location`. Creates a missing file, and migrates one of an earlier version after keeping a copy beside it.
    ///
    /// # Errors
    /// [`OpenError`]; the file is left as it was.
    pub fn open(location: Location, clock: Arc<dyn Clock>) -> std::result::Result<Self, OpenError> {
        Self::open_with(Options::new(location, clock))
    }

    /// Opens a store with `options`, otherwise as [`Store::open`].
    ///
    /// # Errors
    /// As [`Store::open`].
    pub fn open_with(options: Options) -> std::result::Result<Self, OpenError> {
        let queues = Queues::default();
        let write = |connection| Pool::writer(connection, queues.leases.in_hand());
        let disk = Disk::default();
        let (check, glance, readers, writer, file) = match &options.location {
            Location::Memory => (None, None, None, Some(write(open::memory()?)?), None),
            Location::File(path) => {
                let open::Connections { check, glance, readers, writer, file } = open::connections(path, &options)?;
                let writer = writer.map(write).transpose()?;
                let check = check.map(|connection| Beside::start(connection, file.log(), disk.damage())).transpose()?;
                (check, glance.map(Mutex::new), Some(Pool::readers(readers)?), writer, Some(file))
            }
        };
        let Options { location, clock, max_receives, busy_timeout: _, exclusive: _ } = options;
        let shared = Shared {
            location,
            _check: check,
            glance,
            readers,
            writer,
            file,
            disk,
            clock,
            max_receives,
            queues,
            announced: Announced::default(),
            news: News::default(),
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Whether a process has opened the file as one that works on it ([`Options::exclusive`]); this one is not asked.
    pub fn is_owned_by_another(&self) -> bool {
        self.shared.file.as_ref().is_some_and(|file| file.is_owned_by_another().unwrap_or(false))
    }

    /// File or memory.
    pub fn location(&self) -> &Location {
        &self.shared.location
    }

    /// The version of the tables that this build reads and writes.
    pub const fn version() -> u32 {
        schema::VERSION
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.shared.clock.now()
    }

    pub(crate) fn max_receives(&self) -> u32 {
        self.shared.max_receives
    }

    pub(crate) fn queues(&self) -> &Queues {
        &self.shared.queues
    }

    pub(crate) fn announced(&self) -> &Announced {
        &self.shared.announced
    }

    pub(crate) fn news(&self) -> &News {
        &self.shared.news
    }

    pub(crate) fn disk(&self) -> &Disk {
        &self.shared.disk
    }

    /// Runs `work` in a transaction, whatever the disk did before.
    pub(crate) async fn write_now<T, W>(&self, operation: &'static str, work: W) -> Result<T>
    where
        T: Send + 'static,
        W: FnMut(&Connection) -> std::result::Result<T, JobError> + Send + 'static,
    {
        match &self.shared.writer {
            Some(writer) => writer.call(operation, work).await,
            None => {
                Err(BackendError::unavailable(operation, "the disk is full: the state file is open for reading only"))
            }
        }
    }

    /// As [`Store::read`], of a few rows that are found by their keys. One such read at a time is done by the caller's own thread, since it takes
    /// less time than to hand it over; a disk that hangs holds one thread up.
    pub(crate) async fn look<T, W>(&self, operation: &'static str, mut work: W) -> Result<T>
    where
        T: Send + 'static,
        W: FnMut(&Connection) -> std::result::Result<T, JobError> + Send + 'static,
    {
        if let Some(glance) = &self.shared.glance
            && let Ok(connection) = glance.try_lock()
        {
            return work(&connection).map_err(|error| error.into_backend(operation));
        }
        self.read(operation, work).await
    }

    /// Runs `work` on a read-only connection, which sees every acknowledged write.
    pub(crate) async fn read<T, W>(&self, operation: &'static str, work: W) -> Result<T>
    where
        T: Send + 'static,
        W: FnMut(&Connection) -> std::result::Result<T, JobError> + Send + 'static,
    {
        match &self.shared.readers {
            Some(readers) => readers.call(operation, work).await,
            None => self.write_now(operation, work).await,
        }
    }
}

/// Runs the reads of `work` in one transaction: what they see is of one moment, and the file is locked once for all of them.
pub(crate) fn of_one_moment<T>(
    connection: &Connection,
    work: impl FnOnce() -> std::result::Result<T, JobError>,
) -> std::result::Result<T, JobError> {
    // In memory, reads are done by the writer within its own transaction.
    if !connection.is_autocommit() {
        return work();
    }
    let execute = |sql: &str| connection.prepare_cached(sql)?.execute([]);
    execute("BEGIN")?;
    let found = work();
    // A transaction that stayed open would see that moment for ever.
    if let Err(error) = execute("COMMIT") {
        execute("ROLLBACK")?;
        return Err(error.into());
    }
    found
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("location", &self.shared.location).finish_non_exhaustive()
    }
}
