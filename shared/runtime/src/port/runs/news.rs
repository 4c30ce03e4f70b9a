//! News of runs, for whoever waits for it.

use heal_engine::{RunId, Seq};
use tokio::sync::watch;

use super::RunHead;

/// Where a run stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Standing {
    /// Sequence number of the newest event; 0 if nothing is known.
    pub last_seq: Seq,
    /// Whether the run has ended.
    pub is_ended: bool,
}

impl From<&RunHead> for Standing {
    fn from(head: &RunHead) -> Self {
        Self { last_seq: head.last_seq, is_ended: head.status.is_terminal() }
    }
}

/// Tells of what this process writes to the logs of runs.
pub trait RunNews: Send + Sync + 'static {
    /// A receiver that has where the run stands after each write to its log from now on. Nobody tells of another process's writes, so whoever
    /// waits looks for itself from time to time.
    fn follow(&self, run_id: &RunId) -> watch::Receiver<Standing>;
}
