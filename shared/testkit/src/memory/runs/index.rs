//! What the indices show: the runs that are due, held or live. An index may lag behind the logs.

use async_trait::async_trait;
use heal_runtime::port::{DueRuns, LiveRuns, Result, RunHead};
use heal_runtime::{RunId, RunStatus, Timestamp};

use super::{Model, Run, Runs};
use crate::memory::lock;

/// Commits that an index which lags does not show yet.
const LAG: u64 = 3;

impl Run {
    /// What an index shows that knows the first `known` commits.
    fn indexed(&self, known: u64) -> Option<&RunHead> {
        if self.order.last().is_some_and(|last| *last > known) { self.before.as_ref() } else { Some(&self.head) }
    }
}

impl Model {
    /// What an index shows.
    pub(super) fn indexed(&self, lags: bool) -> impl Iterator<Item = &RunHead> {
        let known = if lags { self.written.saturating_sub(LAG) } else { self.written };
        self.runs.values().filter_map(move |run| run.indexed(known))
    }

    /// The wake times of live runs, earliest first.
    fn wakes(&self, lags: bool) -> Vec<(Timestamp, &RunId)> {
        let live = self.indexed(lags).filter(|head| !head.status.is_terminal());
        let mut wakes: Vec<_> = live.filter_map(|head| head.wake_at.map(|at| (at, &head.run_id))).collect();
        wakes.sort();
        wakes
    }
}

#[async_trait]
impl DueRuns for Runs {
    async fn due(&self, now: Timestamp, limit: usize) -> Result<Vec<RunId>> {
        let lags = self.faults.lags("runs.due");
        self.faults
            .around("runs.due", || {
                let model = lock(&self.model);
                let due = model.wakes(lags).into_iter().take_while(|(at, _)| *at <= now);
                due.take(limit).map(|(_, run_id)| run_id.clone()).collect()
            })
            .await
    }

    async fn next_due(&self) -> Result<Option<Timestamp>> {
        let lags = self.faults.lags("runs.next_due");
        self.faults.around("runs.next_due", || lock(&self.model).wakes(lags).first().map(|(at, _)| *at)).await
    }

    async fn held_by_others(&self, halts: &[String], limit: usize) -> Result<Vec<RunId>> {
        let lags = self.faults.lags("runs.held_by_others");
        self.faults
            .around("runs.held_by_others", || {
                let model = lock(&self.model);
                let live = model.indexed(lags).filter(|head| !head.status.is_terminal());
                let is_released = |head: &&RunHead| {
                    head.held_by_halt().is_some_and(|holder| halts.iter().all(|halt| halt.as_str() != holder))
                };
                live.filter(is_released).take(limit).map(|head| head.run_id.clone()).collect()
            })
            .await
    }

    async fn count_held(&self) -> Result<u64> {
        let is_held = |run: &&Run| !run.head.status.is_terminal() && run.head.held_by.is_some();
        self.faults.around("runs.count_held", || lock(&self.model).runs.values().filter(is_held).count() as u64).await
    }

    async fn count_live(&self) -> Result<LiveRuns> {
        self.faults
            .around("runs.count_live", || {
                let model = lock(&self.model);
                let live = model.runs.values().map(|run| run.head.status).filter(|status| !status.is_terminal());
                let awaiting = live.clone().filter(|status| *status == RunStatus::AwaitingApproval);
                let waiting = || model.runs.values().filter(|run| run.waits());
                LiveRuns {
                    active: live.count() as u64,
                    awaiting_approval: awaiting.count() as u64,
                    waiting: waiting().count() as u64,
                    waiting_since: waiting().map(|run| run.head.started_at).min(),
                }
            })
            .await
    }
}
