//! A run's log, read as it grows.

use std::sync::Arc;
use std::time::Duration;

use heal_engine::event::{Commit, RunStatus};
use heal_engine::report::Report;
use heal_engine::{Plan, RunId, Seq};
use heal_runtime::dispatcher::Dispatcher;
use heal_runtime::port::RunReader;

use crate::place::Place;
use crate::show::Show;

/// How often the log is looked at: often enough to look live, seldom enough to cost nothing.
pub(crate) const POLL: Duration = Duration::from_millis(25);

/// One run, as far as it has been read.
pub(crate) struct Follower {
    runs: Arc<dyn RunReader>,
    pub run_id: RunId,
    /// None for a message that was rejected.
    pub plan: Option<Arc<Plan>>,
    commits: Vec<Commit>,
    /// How many of them have been given out.
    told: usize,
    status: RunStatus,
}

impl Follower {
    /// # Errors
    /// There is no such run, or it cannot be read.
    pub(crate) async fn new(dispatcher: &Dispatcher, runs: Arc<dyn RunReader>, run_id: RunId) -> anyhow::Result<Self> {
        let (plan, commits) = dispatcher.read(&run_id).await?;
        let mut follower = Self { runs, run_id, plan, commits, told: 0, status: RunStatus::Pending };
        follower.learn_status().await?;
        Ok(follower)
    }

    /// What has been committed since the last call, and where the run stands then. One look at the log where nothing has.
    ///
    /// # Errors
    /// The log cannot be read.
    pub(crate) async fn news(&mut self) -> anyhow::Result<(&[Commit], RunStatus)> {
        if self.read_on().await? {
            self.learn_status().await?;
        }
        let known = std::mem::replace(&mut self.told, self.commits.len());
        Ok((self.commits.get(known..).unwrap_or_default(), self.status))
    }

    /// False where there is nothing new.
    async fn read_on(&mut self) -> anyhow::Result<bool> {
        let fresh = self.runs.load(&self.run_id, self.last_seq()).await?;
        let is_news = !fresh.is_empty();
        self.commits.extend(fresh);
        Ok(is_news)
    }

    /// The status that belongs to what has been read. Where the run went on meanwhile, that is read too.
    async fn learn_status(&mut self) -> anyhow::Result<()> {
        while let Some(head) = self.runs.head(&self.run_id).await? {
            if head.last_seq <= self.last_seq() || !self.read_on().await? {
                self.status = head.status;
                break;
            }
        }
        Ok(())
    }

    fn last_seq(&self) -> Seq {
        self.commits.last().map_or(0, Commit::last_seq)
    }

    /// Everything that has been read.
    pub(crate) fn commits(&self) -> &[Commit] {
        &self.commits
    }

    pub(crate) const fn status(&self) -> RunStatus {
        self.status
    }

    /// What the log says so far.
    ///
    /// # Errors
    /// The log does not fold.
    pub(crate) fn report(&self) -> anyhow::Result<Report> {
        Ok(heal_engine::report::report(self.plan.as_deref(), &self.run_id, &self.commits)?)
    }
}

/// Shows a run until it ends, and says how it stands then.
///
/// # Errors
/// There is no such run, or it cannot be read or shown.
pub(crate) async fn to_the_end(place: &Place, run_id: RunId, json: bool) -> anyhow::Result<RunStatus> {
    let mut follower = Follower::new(&place.reader(), place.runs(), run_id).await?;
    let mut show = Show::new(json, follower.plan.clone());
    let mut told = Told::default();
    loop {
        let (news, status) = follower.news().await?;
        for commit in news {
            show.commit(commit)?;
        }
        if status.is_terminal() {
            show.finish(&follower.report()?)?;
            return Ok(status);
        }
        if !told.is_idle && place.is_idle() {
            show.note("no `heal serve` works on this state file, so nothing will happen until one does");
            told.is_idle = true;
        }
        if !told.awaits && status == RunStatus::AwaitingApproval {
            let how = format!("heal runs approve {} {}", follower.run_id, place.option());
            show.note(&format!("this run awaits approval: `{}`", how.trim_end()));
            told.awaits = true;
        }
        show.wait();
        tokio::time::sleep(place.poll()).await;
    }
}

/// What has been said already.
#[derive(Debug, Default)]
struct Told {
    is_idle: bool,
    awaits: bool,
}
