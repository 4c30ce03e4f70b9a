//! Scheduled checks: what is looked at, when it counts as a failure, and which incident is raised then.
//!
//! A [`Check`] is plain data, read from YAML by [`read`]; [`Compiled`] is the same with its templates ready. A look gives an
//! [`Observation`], and [`Compiled::observe`] says what follows from it: the next [`State`] and the incidents to raise.
//! Who looks, stores and sends is not decided here.
//!
//! # Raised once
//! Time is cut into windows of `raise_once_in_seconds`, for each target from a moment of its own on. An incident's id is made of the
//! check, the target and the window, so that in one window it is one incident whatever is lost, repeated or done at the same time by
//! two: the engine makes one run of an `incident_id` within a day. As long as the state is there, two incidents about one target are
//! the whole time apart too, not only in two windows.

use serde::{Deserialize, Serialize};

use crate::Map;
use crate::playbook::Condition;

mod compile;
mod observe;
mod probe;
mod state;
mod target;
mod window;

pub use compile::{CheckError, Compiled};
pub use observe::{Incident, Observed, Unrendered};
pub use probe::{
    Dependency, GrpcHealth, Http, Method, OverdueTickets, Probe, ProbeKind, Service, StuckWorkflows, TICKET_STATUSES,
    WORKFLOW_STATES,
};
pub use state::{Raised, State, Tracked};
pub use target::{Failing, Observation, Sighting};

/// A checked check with all defaults filled in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Check {
    pub name: String,
    pub description: String,
    /// From one look to the next.
    pub every_seconds: u64,
    pub probe: Probe,
    /// Which of the observed targets count; none: all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub condition: Option<Condition>,
    /// Failing looks in a row before the incident is raised.
    #[serde(rename = "for")]
    pub failures: u32,
    /// The window in which the incident about one target is raised once.
    pub raise_once_in_seconds: u64,
    /// The incident without its id; every text in it is a template.
    pub incident: Map,
}

/// The checks of a file that [`to_json`] has written.
///
/// # Errors
/// The text is no list of checks; the error names line and column.
pub fn from_json(json: &str) -> Result<Vec<Check>, serde_json::Error> {
    serde_json::from_str(json)
}

/// Checks as one JSON text: what a function is deployed with, which then needs neither YAML nor lint.
pub fn to_json(checks: &[Check]) -> String {
    // Plain data with text keys cannot fail to serialize.
    serde_json::to_string(checks).unwrap_or_default()
}
