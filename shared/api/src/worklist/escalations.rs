//! Runs that were handed to a person instead of acting once more.

use heal_engine::event::RunOutcome;
use heal_engine::state::follow_up::{ESCALATION, full_id};
use heal_engine::{RunId, Timestamp};
use heal_runtime::port::RunFilter;
use serde::Serialize;
use utoipa::ToSchema;

use super::{Error, Listing, PAGE, Worklist};

/// Escalated runs that one listing shows at most.
pub const ESCALATION_RUNS: usize = 1_000;

/// An escalated run.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Escalation {
    /// The run.
    #[schema(value_type = String)]
    pub run_id: RunId,
    /// The playbook's name.
    pub playbook: Option<String>,
    /// The incident's severity.
    pub severity: Option<String>,
    /// When it was escalated, in milliseconds since the epoch.
    #[schema(value_type = u64)]
    pub at: Timestamp,
    /// Why.
    pub reason: Option<String>,
    /// Incidents about the target that have come since.
    pub joined: Vec<String>,
    /// When a person acknowledged it, in milliseconds since the epoch; absent while nobody has.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<u64>)]
    pub acknowledged_at: Option<Timestamp>,
    /// The identity of who acknowledged it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub acknowledged_by: Option<String>,
    /// What this person added.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

impl Worklist<'_> {
    /// The escalated runs that nobody has acknowledged, the most severe first; with `all`, every one, the newest first.
    ///
    /// # Errors
    /// The runs cannot be read.
    pub async fn escalations(self, all: bool) -> Result<Listing<Escalation>, Error> {
        let filter = RunFilter { outcome: Some(RunOutcome::Escalated), needs_attention: !all, ..RunFilter::default() };
        let mut found = Vec::new();
        let mut cursor: Option<String> = None;
        loop {
            let page = self.runs.list(&filter, PAGE, cursor.as_deref()).await?;
            found.extend(page.runs.into_iter().map(|head| head.run_id));
            cursor = page.next;
            if cursor.is_none() || found.len() > ESCALATION_RUNS {
                break;
            }
        }
        let has_more = found.len() > ESCALATION_RUNS;
        found.truncate(ESCALATION_RUNS);
        let mut entries = Vec::new();
        for run_id in found {
            entries.push(self.escalation(run_id).await?);
        }
        Ok(Listing { entries, has_more })
    }

    /// One escalated run.
    ///
    /// # Errors
    /// The run does not exist or cannot be read.
    pub async fn escalation(self, run_id: RunId) -> Result<Escalation, Error> {
        let report = self.report(&run_id).await?;
        let id = full_id(&run_id, ESCALATION);
        let done = report.follow_ups.into_iter().find(|follow_up| follow_up.id == id);
        let (acknowledged_at, acknowledged_by, note) =
            done.map_or((None, None, None), |done| (done.done_at, done.done_by, done.note));
        Ok(Escalation {
            run_id,
            playbook: report.playbook,
            severity: report.severity,
            at: report.started_at,
            reason: report.reason,
            joined: report.joined,
            acknowledged_at,
            acknowledged_by,
            note,
        })
    }
}
