//! Circuit breaker records in memory.

use std::collections::BTreeMap;
use std::sync::Mutex;

use async_trait::async_trait;
use heal_runtime::Timestamp;
use heal_runtime::port::{BreakerRecord, BreakerStore, Result};

use super::{Faults, lock};

/// A [`BreakerStore`] in memory.
#[derive(Debug, Default)]
pub struct Breakers {
    faults: Faults,
    records: Mutex<BTreeMap<String, BreakerRecord>>,
}

impl Breakers {
    /// An empty fake whose calls fail as `faults` decides.
    pub fn new(faults: Faults) -> Self {
        Self { faults, records: Mutex::default() }
    }
}

#[async_trait]
impl BreakerStore for Breakers {
    async fn read(&self, service: &str) -> Result<Option<BreakerRecord>> {
        self.faults.around("breaker.read", || lock(&self.records).get(service).cloned()).await
    }

    async fn open(&self, service: &str, opened_at: Timestamp, open_until: Timestamp) -> Result<bool> {
        self.faults
            .around("breaker.open", || {
                let mut records = lock(&self.records);
                let is_open = records.get(service).is_some_and(|record| record.open_until >= open_until);
                if !is_open {
                    records.insert(service.to_owned(), BreakerRecord { opened_at, open_until, trial: None });
                }
                !is_open
            })
            .await
    }

    async fn take_trial(&self, service: &str, holder: &str, now: Timestamp, until: Timestamp) -> Result<bool> {
        self.faults
            .around("breaker.take_trial", || match lock(&self.records).get_mut(service) {
                None => false,
                Some(record) => {
                    let another =
                        record.trial.as_ref().is_some_and(|(by, live_until)| by != holder && *live_until > now);
                    let taken = record.open_until <= now && !another;
                    if taken {
                        record.trial = Some((holder.to_owned(), until));
                    }
                    taken
                }
            })
            .await
    }

    async fn release_trial(&self, service: &str, holder: &str) -> Result<bool> {
        self.faults
            .around("breaker.release_trial", || {
                let mut records = lock(&self.records);
                let held =
                    records.get_mut(service).filter(|record| record.trial.as_ref().is_some_and(|(by, _)| by == holder));
                held.map(|record| record.trial = None).is_some()
            })
            .await
    }

    async fn close(&self, service: &str) -> Result<()> {
        self.faults
            .around("breaker.close", || {
                lock(&self.records).remove(service);
            })
            .await
    }
}
