//! What this process knows of runs: the last commit that it has read or written.
//!
//! A log only grows, and what comes behind sequence number n begins at n + 1. So whoever knows that n was the last one at some moment may write
//! at n + 1 without a look: where somebody else has written meanwhile, that row is there, and the write is refused.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use heal_runtime::RunId;

use super::row::Newest;
use crate::limit::KNOWN_RUNS;

#[derive(Debug, Default)]
pub(in crate::store) struct Known {
    runs: Mutex<HashMap<RunId, Newest>>,
}

impl Known {
    pub(super) fn get(&self, run_id: &RunId) -> Option<Newest> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner).get(run_id).cloned()
    }

    /// Keeps what is newer than what is known; an ended run is not needed again.
    pub(super) fn learn(&self, newest: &Newest) {
        let mut runs = self.runs.lock().unwrap_or_else(PoisonError::into_inner);
        let run_id = &newest.head.run_id;
        if newest.head.status.is_terminal() {
            runs.remove(run_id);
            return;
        }
        if runs.len() >= KNOWN_RUNS && !runs.contains_key(run_id) {
            runs.clear();
        }
        let kept = runs.entry(run_id.clone()).or_insert_with(|| newest.clone());
        if newest.head.last_seq > kept.head.last_seq {
            kept.clone_from(newest);
        }
    }
}
