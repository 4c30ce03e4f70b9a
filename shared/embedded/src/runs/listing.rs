//! Lists of runs: filtered, and those that are due.

use heal_runtime::port::{BackendError, Page, RunFilter};
use heal_runtime::{RunId, RunStatus, Timestamp};
use rusqlite::{Connection, OptionalExtension as _, params};

use super::head::{COLUMNS, Columns};
use crate::column::{millis, moment, rows};
use crate::error::JobError;

/// The last run of a page; the next page continues after it. A run never changes its place in the order, so a run inserted between two
/// pages neither hides another nor repeats it.
pub(super) struct Cursor {
    started_at: Timestamp,
    run_id: String,
}

pub(super) fn parse_cursor(operation: &'static str, text: &str) -> Result<Cursor, BackendError> {
    let parts = text.split_once(':').and_then(|(at, run_id)| Some((Timestamp(at.parse().ok()?), run_id.to_owned())));
    let (started_at, run_id) = parts
        .ok_or_else(|| BackendError::corrupt(operation, format!("`{text}` is not a cursor that a listing gave")))?;
    Ok(Cursor { started_at, run_id })
}

pub(super) fn list(
    connection: &Connection,
    filter: &RunFilter,
    limit: usize,
    before: Option<&Cursor>,
) -> Result<Page, JobError> {
    let sql = statement(filter, before);
    let mut statement = connection.prepare_cached(&sql)?;
    let values = params![
        filter.status.map(heal_runtime::RunStatus::as_str),
        filter.playbook,
        filter.since.map(millis),
        before.map(|cursor| millis(cursor.started_at)),
        before.map(|cursor| cursor.run_id.as_str()),
        rows(limit.saturating_add(1)),
    ];
    let found = statement.query_map(values, Columns::read)?.collect::<rusqlite::Result<Vec<Columns>>>()?;
    let more = found.len() > limit;
    let runs = found.into_iter().take(limit).map(Columns::into_head).collect::<Result<Vec<_>, JobError>>()?;
    let next = runs.last().filter(|_| more).map(|last| format!("{}:{}", last.started_at.0, last.run_id));
    Ok(Page { runs, next })
}

/// Contains only the filter's conditions, so that SQLite plans each combination by its own index.
fn statement(filter: &RunFilter, before: Option<&Cursor>) -> String {
    let conditions = [
        filter.status.map(|_| "status = ?1"),
        filter.playbook.as_ref().map(|_| "playbook = ?2"),
        filter.since.map(|_| "started_at >= ?3"),
        before.map(|_| "(started_at, run_id) < (?4, ?5)"),
    ];
    let conditions: Vec<&str> = conditions.into_iter().flatten().collect();
    let selected = if conditions.is_empty() { String::new() } else { format!("WHERE {}", conditions.join(" AND ")) };
    format!("SELECT {COLUMNS} FROM run {selected} ORDER BY started_at DESC, run_id DESC LIMIT ?6")
}

pub(super) fn due(connection: &Connection, now: Timestamp, limit: usize) -> Result<Vec<RunId>, JobError> {
    let mut statement = connection
        .prepare_cached("SELECT run_id FROM run WHERE live = 1 AND wake_at <= ?1 ORDER BY wake_at, run_id LIMIT ?2")?;
    let found =
        statement.query_map(params![millis(now), rows(limit)], |row| Ok(RunId::new(row.get::<_, String>(0)?)))?;
    Ok(found.collect::<rusqlite::Result<_>>()?)
}

pub(super) fn next_due(connection: &Connection) -> Result<Option<Timestamp>, JobError> {
    let mut statement = connection
        .prepare_cached("SELECT wake_at FROM run WHERE live = 1 AND wake_at IS NOT NULL ORDER BY wake_at LIMIT 1")?;
    Ok(statement.query_row([], |row| moment(row, 0)).optional()?)
}

pub(super) fn count_live(connection: &Connection) -> Result<u64, JobError> {
    let mut statement = connection.prepare_cached("SELECT count(*) FROM run WHERE status = ?1")?;
    let live = RunStatus::ALL.into_iter().filter(|status| !status.is_terminal());
    let counts = live.map(|status| statement.query_row([status.as_str()], |row| row.get::<_, i64>(0)));
    Ok(counts.sum::<rusqlite::Result<i64>>()?.unsigned_abs())
}

/// The statement of each combination of conditions.
#[cfg(test)]
pub(crate) fn every_statement() -> Vec<String> {
    let combination = |bits: u8| {
        let filter = RunFilter {
            status: (bits & 1 > 0).then_some(RunStatus::Running),
            playbook: (bits & 2 > 0).then(String::new),
            since: (bits & 4 > 0).then_some(Timestamp(0)),
        };
        let cursor = Cursor { started_at: Timestamp(0), run_id: String::new() };
        statement(&filter, (bits & 8 > 0).then_some(&cursor))
    };
    (0..16).map(combination).collect()
}
