//! Halts in memory.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use heal_guard::{Halt, Timestamp};
use heal_runtime::halts::HaltCache;
use heal_runtime::port::{HALTS, HALTS_KEPT, Result, Switches as Port};

use super::{Faults, lock};

/// A store of halts in memory.
#[derive(Debug, Default)]
pub struct Switches {
    faults: Faults,
    rows: Mutex<BTreeMap<String, Halt>>,
}

/// The cache of a home in which nothing is ever halted.
pub fn no_halts() -> Arc<HaltCache> {
    Arc::new(HaltCache::new(Arc::new(Switches::default())))
}

impl Switches {
    /// An empty fake whose calls fail as `faults` decides.
    pub fn new(faults: Faults) -> Self {
        Self { faults, rows: Mutex::default() }
    }

    /// The halts as they are stored, without a call that could fail.
    pub fn rows(&self) -> Vec<Halt> {
        lock(&self.rows).values().cloned().collect()
    }
}

#[async_trait]
impl Port for Switches {
    async fn halts(&self) -> Result<Vec<Halt>> {
        self.faults.around("switches.halts", || lock(&self.rows).values().cloned().collect()).await
    }

    async fn halt(&self, halt: &Halt) -> Result<bool> {
        self.faults
            .around("switches.halt", || {
                let mut rows = lock(&self.rows);
                // Whoever has a wrong clock deletes as little as possible.
                if rows.len() >= HALTS_KEPT {
                    rows.retain(|_, other| halt.since < other.until);
                }
                let lasting = rows.values().filter(|other| halt.since < other.until).count();
                let has_room = rows.contains_key(&halt.id) || lasting < HALTS;
                if has_room {
                    rows.entry(halt.id.clone()).or_insert_with(|| halt.clone());
                }
                has_room
            })
            .await
    }

    async fn prolong(&self, halt: &Halt) -> Result<bool> {
        self.faults
            .around("switches.prolong", || match lock(&self.rows).get_mut(&halt.id) {
                Some(stored) if stored.until < halt.until => {
                    stored.clone_from(halt);
                    true
                }
                Some(_) | None => false,
            })
            .await
    }

    async fn put_right(&self, halt: &Halt, was: Timestamp) -> Result<bool> {
        self.faults
            .around("switches.put_right", || match lock(&self.rows).get_mut(&halt.id) {
                Some(stored) if stored.until == was => {
                    stored.clone_from(halt);
                    true
                }
                Some(_) | None => false,
            })
            .await
    }

    async fn resume(&self, id: &str, at: Timestamp) -> Result<bool> {
        self.faults.around("switches.resume", || lock(&self.rows).remove(id).is_some_and(|halt| at < halt.until)).await
    }
}
