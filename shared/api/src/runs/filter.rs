//! The query of a listing of runs.

use heal_engine::Timestamp;
use heal_runtime::port::RunFilter;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use utoipa::IntoParams;

use crate::moment;
use crate::problem::Problem;

/// Runs of one page, unless the reader asks for another number.
const RUNS: usize = 20;
/// Most runs of one page.
pub(crate) const MAX_RUNS: usize = 200;

/// Which runs to list.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct RunQuery {
    /// Only runs that need a person, the most severe first.
    #[serde(default)]
    pub needs_attention: bool,
    /// Only runs with this status, such as `RUNNING`.
    pub status: Option<String>,
    /// Only runs that ended so, such as `NOT_HEALED`.
    pub outcome: Option<String>,
    /// Only runs whose incident is so severe, such as `CRITICAL`.
    pub severity: Option<String>,
    /// Only runs of this playbook.
    pub playbook: Option<String>,
    /// Only runs of this incident.
    pub incident: Option<String>,
    /// Only runs about this ticket.
    pub ticket: Option<String>,
    /// Only runs about this workflow.
    pub workflow: Option<String>,
    /// Only runs about this worker.
    pub worker: Option<String>,
    /// Only runs started since then: `90s`, `15m`, `2h`, `7d`, or a time such as 2026-11-23T20:21:00Z.
    pub since: Option<String>,
    /// Runs of one page: 1 to 200.
    #[param(minimum = 1, maximum = 200, default = 20)]
    pub limit: Option<usize>,
    /// The `next` of an earlier page with the same filters.
    pub cursor: Option<String>,
}

impl RunQuery {
    /// The same without fields that a form sent empty.
    pub(crate) fn without_blanks(&self) -> Self {
        let text = |text: &Option<String>| text.clone().filter(|text| !text.trim().is_empty());
        Self {
            needs_attention: self.needs_attention,
            status: text(&self.status),
            outcome: text(&self.outcome),
            severity: text(&self.severity),
            playbook: text(&self.playbook),
            incident: text(&self.incident),
            ticket: text(&self.ticket),
            workflow: text(&self.workflow),
            worker: text(&self.worker),
            since: text(&self.since),
            limit: self.limit,
            cursor: text(&self.cursor),
        }
    }

    /// # Errors
    /// 422 for a word or a time that is unknown.
    pub(crate) fn filter(&self, now: Timestamp) -> Result<RunFilter, Problem> {
        Ok(RunFilter {
            status: self.status.as_deref().map(|text| word("status", text)).transpose()?,
            outcome: self.outcome.as_deref().map(|text| word("outcome", text)).transpose()?,
            playbook: self.playbook.clone(),
            incident_id: self.incident.clone(),
            ticket_id: self.ticket.clone(),
            workflow_id: self.workflow.clone(),
            worker_id: self.worker.clone(),
            severity: self.severity.as_deref().map(str::to_uppercase),
            since: since(self.since.as_deref(), now)?,
            needs_attention: self.needs_attention,
        })
    }

    /// # Errors
    /// 422 for a number out of bounds.
    pub(crate) fn limit(&self) -> Result<usize, Problem> {
        limit(self.limit, RUNS, MAX_RUNS)
    }
}

/// The number of entries that a reader asks for.
///
/// # Errors
/// 422 for a number out of bounds.
pub(crate) fn limit(asked: Option<usize>, default: usize, most: usize) -> Result<usize, Problem> {
    match asked {
        None => Ok(default),
        Some(count) if (1..=most).contains(&count) => Ok(count),
        Some(count) => Err(Problem::field("limit", format!("is {count}, expected 1 to {most}"))),
    }
}

/// The moment that `since` names.
///
/// # Errors
/// 422 for a text that is not a time.
pub(crate) fn since(text: Option<&str>, now: Timestamp) -> Result<Option<Timestamp>, Problem> {
    let parsed = text.map(|text| moment::parse_since(text, now)).transpose();
    parsed.map_err(|message| Problem::field("since", message))
}

/// The word in either case; the refusal names those that are known.
fn word<T: DeserializeOwned>(field: &str, text: &str) -> Result<T, Problem> {
    serde_json::from_value(Value::String(text.to_uppercase())).map_err(|error| Problem::field(field, error.to_string()))
}
