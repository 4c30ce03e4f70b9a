//! Reading runs: one run from its log and pinned plan, and the number of live runs.

use std::sync::Arc;

use heal_engine::event::Commit;
use heal_engine::{Plan, RunId, chain, turn};

use super::cache::Live;
use super::{DispatchError, Dispatcher};
use crate::halts;
use crate::library::Library;
use crate::port::{BackendError, DueRuns, LiveRuns};

impl Dispatcher {
    /// Folds a run from its log.
    pub(super) async fn load(&self, run_id: &RunId) -> Result<Live, DispatchError> {
        let commits = self.ports.runs.load(run_id, 0).await?;
        let unknown = || DispatchError::UnknownRun { run_id: run_id.clone() };
        let first = commits.first().and_then(|commit| commit.events.first()).ok_or_else(unknown)?;
        // A rejected message has a record but not a run to continue.
        let heal_engine::Event::RunStarted(started) = first else { return Err(unknown()) };
        let plan = self.plan(run_id, &started.plan_digest).await?;
        let log = |cause| DispatchError::Log { run_id: run_id.clone(), cause };
        let state = turn::fold(&plan, &commits).map_err(log)?.ok_or_else(unknown)?;
        Ok(Live { plan, state, chain: chain::last(&commits).cloned() })
    }

    /// Folds in the commits that other dispatchers have added since; only those are read. False if there are none.
    pub(super) async fn catch_up(&self, live: &mut Live) -> Result<bool, DispatchError> {
        let run_id = live.state.run_id.clone();
        let commits = self.ports.runs.load(&run_id, live.state.seq).await?;
        for commit in &commits {
            turn::fold_commit(&live.plan, &mut live.state, commit)
                .map_err(|cause| DispatchError::Log { run_id: run_id.clone(), cause })?;
        }
        live.chain = chain::last(&commits).cloned().or(live.chain.take());
        Ok(!commits.is_empty())
    }

    /// The pinned plan: from the library if the playbook has not changed since, else from the store.
    async fn plan(&self, run_id: &RunId, digest: &heal_engine::Digest) -> Result<Arc<Plan>, DispatchError> {
        if let Some(plan) = self.cache.plan(digest).or_else(|| self.library.by_digest(digest)) {
            return Ok(plan);
        }
        let missing = || DispatchError::MissingPlan { run_id: run_id.clone(), digest: digest.clone() };
        let json = self.ports.runs.plan(digest).await?.ok_or_else(missing)?;
        let plan = Plan::parse(digest, &json).map_err(|cause| DispatchError::Plan { run_id: run_id.clone(), cause })?;
        Ok(self.cache.keep_plan(plan))
    }

    /// The plan and all commits of a run, without continuing it. The plan is `None` for a rejected message.
    ///
    /// # Errors
    /// The run does not exist, or cannot be read.
    pub async fn read(&self, run_id: &RunId) -> Result<(Option<Arc<Plan>>, Vec<Commit>), DispatchError> {
        let commits = self.ports.runs.load(run_id, 0).await?;
        match commits.first().and_then(|commit| commit.events.first()) {
            None => Err(DispatchError::UnknownRun { run_id: run_id.clone() }),
            Some(heal_engine::Event::RunStarted(started)) => {
                let plan = self.plan(run_id, &started.plan_digest).await?;
                Ok((Some(plan), commits))
            }
            Some(_) => Ok((None, commits)),
        }
    }

    /// Counts the live runs, those that are held and the halts, and reports the numbers to the observer. Returns the first.
    ///
    /// # Errors
    /// `due_runs` or the halts cannot be read.
    pub async fn count_active(&self, due_runs: &dyn DueRuns) -> Result<LiveRuns, BackendError> {
        let live = due_runs.count_live().await?;
        self.observer.runs_active(live);
        self.observer.runs_waiting(live.waited(self.now()));
        self.observer.runs_held(due_runs.count_held().await?);
        let now = self.now();
        let halts = self.ports.halts.read(now).await?;
        self.observer.halts_active(halts::ordered(&halts, now));
        self.observer.storms_active(halts::storms(&halts, now).count() as u64);
        self.observer.dependencies_sick(halts::dependencies(&halts, now));
        Ok(live)
    }
}

impl Library {
    fn by_digest(&self, digest: &heal_engine::Digest) -> Option<Arc<Plan>> {
        self.entries().find(|entry| entry.plan.digest == *digest).map(|entry| Arc::clone(&entry.plan))
    }
}
