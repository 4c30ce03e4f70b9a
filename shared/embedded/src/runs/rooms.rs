//! Room among the live runs. The writer's transaction decides, so no bound is ever exceeded.

use std::collections::BTreeMap;

use heal_runtime::RunId;
use heal_runtime::port::{Occupancy, Room, WAITING_RUNS, WaitingRun, place};
use rusqlite::{Connection, OptionalExtension as _, params};

use crate::column::{moment, rows};
use crate::error::JobError;

/// Whether the run may take this room now.
pub(super) fn admits(connection: &Connection, room: &Room) -> Result<bool, JobError> {
    let waiting = if room.yields { waiting_playbooks(connection)? } else { Vec::new() };
    Ok(room.admits(&taken(connection)?, |playbook| waiting.iter().any(|waiting| waiting == playbook)))
}

pub(super) fn occupancy(connection: &Connection) -> Result<Occupancy, JobError> {
    let mut statement = connection.prepare_cached(
        "SELECT run_id, severity, started_at FROM run INDEXED BY run_waiting
         WHERE status = 'PENDING' AND held_by IS NULL AND playbook = ?1
         ORDER BY urgency / 2 DESC, started_at, run_id LIMIT ?2",
    )?;
    let mut occupancy = Occupancy { taken: taken(connection)?, waiting: Vec::new() };
    for playbook in waiting_playbooks(connection)? {
        let found = statement.query_map(params![playbook, rows(WAITING_RUNS)], |row| {
            let (run_id, severity) = (RunId::new(row.get::<_, String>(0)?), row.get::<_, Option<String>>(1)?);
            let place = place(severity.as_deref(), moment(row, 2)?);
            Ok(WaitingRun { run_id, playbook: playbook.clone(), place })
        })?;
        occupancy.waiting.extend(found.collect::<rusqlite::Result<Vec<_>>>()?);
    }
    occupancy.sort();
    Ok(occupancy)
}

/// The runs that take room, by playbook; their number is bounded by the guardrails.
fn taken(connection: &Connection) -> Result<BTreeMap<String, u32>, JobError> {
    let mut statement = connection.prepare_cached(
        "SELECT playbook, count(*) FROM run INDEXED BY run_room WHERE room = 1 AND playbook > '' GROUP BY playbook",
    )?;
    let found = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(found.collect::<rusqlite::Result<_>>()?)
}

/// The playbooks of which a run waits that nothing holds: one step in the index for each, however many runs wait.
fn waiting_playbooks(connection: &Connection) -> Result<Vec<String>, JobError> {
    let mut next = connection.prepare_cached(
        "SELECT playbook FROM run INDEXED BY run_waiting
         WHERE status = 'PENDING' AND held_by IS NULL AND playbook > ?1 ORDER BY playbook LIMIT 1",
    )?;
    let mut playbooks: Vec<String> = Vec::new();
    loop {
        let last = playbooks.last().map_or("", String::as_str);
        let Some(playbook) = next.query_row([last], |row| row.get(0)).optional()? else { return Ok(playbooks) };
        playbooks.push(playbook);
    }
}
