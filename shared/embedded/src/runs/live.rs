//! Live runs of an alert.

use heal_runtime::RunId;
use rusqlite::{Connection, params};

use crate::error::JobError;

/// Reads the live runs only: each has a wake time, is held, or waits for room.
pub(super) fn of_incidents(connection: &Connection, prefix: &str) -> Result<Vec<RunId>, JobError> {
    let mut statement = connection.prepare_cached(
        "SELECT run_id FROM run WHERE live = 1 AND wake_at >= 0 AND substr(incident_id, 1, length(?1)) = ?1
         UNION ALL SELECT run_id FROM run INDEXED BY run_held
             WHERE live = 1 AND held_by IS NOT NULL AND held_by > '' AND wake_at IS NULL AND substr(incident_id, 1, length(?1)) = ?1
         UNION ALL SELECT run_id FROM run
             WHERE status = 'PENDING' AND held_by IS NULL AND wake_at IS NULL AND substr(incident_id, 1, length(?1)) = ?1",
    )?;
    let found = statement.query_map(params![prefix], |row| Ok(RunId::new(row.get::<_, String>(0)?)))?;
    Ok(found.collect::<rusqlite::Result<_>>()?)
}
