//! Runs that are held.

use heal_runtime::RunId;
use rusqlite::{Connection, params};

use crate::column::{number, rows};
use crate::error::JobError;

/// The ids of halts start with `halt-`, those of persons do not; `.` follows `-`.
pub(super) fn by_others(connection: &Connection, halts: &[String], limit: usize) -> Result<Vec<RunId>, JobError> {
    let halts = format!(",{},", halts.join(","));
    let mut statement = connection.prepare_cached(
        "SELECT run_id FROM run WHERE live = 1 AND held_by >= 'halt-' AND held_by < 'halt.'
         AND instr(?1, ',' || held_by || ',') = 0 LIMIT ?2",
    )?;
    let found = statement.query_map(params![halts, rows(limit)], |row| Ok(RunId::new(row.get::<_, String>(0)?)))?;
    Ok(found.collect::<rusqlite::Result<_>>()?)
}

pub(super) fn count(connection: &Connection) -> Result<u64, JobError> {
    let mut statement = connection
        .prepare_cached("SELECT count(*) FROM run WHERE live = 1 AND held_by IS NOT NULL AND held_by > ''")?;
    Ok(statement.query_row([], |row| number(row, 0))?)
}
