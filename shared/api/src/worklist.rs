//! What waits for people: approvals, follow-ups and escalations. `heal`, the API and the console read them here.
//!
//! A listing reads the log of each run that it names, so each has a bound on the runs, and says when it stopped at it.

mod approvals;
mod escalations;
mod follow_ups;

use heal_engine::ApplyError;
use heal_runtime::dispatcher::{DispatchError, Dispatcher};
use heal_runtime::port::{BackendError, RunReader};

pub use approvals::{APPROVAL_RUNS, Approval, approval_name, who_may_approve};
pub use escalations::{ESCALATION_RUNS, Escalation};
pub use follow_ups::{FOLLOW_UP_RUNS, FollowUpEntry, FollowUpFilter};

/// Runs of one query.
const PAGE: usize = 200;

/// Why a listing failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The runs cannot be listed.
    #[error(transparent)]
    List(#[from] BackendError),
    /// A run cannot be read.
    #[error(transparent)]
    Read(#[from] DispatchError),
    /// A run's log does not fold.
    #[error(transparent)]
    Log(#[from] ApplyError),
}

/// A part of what waits for people.
#[derive(Debug, Clone, PartialEq)]
pub struct Listing<T> {
    /// What was found.
    pub entries: Vec<T>,
    /// Whether there may be more: the listing stopped at its bound on runs.
    pub has_more: bool,
}

/// The runs of one home, to read.
#[derive(Clone, Copy)]
#[expect(missing_debug_implementations, reason = "ports are behaviour, there is nothing to print")]
pub struct Worklist<'a> {
    /// Finds runs.
    pub runs: &'a dyn RunReader,
    /// Reads a run by its pinned plan.
    pub reader: &'a Dispatcher,
}
