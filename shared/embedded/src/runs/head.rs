//! The row of a run's head.

use heal_runtime::port::{RunHead, Subject};
use heal_runtime::{RunId, Timestamp};
use rusqlite::Row;

use crate::column::{moment, number, optional_moment, word};
use crate::error::JobError;

/// The columns of [`Columns::read`], in its order.
pub(crate) const COLUMNS: &str = "run_id, incident_id, playbook, status, outcome, started_at, updated_at, wake_at, last_seq, \
     reason, ticket_id, workflow_id, worker_id, severity, escalation_required, open_follow_ups, held_by";

/// A row as it is stored.
pub(super) struct Columns {
    run_id: String,
    incident_id: String,
    playbook: Option<String>,
    status: String,
    outcome: Option<String>,
    started_at: Timestamp,
    updated_at: Timestamp,
    wake_at: Option<Timestamp>,
    last_seq: u64,
    reason: Option<String>,
    subject: Subject,
    open_follow_ups: u32,
    held_by: Option<String>,
}

impl Columns {
    pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            run_id: row.get(0)?,
            incident_id: row.get(1)?,
            playbook: row.get(2)?,
            status: row.get(3)?,
            outcome: row.get(4)?,
            started_at: moment(row, 5)?,
            updated_at: moment(row, 6)?,
            wake_at: optional_moment(row, 7)?,
            last_seq: number(row, 8)?,
            reason: row.get(9)?,
            subject: Subject {
                ticket_id: row.get(10)?,
                workflow_id: row.get(11)?,
                worker_id: row.get(12)?,
                severity: row.get(13)?,
                escalation_required: row.get(14)?,
            },
            open_follow_ups: row.get(15)?,
            held_by: row.get(16)?,
        })
    }

    /// # Errors
    /// The status or outcome is a word that the engine does not know; names the run.
    pub(super) fn into_head(self) -> Result<RunHead, JobError> {
        let place = |column: &str| format!("run {}, {column}", self.run_id);
        let status = word(&self.status, || place("status"))?;
        let outcome = self.outcome.as_deref().map(|outcome| word(outcome, || place("outcome"))).transpose()?;
        Ok(RunHead {
            run_id: RunId::new(self.run_id),
            incident_id: self.incident_id,
            playbook: self.playbook,
            status,
            outcome,
            started_at: self.started_at,
            updated_at: self.updated_at,
            wake_at: self.wake_at,
            last_seq: self.last_seq,
            reason: self.reason,
            subject: self.subject,
            open_follow_ups: self.open_follow_ups,
            held_by: self.held_by,
        })
    }
}
