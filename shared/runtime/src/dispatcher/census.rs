//! How many runs there are that have not ended.

use heal_engine::event::RunStatus;

use super::Dispatcher;
use crate::port::{BackendError, RunFilter};

/// Index entries of one page.
const PAGE: usize = 500;
/// Pages read of each status: beyond so many runs the number does not get more telling.
const PAGES: usize = 20;

impl Dispatcher {
    /// Counts the runs that have not ended, up to 10,000 of each status, and tells the observer.
    ///
    /// # Errors
    /// The index cannot be read.
    pub async fn count_active(&self) -> Result<u64, BackendError> {
        let mut active = 0;
        for status in RunStatus::ALL.into_iter().filter(|status| !status.is_terminal()) {
            active += self.count(status).await?;
        }
        self.observer.runs_active(active);
        Ok(active)
    }

    async fn count(&self, status: RunStatus) -> Result<u64, BackendError> {
        let filter = RunFilter { status: Some(status), ..RunFilter::default() };
        let mut count = 0;
        let mut cursor = None;
        for _ in 0..PAGES {
            let page = self.ports.runs.list(&filter, PAGE, cursor.as_deref()).await?;
            count += page.runs.len() as u64;
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
        Ok(count)
    }
}
