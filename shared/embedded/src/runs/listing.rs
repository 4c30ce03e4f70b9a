//! Lists of runs: filtered, and those that are due.

use heal_runtime::port::{LiveRuns, Page, Position, RunFilter};
use heal_runtime::{RunId, RunOutcome, RunStatus, Timestamp};
use rusqlite::{Connection, OptionalExtension as _, params};

use super::head::{COLUMNS, Columns};
use crate::column::{millis, moment, rows};
use crate::error::JobError;

pub(super) fn list(
    connection: &Connection,
    filter: &RunFilter,
    limit: usize,
    before: Option<&Position>,
) -> Result<Page, JobError> {
    let sql = statement(filter, before);
    let mut statement = connection.prepare_cached(&sql)?;
    let values = params![
        status(filter).map(RunStatus::as_str),
        filter.outcome.map(RunOutcome::as_str),
        filter.playbook,
        filter.incident_id,
        filter.ticket_id,
        filter.workflow_id,
        filter.worker_id,
        filter.severity,
        filter.since.map(millis),
        before.map(|position| position.urgency),
        before.map(|position| millis(position.started_at)),
        before.map(|position| position.run_id.as_str()),
        rows(limit.saturating_add(1)),
    ];
    let found = statement.query_map(values, Columns::read)?.collect::<rusqlite::Result<Vec<Columns>>>()?;
    let more = found.len() > limit;
    let runs = found.into_iter().take(limit).map(Columns::into_head).collect::<Result<Vec<_>, JobError>>()?;
    let next = runs.last().filter(|_| more).map(|last| filter.cursor(&filter.position(last)));
    Ok(Page { runs, next, unexamined_before: None })
}

/// An outcome implies its status, by which an index finds it.
fn status(filter: &RunFilter) -> Option<RunStatus> {
    filter.status.or(filter.outcome.map(RunOutcome::status))
}

/// Contains only the filter's conditions, so that SQLite plans each combination by its own index. The index of runs that need attention
/// is the only one in their order, but SQLite would prefer one with more columns in the conditions, and sort.
fn statement(filter: &RunFilter, before: Option<&Position>) -> String {
    let conditions = [
        status(filter).map(|_| "status = ?1"),
        filter.outcome.map(|_| "outcome = ?2"),
        filter.playbook.as_ref().map(|_| "playbook = ?3"),
        filter.incident_id.as_ref().map(|_| "incident_id = ?4"),
        filter.ticket_id.as_ref().map(|_| "ticket_id = ?5"),
        filter.workflow_id.as_ref().map(|_| "workflow_id = ?6"),
        filter.worker_id.as_ref().map(|_| "worker_id = ?7"),
        filter.severity.as_ref().map(|_| "severity = ?8"),
        filter.since.map(|_| "started_at >= ?9"),
        filter.needs_attention.then_some("attention = 1"),
        before.map(|_| {
            if filter.needs_attention {
                "(urgency, started_at, run_id) < (?10, ?11, ?12)"
            } else {
                "(started_at, run_id) < (?11, ?12)"
            }
        }),
    ];
    let conditions: Vec<&str> = conditions.into_iter().flatten().collect();
    let selected = if conditions.is_empty() { String::new() } else { format!("WHERE {}", conditions.join(" AND ")) };
    let (index, order) = if filter.needs_attention {
        ("INDEXED BY run_attention", "urgency DESC, started_at DESC, run_id DESC")
    } else {
        ("", "started_at DESC, run_id DESC")
    };
    format!("SELECT {COLUMNS} FROM run {index} {selected} ORDER BY {order} LIMIT ?13")
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

pub(super) fn count_live(connection: &Connection) -> Result<LiveRuns, JobError> {
    let mut statement = connection.prepare_cached("SELECT count(*) FROM run WHERE status = ?1")?;
    let mut live = LiveRuns::default();
    for status in RunStatus::ALL.into_iter().filter(|status| !status.is_terminal()) {
        let runs = statement.query_row([status.as_str()], |row| row.get::<_, i64>(0))?.unsigned_abs();
        live.active += runs;
        match status {
            RunStatus::AwaitingApproval => live.awaiting_approval = runs,
            RunStatus::Pending => live.waiting = runs,
            RunStatus::Running
            | RunStatus::Completed
            | RunStatus::Failed
            | RunStatus::Cancelled
            | RunStatus::Timeout => {}
        }
    }
    let mut oldest =
        connection.prepare_cached("SELECT started_at FROM run WHERE status = 'PENDING' ORDER BY started_at LIMIT 1")?;
    live.waiting_since = oldest.query_row([], |row| moment(row, 0)).optional()?;
    Ok(live)
}

/// The statement of each combination of conditions.
#[cfg(test)]
pub(crate) fn every_statement() -> Vec<String> {
    let combination = |bits: u32| {
        let has = |bit: u32| (bits >> bit) & 1 == 1;
        let text = |bit| has(bit).then(String::new);
        let filter = RunFilter {
            status: has(0).then_some(RunStatus::Failed),
            outcome: has(1).then_some(RunOutcome::Denied),
            playbook: text(2),
            incident_id: text(3),
            ticket_id: text(4),
            workflow_id: text(5),
            worker_id: text(6),
            severity: text(7),
            since: has(8).then_some(Timestamp(0)),
            needs_attention: has(9),
        };
        let position = Position { urgency: 0, started_at: Timestamp(0), run_id: String::new() };
        statement(&filter, has(10).then_some(&position))
    };
    (0..1 << 11).map(combination).collect()
}
