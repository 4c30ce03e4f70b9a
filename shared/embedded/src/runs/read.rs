//! Reads one run.

use heal_engine::Event;
use heal_runtime::port::RunHead;
use heal_runtime::{Commit, Digest, RunId, Seq, StoredCommit, format};
use rusqlite::{Connection, OptionalExtension as _, params};

use super::head::{COLUMNS, Columns};
use crate::column::{integer, moment, number};
use crate::error::JobError;

pub(super) fn head(connection: &Connection, run_id: &RunId) -> Result<Option<RunHead>, JobError> {
    let mut statement = connection.prepare_cached(&format!("SELECT {COLUMNS} FROM run WHERE run_id = ?1"))?;
    let found = statement.query_row([run_id.as_str()], Columns::read).optional()?;
    found.map(Columns::into_head).transpose()
}

pub(super) fn plan(connection: &Connection, digest: &Digest) -> Result<Option<String>, JobError> {
    let mut statement = connection.prepare_cached("SELECT body FROM plan WHERE digest = ?1")?;
    Ok(statement.query_row([digest.as_str()], |row| row.get(0)).optional()?)
}

/// The run's commits after sequence number `after`, as they are stored.
pub(super) fn stored(connection: &Connection, run_id: &RunId, after: Seq) -> Result<Vec<StoredCommit>, JobError> {
    let mut statement = connection.prepare_cached(
        "SELECT first_seq, cause_id, at, events, chain FROM event_commit
         WHERE run_no = (SELECT no FROM run WHERE run_id = ?1) AND first_seq > ?2 ORDER BY first_seq",
    )?;
    let rows = statement.query_map(params![run_id.as_str(), integer(after)], |row| {
        Ok(StoredCommit {
            run_id: run_id.clone(),
            first_seq: number(row, 0)?,
            cause_id: row.get(1)?,
            at: moment(row, 2)?,
            events: row.get(3)?,
            chain: row.get::<_, Option<String>>(4)?.map(Digest::new),
        })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// The run's commits after sequence number `after`.
///
/// # Errors
/// A commit whose events cannot be read, or that does not follow the one before it: named by run and sequence number.
pub(super) fn load(connection: &Connection, run_id: &RunId, after: Seq) -> Result<Vec<Commit>, JobError> {
    let mut commits: Vec<Commit> = Vec::new();
    for StoredCommit { run_id, first_seq, cause_id, at, events, chain } in stored(connection, run_id, after)? {
        let place = || format!("run {run_id}, commit at sequence number {first_seq}");
        // If `after` lies inside a commit, the first number to expect is unknown.
        let expected = commits.last().map_or((after == 0).then_some(1), |last| Some(last.last_seq() + 1));
        if expected.is_some_and(|expected| expected != first_seq) {
            return Err(JobError::corrupt(
                place(),
                format!("expected sequence number {}", expected.unwrap_or_default()),
            ));
        }
        let events = format::decode(&events).map_err(|error| JobError::unreadable(place(), &error))?;
        commits.push(Commit { run_id, first_seq, cause_id, at, events, chain });
    }
    Ok(commits)
}

/// The text of the attempt's result in the run's event with sequence number `seq`.
///
/// # Errors
/// There is no such event, or it has no result: named by `place`.
pub(crate) fn result_at(
    connection: &Connection,
    run_no: i64,
    seq: i64,
    place: impl Fn() -> String,
) -> Result<String, JobError> {
    let mut select = connection.prepare_cached(
        "SELECT first_seq, events FROM event_commit WHERE run_no = ?1 AND first_seq <= ?2 ORDER BY first_seq DESC LIMIT 1",
    )?;
    let found: Option<(Seq, String)> =
        select.query_row(params![run_no, seq], |row| Ok((number(row, 0)?, row.get(1)?))).optional()?;
    let missing =
        || JobError::corrupt(place(), format!("expected its result at sequence number {seq} of its run's log"));
    let (first_seq, events) = found.ok_or_else(missing)?;
    let events: Vec<Event> = format::decode(&events).map_err(|error| JobError::unreadable(place(), &error))?;
    match (first_seq..).zip(&events).find(|(at, _)| integer(*at) == seq) {
        Some((_, Event::AttemptEnded { result, .. })) => Ok(format::encode(result)),
        Some(_) | None => Err(missing()),
    }
}
