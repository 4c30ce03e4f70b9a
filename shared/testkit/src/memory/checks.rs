//! States of checks in memory.

use std::collections::BTreeMap;
use std::sync::Mutex;

use async_trait::async_trait;
use heal_runtime::port::{CheckStore, Result};

use super::{Faults, lock};

/// A [`CheckStore`] in memory.
#[derive(Debug, Default)]
pub struct Checks {
    faults: Faults,
    rows: Mutex<BTreeMap<String, (u64, String)>>,
}

impl Checks {
    /// An empty fake whose calls fail as `faults` decides.
    pub fn new(faults: Faults) -> Self {
        Self { faults, rows: Mutex::default() }
    }

    /// Forgets every stored state.
    pub fn lose(&self) {
        lock(&self.rows).clear();
    }
}

#[async_trait]
impl CheckStore for Checks {
    async fn load(&self, name: &str) -> Result<Option<(u64, String)>> {
        self.faults.around("checks.load", || lock(&self.rows).get(name).cloned()).await
    }

    async fn store(&self, name: &str, expected_version: u64, json: &str) -> Result<bool> {
        self.faults
            .around("checks.store", || {
                let mut rows = lock(&self.rows);
                let next = (expected_version + 1, json.to_owned());
                let current = rows.get(name);
                let is_expected = current.map_or(0, |(version, _)| *version) == expected_version;
                let is_there = current == Some(&next);
                if is_expected {
                    rows.insert(name.to_owned(), next);
                }
                is_expected || is_there
            })
            .await
    }
}
