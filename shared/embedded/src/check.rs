//! Whether the content of a state file is whole.

mod beside;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode};

use crate::file::StateFile;
use crate::open::{self, OpenError};
use crate::{limit, schema};

pub(crate) use beside::Beside;

/// What a whole examination of a state file found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Examined {
    /// The version of its tables.
    pub version: u32,
    /// Bytes of the file, without what is in the log beside it.
    pub bytes: u64,
    /// Runs in it, the ended ones included; 0 if they cannot be counted.
    pub runs: u64,
    /// Rows of each table; empty if they cannot be counted.
    pub rows: BTreeMap<String, u64>,
    /// What is wrong, at most [`limit::FINDINGS`]; empty if nothing is.
    pub findings: Vec<String>,
}

/// Examines a whole state file, also while another process works on it. Changes nothing.
///
/// # Errors
/// The file cannot be opened, or is not a state file of this or an earlier version.
pub fn examine(path: &Path) -> Result<Examined, OpenError> {
    let examine = || {
        let file = StateFile::open(path)?;
        let (connection, version) = open::for_reading(&file, limit::BUSY_TIMEOUT)?;
        let mut findings = pragma(&connection, "integrity_check")?;
        findings.extend(orphans(&connection)?);
        if version == schema::VERSION {
            findings.extend(missing(&connection)?);
        }
        findings.truncate(limit::FINDINGS);
        let rows = rows(&connection).unwrap_or_default();
        let runs = rows.get("run").copied().unwrap_or_default();
        Ok(Examined { version, bytes: file.bytes()?, runs, rows, findings })
    };
    match examine() {
        Err(OpenError::Damaged { finding }) => Ok(Examined {
            version: 0,
            bytes: path.metadata().map_or(0, |found| found.len()),
            runs: 0,
            rows: BTreeMap::new(),
            findings: vec![finding],
        }),
        examined => examined.map_err(|error: OpenError| error.at(path)),
    }
}

/// Looks for tables and indexes of this version that are missing.
pub(crate) fn tables(connection: &Connection, version: u32) -> Result<(), OpenError> {
    if version == schema::VERSION { first(missing(connection)?) } else { Ok(()) }
}

/// Looks for damage in every page, for at most `bound`: a file that takes longer is used, which the log says.
pub(crate) fn pages(connection: &Connection, bound: Duration) -> Result<(), OpenError> {
    match bounded(connection, bound, |connection| pragma(connection, "quick_check")) {
        Ok(findings) => first(findings)?,
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::OperationInterrupted) => {
            let bound_s = bound.as_secs();
            tracing::warn!(
                bound_s,
                "the check of the state file did not end in its time; run `heal state check` for a whole one"
            );
        }
        Err(error) => return Err(error.into()),
    }
    Ok(())
}

fn first(findings: Vec<String>) -> Result<(), OpenError> {
    findings.into_iter().next().map_or(Ok(()), |finding| Err(OpenError::Damaged { finding }))
}

/// What `work` answers, or SQLite's error of an interruption once `bound` has passed.
fn bounded<T>(
    connection: &Connection,
    bound: Duration,
    work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
) -> rusqlite::Result<T> {
    let interrupt = connection.get_interrupt_handle();
    let (done, waits) = mpsc::channel::<()>();
    thread::scope(|scope| {
        scope.spawn(move || {
            if waits.recv_timeout(bound) == Err(RecvTimeoutError::Timeout) {
                interrupt.interrupt();
            }
        });
        let answer = work(connection);
        drop(done);
        answer
    })
}

/// The findings of `quick_check` or `integrity_check`. A page that cannot be read at all is a finding too.
fn pragma(connection: &Connection, name: &str) -> rusqlite::Result<Vec<String>> {
    let read = || {
        let mut statement = connection.prepare(&format!("PRAGMA {name}({})", limit::FINDINGS))?;
        let rows = statement.query_map([], |row| row.get::<_, String>(0))?;
        rows.collect::<rusqlite::Result<Vec<_>>>()
    };
    match read() {
        Ok(findings) => Ok(findings.into_iter().filter(|finding| finding != "ok").collect()),
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseCorrupt) => Ok(vec![error.to_string()]),
        Err(error) => Err(error),
    }
}

/// Rows whose run is gone.
fn orphans(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut statement = connection.prepare("SELECT DISTINCT \"table\", parent FROM pragma_foreign_key_check")?;
    let rows = statement.query_map([], |row| {
        Ok(format!("table {} has rows without their row of {}", row.get::<_, String>(0)?, row.get::<_, String>(1)?))
    })?;
    rows.collect()
}

/// Tables and indexes of this version that are not in the file.
fn missing(connection: &Connection) -> Result<Vec<String>, OpenError> {
    let (whole, found) = (names(&open::memory()?)?, names(connection)?);
    Ok(whole.difference(&found).map(|name| format!("{name} is missing")).collect())
}

fn rows(connection: &Connection) -> rusqlite::Result<BTreeMap<String, u64>> {
    let mut statement = connection
        .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'")?;
    let tables = statement.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<Vec<String>>>()?;
    let count = |table: String| {
        let sql = format!("SELECT count(*) FROM \"{}\"", table.replace('"', "\"\""));
        let rows: i64 = connection.query_row(&sql, [], |row| row.get(0))?;
        Ok((table, rows.unsigned_abs()))
    };
    tables.into_iter().map(count).collect()
}

fn names(connection: &Connection) -> rusqlite::Result<BTreeSet<String>> {
    let mut statement = connection.prepare("SELECT type || ' ' || name FROM sqlite_schema")?;
    statement.query_map([], |row| row.get(0))?.collect()
}
