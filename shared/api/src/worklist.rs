//! What waits for people: approvals, follow-ups and escalations. `heal`, the API and the console read them here.
//!
//! A listing reads the log of each run that it names, so each has a bound on the runs, and says when it stopped at it.

mod approvals;
mod escalations;
mod follow_ups;

use std::sync::Arc;

use heal_engine::event::Commit;
use heal_engine::report::{self, Report};
use heal_engine::{ApplyError, Plan, RunId, State, turn};
use heal_runtime::dispatcher::{DispatchError, Dispatcher};
use heal_runtime::port::{BackendError, RunReader};

pub use approvals::{APPROVAL_RUNS, Approval, approval_name, who_may_approve};
pub use escalations::{ESCALATION_RUNS, Escalation};
pub use follow_ups::{FOLLOW_UP_RUNS, FollowUpEntry, FollowUpFilter};

use crate::renderer;

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
    /// It was not folded.
    #[error(transparent)]
    Lost(#[from] renderer::Lost),
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

/// A run's plan and log; a rejected message has no plan.
type Log = (Option<Arc<Plan>>, Vec<Commit>);

impl Worklist<'_> {
    /// The summary of one run. Its log may be long, so it is folded apart from the threads that answer.
    async fn report(self, run_id: &RunId) -> Result<Report, Error> {
        let id = run_id.clone();
        let fold = move |(plan, commits): Log| Ok(report::report(plan.as_deref(), &id, &commits)?);
        renderer::apart(async { Ok(self.reader.read(run_id).await?) }, fold).await
    }

    /// The state of one run with its plan; `None` for a rejected message.
    async fn state(self, run_id: &RunId) -> Result<Option<(Arc<Plan>, State)>, Error> {
        let fold = |(plan, commits): Log| {
            let Some(plan) = plan else { return Ok(None) };
            Ok(turn::fold(&plan, &commits)?.map(|state| (plan, state)))
        };
        renderer::apart(async { Ok(self.reader.read(run_id).await?) }, fold).await
    }
}
