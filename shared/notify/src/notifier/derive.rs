//! The notices of an announced commit, from the log.

use heal_engine::notice::{Notice, from_commit};
use heal_engine::{Event, Plan, PlanError, RunId, Seq};
use heal_runtime::port::{BackendError, RunReader};

/// What the log says of an announced commit.
pub(super) enum Derived {
    /// It is there, with these notices.
    Notices(Vec<Notice>),
    /// It may still be written.
    NotYet,
    /// Another commit has its place, which has its own announcement; or the run is removed.
    Never,
}

#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error("failed to read the run of a notice")]
    Backend(#[from] BackendError),
    #[error("the plan of run {0} is not stored")]
    NoPlan(RunId),
    #[error("the plan of run {0} cannot be read")]
    Plan(RunId, #[source] PlanError),
    #[error("the log of run {0} does not fold")]
    Log(RunId, #[source] heal_engine::ApplyError),
}

pub(super) async fn notices(runs: &dyn RunReader, run_id: &RunId, first_seq: Seq) -> Result<Derived, Error> {
    let log = runs.load(run_id, 0).await?;
    let is_later = log.last().is_none_or(|last| last.last_seq() < first_seq);
    if is_later {
        return Ok(Derived::NotYet);
    }
    let plan = match log.first().and_then(|first| first.events.first()) {
        Some(Event::RunStarted(started)) => {
            let json = runs.plan(&started.plan_digest).await?.ok_or_else(|| Error::NoPlan(run_id.clone()))?;
            let plan = Plan::parse(&started.plan_digest, &json);
            Some(plan.map_err(|cause| Error::Plan(run_id.clone(), cause))?)
        }
        Some(_) | None => None,
    };
    let notices = from_commit(plan.as_ref(), &log, first_seq).map_err(|cause| Error::Log(run_id.clone(), cause))?;
    Ok(notices.map_or(Derived::Never, Derived::Notices))
}
