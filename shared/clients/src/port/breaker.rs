//! Circuit breakers whose state is shared through a store of `runtime`.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use heal_runtime::Timestamp;
use heal_runtime::port::{BackendError, BreakerRecord, BreakerStore};
use tokio::sync::Mutex;

use crate::breaker::{Phase, Record, Settings, SharedBreaker, StoreFault};
use crate::config::Config;
use crate::error::chain;
use crate::{orchestrator, tickets};

/// A [`BreakerStore`], as the breakers of this process use it.
///
/// The store keeps no versions: it guards each change by its kind (open once, one trial at a time). The versions that the breakers compare
/// are counted here; a record that differs from the one last read is a newer version.
pub struct StoredBreaker {
    store: Arc<dyn BreakerStore>,
    /// From the opening to the first trial, by service.
    resets: HashMap<&'static str, Duration>,
    read: Mutex<HashMap<String, Versioned>>,
}

/// A service's record as it was last read; version 0 is "never written".
#[derive(Debug, Clone, Default, PartialEq)]
struct Versioned {
    version: u64,
    record: Option<BreakerRecord>,
}

impl fmt::Debug for StoredBreaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoredBreaker").field("resets", &self.resets).finish_non_exhaustive()
    }
}

impl StoredBreaker {
    /// `config` says how long each service's breaker stays open.
    pub fn new(store: Arc<dyn BreakerStore>, config: &Config) -> Self {
        let resets = HashMap::from([
            (tickets::SERVICE, config.tickets.breaker.reset),
            (orchestrator::SERVICE, config.orchestrator.breaker.reset),
        ]);
        Self { store, resets, read: Mutex::default() }
    }

    fn reset_ms(&self, service: &str) -> u64 {
        let reset = self.resets.get(service).copied().unwrap_or(Settings::default().reset);
        u64::try_from(reset.as_millis()).unwrap_or(u64::MAX)
    }

    /// Reads the record; one that differs from the last is a newer version.
    async fn refresh(&self, service: &str, read: &mut HashMap<String, Versioned>) -> Result<Versioned, StoreFault> {
        let record = self.store.read(service).await.map_err(|error| fault(&error))?;
        let last = read.entry(service.to_owned()).or_default();
        if last.record != record {
            *last = Versioned { version: last.version.saturating_add(1), record };
        }
        Ok(last.clone())
    }

    /// Writes the change from `from` to `next`. Returns what is stored then, or `None` if another process was faster.
    async fn write(
        &self,
        service: &str,
        from: Option<BreakerRecord>,
        next: &Record,
    ) -> Result<Option<Versioned>, BackendError> {
        let reset_ms = self.reset_ms(service);
        let (done, record) = match &next.phase {
            Phase::Closed => {
                self.store.close(service).await?;
                (true, None)
            }
            Phase::Open { since_ms } => {
                let opened_at = Timestamp(*since_ms);
                let open_until = opened_at.plus_ms(reset_ms);
                let done = self.store.open(service, opened_at, open_until).await?;
                (done, Some(BreakerRecord { opened_at, open_until, trial: None }))
            }
            Phase::HalfOpen { since_ms, holder } => {
                let now = Timestamp(*since_ms);
                let until = now.plus_ms(reset_ms);
                let done = self.store.take_trial(service, holder, now, until).await?;
                (done, from.map(|record| BreakerRecord { trial: Some((holder.clone(), until)), ..record }))
            }
        };
        Ok(done.then_some(Versioned { version: next.version, record }))
    }
}

#[async_trait]
impl SharedBreaker for StoredBreaker {
    async fn load(&self, service: &str) -> Result<Option<Record>, StoreFault> {
        let stored = self.refresh(service, &mut *self.read.lock().await).await?;
        let phase = phase(stored.record.as_ref(), self.reset_ms(service));
        Ok((stored.version > 0).then_some(Record { version: stored.version, phase }))
    }

    async fn replace(&self, service: &str, expected: u64, next: &Record) -> Result<bool, StoreFault> {
        let mut read = self.read.lock().await;
        let stored = self.refresh(service, &mut read).await?;
        if stored.version != expected {
            return Ok(false);
        }
        let written = self.write(service, stored.record, next).await.map_err(|error| fault(&error))?;
        let is_written = written.is_some();
        read.extend(written.map(|written| (service.to_owned(), written)));
        Ok(is_written)
    }
}

/// The record as the breaker's phase, such that a trial is due exactly when the store grants one.
fn phase(record: Option<&BreakerRecord>, reset_ms: u64) -> Phase {
    let since = |until: Timestamp| until.0.saturating_sub(reset_ms);
    match record {
        None => Phase::Closed,
        Some(BreakerRecord { trial: None, open_until, .. }) => Phase::Open { since_ms: since(*open_until) },
        Some(BreakerRecord { trial: Some((holder, until)), .. }) => {
            Phase::HalfOpen { since_ms: since(*until), holder: holder.clone() }
        }
    }
}

fn fault(error: &BackendError) -> StoreFault {
    StoreFault(chain(error))
}
