//! What runs have left for people to do.

use heal_engine::report::{FollowUp, Report};
use heal_engine::severity::Severity;
use heal_engine::{RunId, Timestamp, event::RunOutcome};
use heal_runtime::port::{RunFilter, RunHead};
use serde::Serialize;

use super::{Error, Listing, PAGE, Worklist};

/// Runs that one listing reads at most.
pub const FOLLOW_UP_RUNS: usize = 2_000;

/// Which follow-ups to list.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FollowUpFilter {
    /// Also those that are done. Reads the log of every run that did not end well.
    pub all: bool,
    /// Only of runs for this incident.
    pub incident_id: Option<String>,
    /// Only of this run.
    pub run_id: Option<RunId>,
    /// Only of runs that started at or after this moment.
    pub since: Option<Timestamp>,
}

/// A follow-up with its run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FollowUpEntry {
    /// The follow-up.
    #[serde(flatten)]
    pub follow_up: FollowUp,
    /// The run.
    pub run_id: RunId,
    /// The run's incident.
    pub incident_id: String,
    /// The playbook's name.
    pub playbook: Option<String>,
    /// The incident's severity.
    pub severity: Option<String>,
    /// Whether the incident asks for a person whatever becomes of the run.
    pub escalation_required: bool,
}

impl Worklist<'_> {
    /// The follow-ups that `filter` admits, those of the most severe incidents first, then the oldest first.
    ///
    /// # Errors
    /// The runs cannot be read, or the run that `filter` names does not exist.
    pub async fn follow_ups(self, filter: &FollowUpFilter) -> Result<Listing<FollowUpEntry>, Error> {
        let (run_ids, has_more) = match &filter.run_id {
            Some(run_id) => (vec![run_id.clone()], false),
            None => self.with_follow_ups(filter).await?,
        };
        let mut entries = Vec::new();
        for run_id in run_ids {
            let of_run = self.follow_ups_of(&run_id).await?.into_iter();
            entries.extend(of_run.filter(|entry| filter.all || entry.follow_up.is_open()));
        }
        entries.sort_by_key(|entry| (Severity::rank(entry.severity.as_deref()), entry.follow_up.at));
        Ok(Listing { entries, has_more })
    }

    /// All follow-ups of one run.
    ///
    /// # Errors
    /// The run does not exist or cannot be read.
    pub async fn follow_ups_of(self, run_id: &RunId) -> Result<Vec<FollowUpEntry>, Error> {
        let report = self.report(run_id).await?;
        let Report { follow_ups, incident_id, playbook, severity, escalation_required, .. } = report;
        let entry = |follow_up| FollowUpEntry {
            follow_up,
            run_id: run_id.clone(),
            incident_id: incident_id.clone(),
            playbook: playbook.clone(),
            severity: severity.clone(),
            escalation_required,
        };
        Ok(follow_ups.into_iter().map(entry).collect())
    }

    /// The runs that may have follow-ups, and whether there are more of them than [`FOLLOW_UP_RUNS`].
    async fn with_follow_ups(self, filter: &FollowUpFilter) -> Result<(Vec<RunId>, bool), Error> {
        // A run with an open follow-up needs a person; what is done is known to the logs alone.
        let heads = RunFilter { since: filter.since, needs_attention: !filter.all, ..RunFilter::default() };
        let has_any = |head: &RunHead| if filter.all { may_have_any(head) } else { head.open_follow_ups > 0 };
        let fits =
            |head: &RunHead| filter.incident_id.as_ref().is_none_or(|id| head.incident_id == *id) && has_any(head);
        let mut found = Vec::new();
        let mut cursor: Option<String> = None;
        let mut has_more = false;
        loop {
            let page = self.runs.list(&heads, PAGE, cursor.as_deref()).await?;
            found.extend(page.runs.into_iter().filter(fits).map(|head| head.run_id));
            // A listing by urgency leaves out what the store did not examine.
            has_more |= heads.needs_attention && page.unexamined_before.is_some();
            cursor = page.next;
            if cursor.is_none() || found.len() > FOLLOW_UP_RUNS {
                break;
            }
        }
        has_more |= found.len() > FOLLOW_UP_RUNS;
        found.truncate(FOLLOW_UP_RUNS);
        Ok((found, has_more))
    }
}

/// A run that left something for a person, done or not, never ends `HEALED` or `COMPLETED`.
const fn may_have_any(head: &RunHead) -> bool {
    match head.outcome {
        Some(RunOutcome::Healed | RunOutcome::Completed | RunOutcome::Shadowed) => false,
        Some(
            RunOutcome::Degraded
            | RunOutcome::NotHealed
            | RunOutcome::Failed
            | RunOutcome::Denied
            | RunOutcome::Timeout
            | RunOutcome::Cancelled
            | RunOutcome::Escalated,
        )
        | None => true,
    }
}
