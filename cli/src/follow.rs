//! A run's log, read as it grows.

use std::sync::Arc;
use std::time::Duration;

use heal_engine::event::{Commit, Event, RunStatus};
use heal_engine::report::Report;
use heal_engine::{Plan, RunId, Seq};
use heal_runtime::dispatcher::Dispatcher;
use heal_runtime::port::RunReader;

use crate::backend::Backend;
use crate::exit::Exit;
use crate::show::Show;

/// How often the log of a run in this process is polled: often enough to appear live, rarely enough to cost nothing.
pub(crate) const POLL: Duration = Duration::from_millis(25);

/// One run, as far as it has been read.
pub(crate) struct Follower {
    runs: Arc<dyn RunReader>,
    pub run_id: RunId,
    /// `None` for a rejected message.
    pub plan: Option<Arc<Plan>>,
    commits: Vec<Commit>,
    /// How many of the commits [`Follower::new_commits`] has returned.
    returned: usize,
    status: RunStatus,
}

impl Follower {
    /// # Errors
    /// The run does not exist, or it cannot be read.
    pub(crate) async fn new(dispatcher: &Dispatcher, runs: Arc<dyn RunReader>, run_id: RunId) -> anyhow::Result<Self> {
        let (plan, commits) = dispatcher.read(&run_id).await?;
        let mut follower = Self { runs, run_id, plan, commits, returned: 0, status: RunStatus::Pending };
        follower.learn_status().await?;
        Ok(follower)
    }

    /// The commits since the last call, and the run's status after them. Costs one read of the log if there are none.
    ///
    /// # Errors
    /// The log cannot be read.
    pub(crate) async fn new_commits(&mut self) -> anyhow::Result<(&[Commit], RunStatus)> {
        if self.read_on().await? {
            self.learn_status().await?;
        }
        let known = std::mem::replace(&mut self.returned, self.commits.len());
        Ok((self.commits.get(known..).unwrap_or_default(), self.status))
    }

    /// Whether there were new commits.
    async fn read_on(&mut self) -> anyhow::Result<bool> {
        let fresh = self.runs.load(&self.run_id, self.last_seq()).await?;
        let has_new = !fresh.is_empty();
        self.commits.extend(fresh);
        Ok(has_new)
    }

    /// Reads the status that belongs to the commits read so far, and the commits that were written meanwhile.
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

    /// Every commit read so far.
    pub(crate) fn commits(&self) -> &[Commit] {
        &self.commits
    }

    /// Whether the run can go on only after an answer of people.
    ///
    /// # Errors
    /// The log is inconsistent.
    pub(crate) fn waits_for_people_only(&self) -> anyhow::Result<bool> {
        let Some(plan) = &self.plan else { return Ok(false) };
        let state = heal_engine::turn::fold(plan, &self.commits)?;
        Ok(state.is_some_and(|state| state.waits_for_people_only()))
    }

    /// Whether no step has started yet.
    pub(crate) fn awaits_its_start(&self) -> bool {
        let asks = |event: &Event| matches!(event, Event::ApprovalRequested { .. });
        !self.commits.iter().flat_map(|commit| &commit.events).any(asks)
    }

    pub(crate) const fn status(&self) -> RunStatus {
        self.status
    }

    /// The report over the commits read so far.
    ///
    /// # Errors
    /// The log is inconsistent.
    pub(crate) fn report(&self) -> anyhow::Result<Report> {
        Ok(heal_engine::report::report(self.plan.as_deref(), &self.run_id, &self.commits)?)
    }
}

/// Shows a run until it ends, and returns the exit that its outcome calls for.
///
/// # Errors
/// The run does not exist, or it cannot be read or shown.
pub(crate) async fn follow_to_end(backend: &Backend, run_id: RunId, json: bool) -> anyhow::Result<Exit> {
    let mut follower = Follower::new(&backend.reader(), backend.runs(), run_id).await?;
    let mut show = Show::new(json, follower.plan.clone());
    let mut notified = Notified::default();
    loop {
        let (commits, status) = follower.new_commits().await?;
        for commit in commits {
            show.commit(commit)?;
        }
        if status.is_terminal() {
            let report = follower.report()?;
            show.finish(&report)?;
            return Ok(Exit::of_run(report.status, report.outcome));
        }
        if !notified.is_idle && backend.is_idle() {
            show.note("no `heal serve` works on this state file; the run does not continue until one does");
            notified.is_idle = true;
        }
        if !notified.awaits_approval && status == RunStatus::AwaitingApproval {
            let command = if follower.awaits_its_start() { "runs approve" } else { "approvals show" };
            let how = format!("heal {command} {} {}", follower.run_id, backend.option());
            show.note(&format!("this run awaits approval: `{}`", how.trim_end()));
            notified.awaits_approval = true;
        }
        show.wait();
        tokio::time::sleep(backend.poll()).await;
    }
}

/// The notes that have been printed already.
#[derive(Debug, Default)]
struct Notified {
    is_idle: bool,
    awaits_approval: bool,
}
