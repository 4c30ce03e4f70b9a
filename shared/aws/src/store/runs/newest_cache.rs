//! A cache of each run's newest commit, as this process last read or wrote it.
//!
//! A log only grows. A process that knows the last sequence number n may write at n + 1 without reading first: if another process has
//! written meanwhile, the row exists and the conditional write is refused.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use heal_runtime::RunId;

use super::row::Newest;
use crate::limit::CACHED_RUNS;

#[derive(Debug, Default)]
pub(in crate::store) struct NewestCache {
    runs: Mutex<HashMap<RunId, Newest>>,
}

impl NewestCache {
    pub(super) fn get(&self, run_id: &RunId) -> Option<Newest> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner).get(run_id).cloned()
    }

    /// Keeps `newest` if it is newer than the cached commit. Forgets an ended run.
    pub(super) fn update(&self, newest: &Newest) {
        let mut runs = self.runs.lock().unwrap_or_else(PoisonError::into_inner);
        let run_id = &newest.head.run_id;
        if newest.head.status.is_terminal() {
            runs.remove(run_id);
            return;
        }
        if runs.len() >= CACHED_RUNS && !runs.contains_key(run_id) {
            runs.clear();
        }
        let kept = runs.entry(run_id.clone()).or_insert_with(|| newest.clone());
        if newest.head.last_seq > kept.head.last_seq {
            kept.clone_from(newest);
        }
    }
}
