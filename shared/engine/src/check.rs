//! Scheduled checks: what they probe, what counts as a failure, and which incident they raise.
//!
//! A [`Check`] is plain data, read from YAML by `heal-language`; [`Compiled`] has its templates compiled. A probe gives an
//! [`Observation`], and [`Compiled::observe`] derives the next [`State`] and the incidents to raise. Probing, storing and sending are
//! up to the caller.
//!
//! # Raised once
//! Time is divided into windows of `raise_once_in_seconds`, with an offset of its own per target. The incident id is derived from check,
//! target and window, so one window has one incident, whatever is lost, repeated or done concurrently: the engine starts one run per
//! `incident_id` and day. While the state is stored, two incidents of one target are also at least `raise_once_in_seconds` apart.

use serde::{Deserialize, Serialize};

use crate::Map;
use crate::playbook::Condition;

mod compile;
mod observe;
mod probe;
mod state;
mod target;

pub use compile::{CheckError, Compiled};
pub use observe::{Incident, Observed, Unrendered};
pub use probe::{
    Dependency, GrpcHealth, Http, Method, OverdueTickets, Probe, ProbeKind, Service, StuckWorkflows, TICKET_STATUSES,
    WORKFLOW_STATES,
};
pub use state::{Raised, State, Tracked};
pub use target::{Failing, Observation, Sighting};

/// A validated check with all defaults filled in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Check {
    /// The stem of its file.
    pub name: String,
    /// One sentence for people; may be empty.
    pub description: String,
    /// From one probe to the next.
    pub every_seconds: u64,
    /// What it reads.
    pub probe: Probe,
    /// Which failing targets count; `None`: all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub condition: Option<Condition>,
    /// Failing probes in a row before the incident is raised.
    #[serde(rename = "for")]
    pub failures: u32,
    /// The window in which a target raises at most one incident.
    pub raise_once_in_seconds: u64,
    /// The incident without its id; every text in it is a template.
    pub incident: Map,
}

/// The checks of a file that [`to_json`] wrote.
///
/// # Errors
/// The text is not a list of checks; the error names line and column.
pub fn from_json(json: &str) -> Result<Vec<Check>, serde_json::Error> {
    serde_json::from_str(json)
}

/// Checks as one JSON text, with which a function is deployed; it then needs neither YAML nor lint.
pub fn to_json(checks: &[Check]) -> String {
    // Plain data with text keys cannot fail to serialize.
    serde_json::to_string(checks).unwrap_or_default()
}
