//! Creates runs and appends to them.

use heal_runtime::port::{Admitted, Appended, Created, JoinedInput, NewRun, Room, RunHead};
use heal_runtime::{Digest, RunId, RunOutcome, Seq, Timestamp};
use rusqlite::{Connection, OptionalExtension as _, params};

use super::{repeats, rooms};
use crate::column::{integer, millis, number};
use crate::error::JobError;

/// A commit and the run's head after it, ready to write.
pub(crate) struct Row {
    pub run_id: String,
    pub first_seq: Seq,
    pub last_seq: Seq,
    pub cause_id: String,
    pub at: Timestamp,
    /// JSON; empty if it is packed.
    pub events: String,
    pub packed: Option<Vec<u8>>,
    pub chain: Option<String>,
    pub head: RunHead,
}

pub(crate) fn create(connection: &Connection, row: &Row, run: &NewRun) -> Result<Created, JobError> {
    let one = |sql: &str, values: &[&dyn rusqlite::ToSql]| {
        let mut statement = connection.prepare_cached(sql)?;
        statement.query_row(values, |found| Ok(RunId::new(found.get::<_, String>(0)?))).optional()
    };
    let open = "SELECT run_id FROM dedupe WHERE key = ?1 AND until > ?2";
    if let Some(run_id) = one(open, &[&run.dedupe_key, &millis(row.at)])? {
        return Ok(Created::Duplicate { run_id });
    }
    if let Some(run_id) = one("SELECT run_id FROM run WHERE run_id = ?1", &[&row.run_id])? {
        return Ok(Created::Duplicate { run_id });
    }
    if let Some(key) = &run.concurrency_key
        && let Some(run_id) = one("SELECT run_id FROM concurrency WHERE key = ?1", &[key])?
    {
        return Ok(Created::Busy { run_id });
    }
    if let Some(room) = &run.room
        && !rooms::admits(connection, room)?
    {
        return Ok(Created::Full);
    }
    if let Err(refusal) = repeats::count(connection, run)? {
        return Ok(refusal);
    }
    insert_run(connection, row, run.room.is_some())?;
    insert_commit(connection, connection.last_insert_rowid(), row)?;
    let mut dedupe =
        connection.prepare_cached("INSERT OR REPLACE INTO dedupe (key, run_id, until) VALUES (?1, ?2, ?3)")?;
    dedupe.execute(params![run.dedupe_key, row.run_id, millis(run.dedupe_until)])?;
    if let Some(key) = run.concurrency_key.as_ref().filter(|_| !row.head.status.is_terminal()) {
        let mut hold = connection.prepare_cached("INSERT INTO concurrency (key, run_id) VALUES (?1, ?2)")?;
        hold.execute(params![key, row.run_id])?;
    }
    Ok(Created::Created)
}

pub(crate) fn remember(connection: &Connection, input: &JoinedInput) -> Result<(), JobError> {
    let mut dedupe = connection.prepare_cached(
        "INSERT INTO dedupe (key, run_id, until) VALUES (?1, ?2, ?3)
         ON CONFLICT (key) DO UPDATE SET run_id = excluded.run_id, until = excluded.until WHERE until <= ?4",
    )?;
    dedupe.execute(params![input.dedupe_key, input.run_id.as_str(), millis(input.until), millis(input.at)])?;
    Ok(())
}

pub(crate) fn append(connection: &Connection, row: &Row, concurrency_key: Option<&str>) -> Result<Appended, JobError> {
    let mut find = connection.prepare_cached("SELECT no, last_seq, status FROM run WHERE run_id = ?1")?;
    let found: Option<(i64, Seq, String)> =
        find.query_row([&row.run_id], |run| Ok((run.get(0)?, number(run, 1)?, run.get(2)?))).optional()?;
    let Some((run_no, last_seq, status)) = found else { return Ok(Appended::Conflict) };
    if row.first_seq != last_seq + 1 {
        let mut there =
            connection.prepare_cached("SELECT cause_id FROM event_commit WHERE run_no = ?1 AND first_seq = ?2")?;
        let cause: Option<String> =
            there.query_row(params![run_no, integer(row.first_seq)], |commit| commit.get(0)).optional()?;
        let same = cause.is_some_and(|cause| cause == row.cause_id);
        return Ok(if same { Appended::AlreadyThere } else { Appended::Conflict });
    }
    insert_commit(connection, run_no, row)?;
    update_run(connection, run_no, row, status != row.head.status.as_str())?;
    if let Some(key) = concurrency_key.filter(|_| row.head.status.is_terminal()) {
        let mut free = connection.prepare_cached("DELETE FROM concurrency WHERE key = ?1 AND run_id = ?2")?;
        free.execute(params![key, row.run_id])?;
    }
    Ok(Appended::Appended)
}

/// As [`append`], of a commit with which the run takes `room`.
pub(crate) fn admit(connection: &Connection, row: &Row, room: &Room) -> Result<Admitted, JobError> {
    if !rooms::admits(connection, room)? {
        return Ok(Admitted::Full);
    }
    let appended = append(connection, row, None)?;
    if appended == Appended::Appended {
        let mut take = connection.prepare_cached("UPDATE run SET room = 1 WHERE run_id = ?1")?;
        take.execute([&row.run_id])?;
    }
    Ok(Admitted::Written(appended))
}

pub(super) fn put_plan(connection: &Connection, digest: &Digest, plan: &str) -> Result<(), JobError> {
    let mut insert = connection.prepare_cached("INSERT OR IGNORE INTO plan (digest, body) VALUES (?1, ?2)")?;
    insert.execute(params![digest.as_str(), plan])?;
    Ok(())
}

fn insert_commit(connection: &Connection, run_no: i64, row: &Row) -> Result<(), JobError> {
    let mut insert = connection.prepare_cached(
        "INSERT INTO event_commit (run_no, first_seq, cause_id, at, events, packed, chain) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?;
    let Row { first_seq, cause_id, at, events, packed, chain, .. } = row;
    insert.execute(params![run_no, integer(*first_seq), cause_id, millis(*at), events, packed, chain])?;
    Ok(())
}

fn insert_run(connection: &Connection, row: &Row, takes_room: bool) -> Result<(), JobError> {
    let head = &row.head;
    let mut insert = connection.prepare_cached(
        "INSERT INTO run (run_id, incident_id, playbook, status, live, outcome, started_at, updated_at, wake_at, last_seq, reason,
             ticket_id, workflow_id, worker_id, severity, escalation_required, urgency, open_follow_ups, attention, held_by, room)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21)",
    )?;
    insert.execute(params![
        row.run_id,
        head.incident_id,
        head.playbook,
        head.status.as_str(),
        !head.status.is_terminal(),
        head.outcome.map(RunOutcome::as_str),
        millis(head.started_at),
        millis(head.updated_at),
        head.wake_at.map(millis),
        integer(row.last_seq),
        head.reason,
        head.subject.ticket_id,
        head.subject.workflow_id,
        head.subject.worker_id,
        head.subject.severity,
        head.subject.escalation_required,
        head.subject.urgency(),
        head.open_follow_ups,
        head.needs_attention(),
        head.held_by,
        takes_room,
    ])?;
    Ok(())
}

/// Writes the status only if it changed, since most commits keep it and its indexes need no update.
fn update_run(connection: &Connection, run_no: i64, row: &Row, status_changed: bool) -> Result<(), JobError> {
    let head = &row.head;
    let mut update = connection.prepare_cached(
        "UPDATE run SET outcome = ?2, updated_at = ?3, wake_at = ?4, last_seq = ?5, reason = ?6, open_follow_ups = ?7, attention = ?8, held_by = ?9
         WHERE no = ?1",
    )?;
    update.execute(params![
        run_no,
        head.outcome.map(RunOutcome::as_str),
        millis(head.updated_at),
        head.wake_at.map(millis),
        integer(row.last_seq),
        head.reason,
        head.open_follow_ups,
        head.needs_attention(),
        head.held_by,
    ])?;
    if status_changed {
        let mut update =
            connection.prepare_cached("UPDATE run SET status = ?2, live = ?3, room = room AND ?3 WHERE no = ?1")?;
        update.execute(params![run_no, head.status.as_str(), !head.status.is_terminal()])?;
    }
    Ok(())
}
