//! Reads one run.

use heal_engine::Event;
use heal_runtime::port::RunHead;
use heal_runtime::{Commit, Digest, RunId, Seq, StoredCommit, format};
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::head::{COLUMNS, Columns};
use crate::column::{integer, moment, number};
use crate::error::JobError;
use crate::{limit, pack};

pub(super) fn head(connection: &Connection, run_id: &RunId) -> Result<Option<RunHead>, JobError> {
    let mut statement = connection.prepare_cached(&format!("SELECT {COLUMNS} FROM run WHERE run_id = ?1"))?;
    let found = statement.query_row([run_id.as_str()], Columns::read).optional()?;
    found.map(Columns::into_head).transpose()
}

pub(super) fn plan(connection: &Connection, digest: &Digest) -> Result<Option<String>, JobError> {
    let mut statement = connection.prepare_cached("SELECT body FROM plan WHERE digest = ?1")?;
    Ok(statement.query_row([digest.as_str()], |row| row.get(0)).optional()?)
}

pub(super) fn has_plan(connection: &Connection, digest: &Digest) -> Result<bool, JobError> {
    Ok(connection.prepare_cached("SELECT 1 FROM plan WHERE digest = ?1")?.exists([digest.as_str()])?)
}

/// The events of a commit, of the columns `events` and `packed` from `column` on.
///
/// # Errors
/// They cannot be unpacked: named by `place`.
fn events(row: &Row<'_>, column: usize, place: impl FnOnce() -> String) -> Result<String, JobError> {
    pack::text(row, column)?.map_err(|why| JobError::corrupt(place(), why))
}

/// The run's commits after sequence number `after`, their texts as they were written.
///
/// # Errors
/// A commit that cannot be unpacked: named by run and sequence number.
pub(super) fn stored(connection: &Connection, run_id: &RunId, after: Seq) -> Result<Vec<StoredCommit>, JobError> {
    let mut statement = connection.prepare_cached(
        "SELECT first_seq, cause_id, at, chain, events, packed FROM event_commit
         WHERE run_no = (SELECT no FROM run WHERE run_id = ?1) AND first_seq > ?2 ORDER BY first_seq",
    )?;
    let mut rows = statement.query(params![run_id.as_str(), integer(after)])?;
    let mut commits = Vec::new();
    while let Some(row) = rows.next()? {
        let first_seq = number(row, 0)?;
        commits.push(StoredCommit {
            run_id: run_id.clone(),
            first_seq,
            cause_id: row.get(1)?,
            at: moment(row, 2)?,
            chain: row.get::<_, Option<String>>(3)?.map(Digest::new),
            events: events(row, 4, || name(run_id, first_seq))?,
        });
    }
    Ok(commits)
}

/// As [`load`]; `None`, and nothing read, if that is more than [`limit::SHORT_LOG`] events.
///
/// # Errors
/// As [`load`].
pub(super) fn load_short(connection: &Connection, run_id: &RunId, after: Seq) -> Result<Option<Vec<Commit>>, JobError> {
    let mut statement = connection.prepare_cached("SELECT last_seq FROM run WHERE run_id = ?1")?;
    let last: Option<Seq> = statement.query_row([run_id.as_str()], |row| number(row, 0)).optional()?;
    let is_short = last.is_none_or(|last| last.saturating_sub(after) <= limit::SHORT_LOG);
    is_short.then(|| load(connection, run_id, after)).transpose()
}

/// The run's commits after sequence number `after`.
///
/// # Errors
/// A commit whose events cannot be read, or that does not follow the one before it: named by run and sequence number.
pub(super) fn load(connection: &Connection, run_id: &RunId, after: Seq) -> Result<Vec<Commit>, JobError> {
    let mut commits: Vec<Commit> = Vec::new();
    for StoredCommit { run_id, first_seq, cause_id, at, events, chain } in stored(connection, run_id, after)? {
        let place = || name(&run_id, first_seq);
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

fn name(run_id: &RunId, first_seq: Seq) -> String {
    format!("run {run_id}, commit at sequence number {first_seq}")
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
        "SELECT first_seq, events, packed FROM event_commit
         WHERE run_no = ?1 AND first_seq <= ?2 ORDER BY first_seq DESC LIMIT 1",
    )?;
    let missing =
        || JobError::corrupt(place(), format!("expected its result at sequence number {seq} of its run's log"));
    let mut rows = select.query(params![run_no, seq])?;
    let row = rows.next()?.ok_or_else(missing)?;
    let (first_seq, events): (Seq, String) = (number(row, 0)?, events(row, 1, &place)?);
    let events: Vec<Event> = format::decode(&events).map_err(|error| JobError::unreadable(place(), &error))?;
    match (first_seq..).zip(&events).find(|(at, _)| integer(*at) == seq) {
        Some((_, Event::AttemptEnded { result, .. })) => Ok(format::encode(result)),
        Some(_) | None => Err(missing()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_is_short_by_the_events_that_are_asked_for() {
        let connection = crate::open::memory().unwrap();
        let read = |run_id: &str, after| load_short(&connection, &RunId::new(run_id), after).unwrap();
        assert_eq!(read("none", 0), Some(Vec::new()));
        let insert = format!(
            "PRAGMA ignore_check_constraints = ON;
             INSERT INTO run (run_id, incident_id, playbook, status, started_at, updated_at, last_seq, live)
             VALUES ('short', 'i', 'p', 'RUNNING', 1, 1, {short}, 1), ('long', 'i', 'p', 'RUNNING', 1, 1, {long}, 1);",
            short = limit::SHORT_LOG,
            long = limit::SHORT_LOG + 1
        );
        connection.execute_batch(&insert).unwrap();
        assert_eq!((read("short", 0), read("long", 0)), (Some(Vec::new()), None));
        assert_eq!(read("long", 1), Some(Vec::new()), "what was read before does not count");
    }
}
