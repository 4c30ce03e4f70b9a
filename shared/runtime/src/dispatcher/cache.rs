//! Cache of folded runs. It may be stale: the conditional write then fails, and the run is folded anew from its log.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use heal_engine::{Digest, Plan, RunId, State};

/// Cached runs; at this number, the runs without a turn in progress are evicted.
const RUNS: usize = 4_096;
/// Cached plans that are not in the library.
const PLANS: usize = 64;

/// A run as it was after its last known commit.
#[derive(Debug)]
pub(super) struct Live {
    pub plan: Arc<Plan>,
    pub state: State,
}

/// One run's entry. Its lock serialises this process's turns of the run.
type Slot = Arc<tokio::sync::Mutex<Option<Live>>>;

#[derive(Debug, Default)]
pub(super) struct Cache {
    runs: Mutex<HashMap<RunId, Slot>>,
    plans: Mutex<HashMap<Digest, Arc<Plan>>>,
    /// Digests of plans that are known to be in the store.
    stored: Mutex<HashSet<Digest>>,
}

impl Cache {
    pub(super) fn slot(&self, run_id: &RunId) -> Slot {
        let mut runs = self.runs.lock().unwrap_or_else(PoisonError::into_inner);
        if runs.len() >= RUNS && !runs.contains_key(run_id) {
            runs.retain(|_, slot| Arc::strong_count(slot) > 1);
        }
        Arc::clone(runs.entry(run_id.clone()).or_default())
    }

    pub(super) fn keep(&self, live: Live) {
        let slot = self.slot(&live.state.run_id);
        // Whoever holds the lock is reading the run from its log.
        if let Ok(mut kept) = slot.try_lock() {
            kept.get_or_insert(live);
        }
    }

    pub(super) fn forget(&self, run_id: &RunId) {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner).remove(run_id);
    }

    pub(super) fn plan(&self, digest: &Digest) -> Option<Arc<Plan>> {
        self.plans.lock().unwrap_or_else(PoisonError::into_inner).get(digest).cloned()
    }

    pub(super) fn is_stored(&self, digest: &Digest) -> bool {
        self.stored.lock().unwrap_or_else(PoisonError::into_inner).contains(digest)
    }

    pub(super) fn stored(&self, digest: &Digest) {
        self.stored.lock().unwrap_or_else(PoisonError::into_inner).insert(digest.clone());
    }

    pub(super) fn keep_plan(&self, plan: Plan) -> Arc<Plan> {
        let plan = Arc::new(plan);
        let mut plans = self.plans.lock().unwrap_or_else(PoisonError::into_inner);
        if plans.len() >= PLANS {
            plans.clear();
        }
        plans.insert(plan.digest.clone(), Arc::clone(&plan));
        plan
    }
}
