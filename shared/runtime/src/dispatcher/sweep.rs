//! The sweep: what no message reminds of is looked for again and again.

use heal_engine::Timestamp;

use super::Dispatcher;
use crate::halts;
use crate::port::{BackendError, DueRuns};

impl Dispatcher {
    /// Continues up to `limit` overdue runs (lost results, lost wake-ups, deadlines), as many whose halt has ended, and those that wait for room
    /// and now have it; returns their number.
    ///
    /// A run that cannot continue is logged and does not hold up the others.
    ///
    /// # Errors
    /// `due_runs`, the runs that wait or the halts cannot be read.
    pub async fn sweep(&self, due_runs: &dyn DueRuns, limit: usize) -> Result<usize, BackendError> {
        let now = self.ports.clock.now();
        self.ports.halts.put_right(now).await?;
        self.watch_dependencies(now).await;
        self.tell_ended_storms(now).await?;
        let mut due = due_runs.due(now, limit).await?;
        due.extend(self.releasable(due_runs, now, limit).await?);
        due.extend(halts::trickling(due_runs, &self.ports.halts.read(now).await?, now).await?);
        Ok(self.wake(&due, now).await + self.admit_waiting().await?)
    }

    /// A failure is logged: the next sweep looks again, and halts end by their time.
    async fn watch_dependencies(&self, now: Timestamp) {
        let Some(dependencies) = &self.dependencies else { return };
        if let Err(error) = dependencies.watch(now).await {
            tracing::warn!(error = &error as &dyn std::error::Error, "failed to look at the dependencies");
        }
    }

    /// A failure is logged: the next sweep tells it.
    async fn tell_ended_storms(&self, now: Timestamp) -> Result<(), BackendError> {
        if !self.notifies {
            return Ok(());
        }
        let halts = self.ports.halts.read(now).await?;
        if let Err(error) = self.ended_storms.tell(&halts, &*self.ports.sender, now).await {
            tracing::warn!(error = &error as &dyn std::error::Error, "failed to tell that a storm is over");
        }
        Ok(())
    }
}
