//! A store for processes that are one: embedded, and tests.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;

use super::machine::Record;
use super::shared::{SharedBreaker, StoreFault};

/// Breaker records in memory.
#[derive(Debug, Default)]
pub struct InMemory {
    records: Mutex<HashMap<String, Record>>,
}

#[async_trait]
impl SharedBreaker for InMemory {
    async fn load(&self, service: &str) -> Result<Option<Record>, StoreFault> {
        let records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(records.get(service).cloned())
    }

    async fn replace(&self, service: &str, expected: u64, next: &Record) -> Result<bool, StoreFault> {
        let mut records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
        let stored = records.get(service).map_or(0, |record| record.version);
        if stored != expected {
            return Ok(false);
        }
        records.insert(service.to_owned(), next.clone());
        Ok(true)
    }
}
