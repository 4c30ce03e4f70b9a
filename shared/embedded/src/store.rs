//! The store itself.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use heal_runtime::Timestamp;
use heal_runtime::port::{Clock, Result};
use rusqlite::Connection;

use crate::fault::Fault;
use crate::lane::Lane;
use crate::open::{self, OpenError};
use crate::queue::Wakes;
use crate::{limit, schema};

/// Where a store lives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// A file, made where it is missing; its folder has to be there. Two files beside it, `-wal` and `-shm`, belong to it.
    File(PathBuf),
    /// This process, until the last clone of the store is dropped.
    Memory,
}

/// How a store is opened.
#[derive(Clone)]
pub struct Options {
    pub location: Location,
    /// What the queues go by. The other ports are told the time by their callers.
    pub clock: Arc<dyn Clock>,
    /// Deliveries of one message before it goes to the dead letters.
    pub max_receives: u32,
    /// How long a write waits for another process that is writing, before it is answered as unavailable.
    pub busy_timeout: Duration,
}

impl Options {
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

/// All ports over one database. A clone is the same store; it is closed when the last one is dropped.
#[derive(Clone)]
pub struct Store {
    shared: Arc<Shared>,
}

struct Shared {
    location: Location,
    /// None in memory, where there is one connection for everything. Closed before the writer: the last connection to close takes the log with
    /// it, and of two that close at once neither may be the last.
    reader: Option<Lane>,
    writer: Lane,
    clock: Arc<dyn Clock>,
    max_receives: u32,
    wakes: Wakes,
}

impl Store {
    /// Opens the store at `location`, and makes it where it is missing.
    ///
    /// # Errors
    /// See [`OpenError`]; what was found there is left as it was.
    pub fn open(location: Location, clock: Arc<dyn Clock>) -> std::result::Result<Self, OpenError> {
        Self::open_with(Options::new(location, clock))
    }

    /// Opens a store with other than the usual options.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub fn open_with(options: Options) -> std::result::Result<Self, OpenError> {
        let Options { location, clock, max_receives, busy_timeout } = options;
        let (writer, reader) = match &location {
            Location::Memory => (Lane::writing(open::memory()?)?, None),
            Location::File(path) => {
                let writer = open::writer(path, busy_timeout)?;
                let readers = (0..limit::READERS)
                    .map(|_| open::reader(path, busy_timeout))
                    .collect::<std::result::Result<_, _>>()?;
                (Lane::writing(writer)?, Some(Lane::reading(readers)?))
            }
        };
        let wakes = Wakes::default();
        Ok(Self { shared: Arc::new(Shared { location, reader, writer, clock, max_receives, wakes }) })
    }

    pub fn location(&self) -> &Location {
        &self.shared.location
    }

    /// The version of the tables that this program writes.
    pub const fn version() -> u32 {
        schema::VERSION
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.shared.clock.now()
    }

    pub(crate) fn max_receives(&self) -> u32 {
        self.shared.max_receives
    }

    pub(crate) fn wakes(&self) -> &Wakes {
        &self.shared.wakes
    }

    /// Runs `work` in a transaction, and answers once it is on the disk. It may be run again after a roll-back.
    pub(crate) async fn write<T, W>(&self, operation: &'static str, work: W) -> Result<T>
    where
        T: Send + 'static,
        W: FnMut(&Connection) -> std::result::Result<T, Fault> + Send + 'static,
    {
        self.shared.writer.call(operation, work).await
    }

    /// Runs `work` where it sees everything that was answered before, and changes nothing.
    pub(crate) async fn read<T, W>(&self, operation: &'static str, work: W) -> Result<T>
    where
        T: Send + 'static,
        W: FnMut(&Connection) -> std::result::Result<T, Fault> + Send + 'static,
    {
        self.shared.reader.as_ref().unwrap_or(&self.shared.writer).call(operation, work).await
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("location", &self.shared.location).finish_non_exhaustive()
    }
}
