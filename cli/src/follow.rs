//! A run's log, read as it grows.

use std::sync::Arc;
use std::time::Duration;

use engine::event::{Commit, RunStatus};
use engine::report::Report;
use engine::{Plan, RunId, Seq};
use runtime::dispatcher::Dispatcher;
use runtime::port::RunStore;

/// How often the log is looked at: often enough to look live, seldom enough to cost nothing.
pub(crate) const POLL: Duration = Duration::from_millis(25);

/// One run, as far as it has been read.
pub(crate) struct Follower {
    runs: Arc<dyn RunStore>,
    pub run_id: RunId,
    /// None for a message that was rejected.
    pub plan: Option<Arc<Plan>>,
    commits: Vec<Commit>,
    status: RunStatus,
}

impl Follower {
    /// # Errors
    /// There is no such run, or it cannot be read.
    pub(crate) async fn new(dispatcher: &Dispatcher, runs: Arc<dyn RunStore>, run_id: RunId) -> anyhow::Result<Self> {
        let (plan, _) = dispatcher.read(&run_id).await?;
        Ok(Self { runs, run_id, plan, commits: Vec::new(), status: RunStatus::Pending })
    }

    /// What has been committed since the last call, and where the run stands then.
    ///
    /// # Errors
    /// The log cannot be read.
    pub(crate) async fn news(&mut self) -> anyhow::Result<(&[Commit], RunStatus)> {
        // The head first: whatever it says, the log read afterwards has.
        if let Some(head) = self.runs.head(&self.run_id).await? {
            self.status = head.status;
        }
        let known = self.commits.len();
        let after: Seq = self.commits.last().map_or(0, Commit::last_seq);
        self.commits.extend(self.runs.load(&self.run_id, after).await?);
        Ok((self.commits.get(known..).unwrap_or_default(), self.status))
    }

    pub(crate) const fn status(&self) -> RunStatus {
        self.status
    }

    /// What the log says so far.
    ///
    /// # Errors
    /// The log does not fold.
    pub(crate) fn report(&self) -> anyhow::Result<Report> {
        Ok(engine::report::report(self.plan.as_deref(), &self.run_id, &self.commits)?)
    }
}
