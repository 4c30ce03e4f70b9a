//! Which runs a listing has, and their order.

use heal_engine::Timestamp;
use heal_engine::event::{RunOutcome, RunStatus};

use super::{BackendError, Result, RunHead};

/// Which runs to list, and in which order. Conditions add up; `None` and `false` admit every run.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RunFilter {
    /// Only runs with this status.
    pub status: Option<RunStatus>,
    /// Only runs that ended so.
    pub outcome: Option<RunOutcome>,
    /// Only runs of this playbook.
    pub playbook: Option<String>,
    /// Only runs of this incident.
    pub incident_id: Option<String>,
    /// Only runs about this ticket.
    pub ticket_id: Option<String>,
    /// Only runs about this workflow.
    pub workflow_id: Option<String>,
    /// Only runs about this worker.
    pub worker_id: Option<String>,
    /// Only runs whose incident has this severity, in upper case.
    pub severity: Option<String>,
    /// Only runs started at or after this moment.
    pub since: Option<Timestamp>,
    /// Only runs that need a person ([`RunHead::needs_attention`]), the most urgent first; otherwise the newest run is first.
    pub needs_attention: bool,
}

impl RunFilter {
    /// Whether the listing has this run.
    pub fn admits(&self, head: &RunHead) -> bool {
        let text = |wanted: &Option<String>, found: &Option<String>| wanted.is_none() || wanted == found;
        let subject = &head.subject;
        self.status.is_none_or(|status| head.status == status)
            && self.outcome.is_none_or(|outcome| head.outcome == Some(outcome))
            && text(&self.playbook, &head.playbook)
            && self.incident_id.as_ref().is_none_or(|incident_id| head.incident_id == *incident_id)
            && text(&self.ticket_id, &subject.ticket_id)
            && text(&self.workflow_id, &subject.workflow_id)
            && text(&self.worker_id, &subject.worker_id)
            && text(&self.severity, &subject.severity)
            && self.since.is_none_or(|since| head.started_at >= since)
            && (!self.needs_attention || head.needs_attention())
    }

    /// The statuses that a run of this listing can have: an outcome implies its status.
    pub fn statuses(&self) -> impl Iterator<Item = RunStatus> + '_ {
        let implied = self.outcome.map(RunOutcome::status);
        RunStatus::ALL
            .into_iter()
            .filter(move |status| [self.status, implied].into_iter().flatten().all(|wanted| wanted == *status))
    }

    /// The run's place in this listing.
    pub fn position(&self, head: &RunHead) -> Position {
        let urgency = if self.needs_attention { head.subject.urgency() } else { 0 };
        Position { urgency, started_at: head.started_at, run_id: head.run_id.to_string() }
    }

    /// The cursor of the page after `position`. It fits listings of the same order only.
    pub fn cursor(&self, position: &Position) -> String {
        let Position { urgency, started_at, run_id } = position;
        if self.needs_attention {
            format!("{urgency}.{}:{run_id}", started_at.0)
        } else {
            format!("{}:{run_id}", started_at.0)
        }
    }

    /// Reads a cursor of [`RunFilter::cursor`].
    ///
    /// # Errors
    /// The text is not such a cursor, or one of the other order.
    pub fn parse_cursor(&self, operation: &'static str, text: &str) -> Result<Position> {
        let (urgency, place) = match text.split_once('.') {
            Some((urgency, place)) if self.needs_attention => (urgency, place),
            None if self.needs_attention => ("", text),
            Some(_) | None => ("0", text),
        };
        let position = || {
            let (started_at, run_id) = place.split_once(':')?;
            let started_at = Timestamp(started_at.parse().ok()?);
            Some(Position { urgency: urgency.parse().ok()?, started_at, run_id: run_id.to_owned() })
        };
        let corrupt = || BackendError::corrupt(operation, format!("`{text}` is not a cursor that such a listing gave"));
        position().ok_or_else(corrupt)
    }
}

/// A run's place in a listing. The listing descends, so the greatest position is its first run. A run started between two pages neither
/// hides another run nor repeats one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// [`Subject::urgency`](super::Subject::urgency) in a listing by urgency, else 0.
    pub urgency: u8,
    /// When the run started.
    pub started_at: Timestamp,
    /// The run, which orders runs that started at the same moment.
    pub run_id: String,
}

/// One page of a listing.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// The index entries of the page: at most as many as were asked for, and possibly fewer although there is a next page.
    pub runs: Vec<RunHead>,
    /// The cursor of the next page; `None` on the last page.
    pub next: Option<String>,
    /// `None` if this page is complete. Otherwise the store examined as many runs as one call may, and runs that started before this
    /// moment are missing. In a listing by start they are on the next pages; a listing by urgency has none of them.
    pub unexamined_before: Option<Timestamp>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_back_by_a_listing_of_its_order_only() {
        let newest = RunFilter::default();
        let urgent = RunFilter { needs_attention: true, ..RunFilter::default() };
        for (filter, other, urgency) in [(&newest, &urgent, 0), (&urgent, &newest, 9)] {
            let position = Position { urgency, started_at: Timestamp(7), run_id: "run:1.a".to_owned() };
            let cursor = filter.cursor(&position);
            assert_eq!(filter.parse_cursor("runs.list", &cursor).unwrap(), position);
            assert!(other.parse_cursor("runs.list", &cursor).is_err(), "{cursor}");
        }
    }

    #[test]
    fn an_outcome_implies_its_status() {
        let statuses = |filter: RunFilter| filter.statuses().collect::<Vec<_>>();
        let denied = RunFilter { outcome: Some(RunOutcome::Denied), ..RunFilter::default() };
        assert_eq!(statuses(denied.clone()), [RunStatus::Failed]);
        assert_eq!(statuses(RunFilter { status: Some(RunStatus::Running), ..denied }), []);
        assert_eq!(statuses(RunFilter::default()), RunStatus::ALL);
    }
}
