//! The store: its options, its connections, and how the ports read and write.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use heal_runtime::Timestamp;
use heal_runtime::port::{Clock, Result};
use rusqlite::Connection;

use crate::claims::Announced;
use crate::error::JobError;
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
}

impl Options {
    /// The defaults of [`limit`] for a store at `location`.
    pub fn new(location: Location, clock: Arc<dyn Clock>) -> Self {
        Self { location, clock, max_receives: limit::MAX_RECEIVES, busy_timeout: limit::BUSY_TIMEOUT }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { location, max_receives, busy_timeout, .. } = self;
        f.debug_struct("Options")
            .field("location", location)
            .field("max_receives", max_receives)
            .field("busy_timeout", busy_timeout)
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
    /// `None` in memory, which has one connection. Dropped before the writer: SQLite deletes the WAL when the last connection closes, and if
    /// readers and writer close at once, neither sees itself as the last and the files stay.
    readers: Option<Pool>,
    writer: Pool,
    clock: Arc<dyn Clock>,
    max_receives: u32,
    queues: Queues,
    /// Claims that only this process knows of as yet.
    announced: Announced,
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
        let Options { location, clock, max_receives, busy_timeout } = options;
        let (writer, readers) = match &location {
            Location::Memory => (Pool::writer(open::memory()?)?, None),
            Location::File(path) => {
                let writer = open::writer(path, busy_timeout)?;
                let readers = (0..limit::READERS)
                    .map(|_| open::reader(path, busy_timeout))
                    .collect::<std::result::Result<_, _>>()?;
                (Pool::writer(writer)?, Some(Pool::readers(readers)?))
            }
        };
        let (queues, announced) = (Queues::default(), Announced::default());
        Ok(Self { shared: Arc::new(Shared { location, readers, writer, clock, max_receives, queues, announced }) })
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

    /// Runs `work` in a transaction, and returns once the commit is on the disk. `work` may run again after a rollback.
    pub(crate) async fn write<T, W>(&self, operation: &'static str, work: W) -> Result<T>
    where
        T: Send + 'static,
        W: FnMut(&Connection) -> std::result::Result<T, JobError> + Send + 'static,
    {
        self.shared.writer.call(operation, work).await
    }

    /// Runs `work` on a read-only connection, which sees every acknowledged write.
    pub(crate) async fn read<T, W>(&self, operation: &'static str, work: W) -> Result<T>
    where
        T: Send + 'static,
        W: FnMut(&Connection) -> std::result::Result<T, JobError> + Send + 'static,
    {
        self.shared.readers.as_ref().unwrap_or(&self.shared.writer).call(operation, work).await
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("location", &self.shared.location).finish_non_exhaustive()
    }
}
