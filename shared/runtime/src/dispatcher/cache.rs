//! Cache of folded runs. It may be stale: the conditional write then fails, and the run is folded anew from its log.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use heal_engine::{Digest, Plan, RunId, State, Timestamp};

/// Cached runs; at this number, the runs without a turn in progress are evicted.
const RUNS: usize = 4_096;
/// Cached plans that are not in the library.
const PLANS: usize = 64;
/// Milliseconds after which a plan is stored again, so that the store keeps a plan that is in use. A day: one request per plan and process.
pub(super) const PLAN_REFRESH_MS: u64 = 86_400_000;

/// A run as it was after its last known commit.
#[derive(Debug)]
pub(super) struct Live {
    pub plan: Arc<Plan>,
    pub state: State,
    /// The newest chain of the run's commits.
    pub chain: Option<Digest>,
}

/// One run's entry. Its lock serialises this process's turns of the run.
type Slot = Arc<tokio::sync::Mutex<Option<Live>>>;

#[derive(Debug, Default)]
pub(super) struct Cache {
    runs: Mutex<HashMap<RunId, Slot>>,
    plans: Mutex<HashMap<Digest, Arc<Plan>>>,
    /// When each plan was stored last.
    stored: Mutex<HashMap<Digest, Timestamp>>,
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

    /// Whether this process stored the plan within [`PLAN_REFRESH_MS`] before `now`.
    pub(super) fn is_stored(&self, digest: &Digest, now: Timestamp) -> bool {
        let stored = self.stored.lock().unwrap_or_else(PoisonError::into_inner);
        stored.get(digest).is_some_and(|at| *at <= now && now.since_ms(*at) < PLAN_REFRESH_MS)
    }

    pub(super) fn stored(&self, digest: &Digest, now: Timestamp) {
        self.stored.lock().unwrap_or_else(PoisonError::into_inner).insert(digest.clone(), now);
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
