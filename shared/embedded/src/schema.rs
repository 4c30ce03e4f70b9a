//! The tables, and the migrations from each earlier version.
//!
//! | table | one row is |
//! |---|---|
//! | `run` | the head of a run: status, times, what it is about; `no` is its key in `event_commit` |
//! | `event_commit` | one commit: all events of one accepted input, as JSON, which may be packed |
//! | `dedupe` | an input that starts no second run before `until` |
//! | `concurrency` | a key, and the live run that holds it |
//! | `plan` | a compiled playbook under its digest |
//! | `message`, `dead_letter` | a message on its queue; a message that was dead-lettered, with the reason; commands may be packed |
//! | `claim`, `cooldown` | the right to perform an attempt; a target that was reserved |
//! | `budget` | the places of one budget's counter that are taken, as JSON |
//! | `breaker` | an open circuit breaker |
//! | `repeated` | the runs for one target of a playbook, as JSON; counts nothing after `until` |
//! | `check_state` | the memory of a scheduled check between two probes |
//! | `halt` | a halt, until it is resumed; one that has ended is removed with the next one |
//! | `autonomy` | the level of autonomy that is set for a playbook, and those before it |
//!
//! Times are milliseconds since the Unix epoch.

mod autonomy;
mod budgets;
mod chain;
mod claims;
mod cooldowns;
mod held;
mod history;
mod packed;
mod repeats;
mod rooms;

use rusqlite::Connection;

use crate::open::OpenError;

/// Marks the file as ours: "heal" in ASCII.
pub(crate) const APPLICATION_ID: i32 = i32::from_be_bytes(*b"heal");

/// The migrations from an empty file to the current version, each in its parts. A released migration never changes; new ones are appended.
const MIGRATIONS: [&[&str]; VERSION as usize] = [
    &[V1],
    &[V2],
    &[V3],
    &[chain::UP, held::UP, budgets::UP, repeats::UP, autonomy::UP],
    &[rooms::UP, history::UP],
    &[claims::UP, cooldowns::UP],
    &[packed::UP],
];

/// The version of the tables that this build reads and writes, `user_version` of the file.
pub(crate) const VERSION: u32 = 7;

/// SQLite writes each page that a transaction touches twice and whole, so rows that are written together are kept together: commits lie in
/// the order of their arrival, and an index of small numbers finds them by run.
const V1: &str = "
CREATE TABLE run (
    no INTEGER PRIMARY KEY,
    run_id TEXT NOT NULL UNIQUE,
    incident_id TEXT NOT NULL,
    playbook TEXT,
    status TEXT NOT NULL,
    live INTEGER NOT NULL,
    outcome TEXT,
    started_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    wake_at INTEGER,
    last_seq INTEGER NOT NULL,
    reason TEXT
) STRICT;
CREATE INDEX run_by_start ON run (started_at, run_id);
CREATE INDEX run_by_status ON run (status, started_at, run_id);
CREATE INDEX run_by_playbook ON run (playbook, started_at, run_id);
CREATE INDEX run_due ON run (wake_at, run_id) WHERE live = 1 AND wake_at IS NOT NULL;
CREATE INDEX run_ended ON run (updated_at) WHERE live = 0;

CREATE TABLE event_commit (
    run_no INTEGER NOT NULL REFERENCES run (no) ON DELETE CASCADE,
    first_seq INTEGER NOT NULL,
    cause_id TEXT NOT NULL,
    at INTEGER NOT NULL,
    events TEXT NOT NULL,
    UNIQUE (run_no, first_seq)
) STRICT;

CREATE TABLE dedupe (
    key TEXT NOT NULL PRIMARY KEY,
    run_id TEXT NOT NULL,
    until INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX dedupe_until ON dedupe (until);

CREATE TABLE concurrency (
    key TEXT NOT NULL PRIMARY KEY,
    run_id TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE plan (
    digest TEXT NOT NULL PRIMARY KEY,
    body TEXT NOT NULL
) STRICT;

-- AUTOINCREMENT: a message's number names it in receipts and in the log, so it never comes again.
CREATE TABLE message (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    queue TEXT NOT NULL,
    due_at INTEGER NOT NULL,
    turn INTEGER NOT NULL,
    delivered INTEGER NOT NULL,
    receive_count INTEGER NOT NULL,
    sent_at INTEGER NOT NULL,
    traceparent TEXT,
    body TEXT NOT NULL
) STRICT;
CREATE INDEX message_due ON message (queue, due_at, id);

CREATE TABLE dead_letter (
    no INTEGER PRIMARY KEY,
    message_id INTEGER NOT NULL UNIQUE,
    queue TEXT NOT NULL,
    turn INTEGER NOT NULL,
    receive_count INTEGER NOT NULL,
    sent_at INTEGER NOT NULL,
    traceparent TEXT,
    reason TEXT NOT NULL,
    body TEXT NOT NULL
) STRICT;

CREATE TABLE claim (
    action TEXT NOT NULL,
    attempt TEXT NOT NULL,
    holder TEXT,
    lease_until INTEGER NOT NULL,
    recovered INTEGER NOT NULL,
    reserved TEXT NOT NULL,
    result TEXT,
    PRIMARY KEY (action, attempt)
) STRICT, WITHOUT ROWID;
CREATE INDEX claim_lease ON claim (lease_until);

CREATE TABLE cooldown (
    action TEXT NOT NULL,
    target TEXT NOT NULL,
    reserved_at INTEGER NOT NULL,
    until INTEGER NOT NULL,
    by_action TEXT,
    by_attempt TEXT,
    before_at INTEGER,
    before_until INTEGER,
    PRIMARY KEY (action, target)
) STRICT, WITHOUT ROWID;
CREATE INDEX cooldown_until ON cooldown (until);

CREATE TABLE breaker (
    service TEXT NOT NULL PRIMARY KEY,
    opened_at INTEGER NOT NULL,
    open_until INTEGER NOT NULL,
    trial_holder TEXT,
    trial_until INTEGER
) STRICT, WITHOUT ROWID;
";

/// One row per check: its memory as JSON, and the revision that the next write expects.
const V2: &str = "
CREATE TABLE check_state (
    name TEXT NOT NULL PRIMARY KEY,
    version INTEGER NOT NULL,
    body TEXT NOT NULL
) STRICT, WITHOUT ROWID;
";

/// What the holder of a claim was about to do, as JSON; what a run is about and whether it needs a person, read from the log for the runs of
/// earlier builds. Earlier builds did not count follow-ups: their runs with follow-ups ended `DEGRADED` or worse, so they need a person all the
/// same. `urgency` is computed as in `heal_runtime::port::Subject`.
const V3: &str = "
ALTER TABLE claim ADD COLUMN intent TEXT;

ALTER TABLE run ADD COLUMN ticket_id TEXT;
ALTER TABLE run ADD COLUMN workflow_id TEXT;
ALTER TABLE run ADD COLUMN worker_id TEXT;
ALTER TABLE run ADD COLUMN severity TEXT;
ALTER TABLE run ADD COLUMN escalation_required INTEGER NOT NULL DEFAULT 0;
ALTER TABLE run ADD COLUMN urgency INTEGER NOT NULL DEFAULT 0;
ALTER TABLE run ADD COLUMN open_follow_ups INTEGER NOT NULL DEFAULT 0;
ALTER TABLE run ADD COLUMN attention INTEGER NOT NULL DEFAULT 0;

UPDATE run SET
    ticket_id = coalesce(
        CASE WHEN json_type(incident.fields, '$.ticket_id') IN ('text', 'integer') THEN incident.fields ->> '$.ticket_id' END,
        CASE WHEN json_array_length(incident.fields, '$.affected_tickets') = 1 THEN incident.fields ->> '$.affected_tickets[0]' END),
    workflow_id = CASE WHEN json_type(incident.fields, '$.workflow_id') IN ('text', 'integer') THEN incident.fields ->> '$.workflow_id' END,
    worker_id = CASE WHEN json_type(incident.fields, '$.worker_id') IN ('text', 'integer') THEN incident.fields ->> '$.worker_id' END,
    severity = CASE WHEN json_type(incident.fields, '$.severity') IN ('text', 'integer') THEN upper(incident.fields ->> '$.severity') END,
    escalation_required = json_type(incident.fields, '$.escalation_required') IS 'true'
FROM (
    SELECT run_no, CASE json_type(events)
        WHEN 'array' THEN events -> '$[0].variables'
        ELSE events -> '$.events[0].variables' END AS fields
    FROM event_commit WHERE first_seq = 1 AND json_valid(events)
) AS incident
WHERE incident.run_no = run.no AND incident.fields IS NOT NULL;
UPDATE run SET
    urgency = escalation_required
        + 2 * CASE severity WHEN 'CRITICAL' THEN 5 WHEN 'HIGH' THEN 4 WHEN 'MEDIUM' THEN 3 WHEN 'LOW' THEN 2 WHEN 'INFO' THEN 1 ELSE 0 END,
    attention = status = 'AWAITING_APPROVAL'
        OR coalesce(outcome IN ('DEGRADED', 'NOT_HEALED', 'FAILED', 'DENIED', 'TIMEOUT'), 0);

CREATE INDEX run_by_incident ON run (incident_id, started_at, run_id);
CREATE INDEX run_by_ticket ON run (ticket_id, started_at, run_id) WHERE ticket_id IS NOT NULL;
CREATE INDEX run_by_workflow ON run (workflow_id, started_at, run_id) WHERE workflow_id IS NOT NULL;
CREATE INDEX run_by_worker ON run (worker_id, started_at, run_id) WHERE worker_id IS NOT NULL;
CREATE INDEX run_attention ON run (urgency, started_at, run_id) WHERE attention = 1;
";

/// Brings the file to the current version, in one transaction. Of several processes that open the same file at once, one does it.
///
/// `keep` is called with the version found, before an older file is changed: it keeps a copy of the file.
///
/// # Errors
/// The file belongs to another application or to a newer version of this one, or the copy cannot be kept: then nothing is changed.
pub(crate) fn migrate(
    connection: &mut Connection,
    keep: impl FnOnce(&Connection, u32) -> Result<(), OpenError>,
) -> Result<(), OpenError> {
    let found = version(connection)?;
    if found == VERSION {
        return Ok(());
    }
    if found > 0 {
        keep(connection, found)?;
    }
    let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    let found = version(&transaction)?;
    for (parts, version) in MIGRATIONS.iter().zip(1..).skip_while(|(_, version)| *version <= found) {
        parts.iter().try_for_each(|part| transaction.execute_batch(part))?;
        transaction.pragma_update(None, "user_version", version)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.commit()?;
    Ok(())
}

/// The version of the file's tables; 0 for an empty file.
///
/// # Errors
/// The file belongs to another application, or to a newer version of this one.
pub(crate) fn version(connection: &Connection) -> Result<u32, OpenError> {
    // The tables first: another process that is creating them commits its application id with them.
    let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    let application: i32 = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    if application != APPLICATION_ID && tables > 0 {
        return Err(OpenError::Foreign { application });
    }
    let found: u32 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if found > VERSION {
        return Err(OpenError::Newer { observed: found, supported: VERSION });
    }
    Ok(found)
}

#[cfg(test)]
mod tests;
