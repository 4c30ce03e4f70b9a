//! Levels of autonomy in memory.

use std::collections::BTreeMap;
use std::sync::Mutex;

use async_trait::async_trait;
use heal_engine::Timestamp;
use heal_guard::AutonomySetting;
use heal_runtime::port::{AutonomyStore, Result};

use super::{Faults, lock};

/// An [`AutonomyStore`] in memory.
#[derive(Debug, Default)]
pub struct Autonomies {
    faults: Faults,
    rows: Mutex<BTreeMap<String, AutonomySetting>>,
}

impl Autonomies {
    /// An empty fake whose calls fail as `faults` decides.
    pub fn new(faults: Faults) -> Self {
        Self { faults, rows: Mutex::default() }
    }
}

#[async_trait]
impl AutonomyStore for Autonomies {
    async fn setting(&self, playbook: &str) -> Result<Option<AutonomySetting>> {
        self.faults.around("autonomy.setting", || lock(&self.rows).get(playbook).cloned()).await
    }

    async fn settings(&self) -> Result<Vec<AutonomySetting>> {
        self.faults.around("autonomy.settings", || lock(&self.rows).values().cloned().collect()).await
    }

    async fn set(&self, setting: &AutonomySetting) -> Result<()> {
        self.faults
            .around("autonomy.set", || {
                lock(&self.rows).insert(setting.playbook.clone(), setting.clone());
            })
            .await
    }

    async fn replace(&self, setting: &AutonomySetting, before: Option<Timestamp>) -> Result<bool> {
        self.faults
            .around("autonomy.replace", || {
                let mut rows = lock(&self.rows);
                let is_as_before = rows.get(&setting.playbook).map(|stored| stored.since) == before;
                if is_as_before {
                    rows.insert(setting.playbook.clone(), setting.clone());
                }
                is_as_before
            })
            .await
    }
}
