//! The states of circuit breakers.

use async_trait::async_trait;
use heal_runtime::Timestamp;
use heal_runtime::port::{BreakerRecord, BreakerStore, Result};
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use crate::column::{millis, moment, optional_moment};
use crate::error::JobError;
use crate::store::Store;

#[async_trait]
impl BreakerStore for Store {
    async fn read(&self, service: &str) -> Result<Option<BreakerRecord>> {
        let service = service.to_owned();
        self.look("breaker.read", move |connection| find(connection, &service)).await
    }

    async fn open(&self, service: &str, opened_at: Timestamp, open_until: Timestamp) -> Result<bool> {
        let service = service.to_owned();
        let work = move |connection: &Connection| {
            let mut upsert = connection.prepare_cached(
                "INSERT INTO breaker (service, opened_at, open_until) VALUES (?1, ?2, ?3)
                 ON CONFLICT (service) DO UPDATE
                 SET opened_at = excluded.opened_at, open_until = excluded.open_until, trial_holder = NULL, trial_until = NULL
                 WHERE open_until < excluded.open_until",
            )?;
            Ok(upsert.execute(params![service, millis(opened_at), millis(open_until)])? > 0)
        };
        self.write("breaker.open", work).await
    }

    async fn take_trial(&self, service: &str, holder: &str, now: Timestamp, until: Timestamp) -> Result<bool> {
        let (service, holder) = (service.to_owned(), holder.to_owned());
        let work = move |connection: &Connection| {
            let mut update = connection.prepare_cached(
                "UPDATE breaker SET trial_holder = ?2, trial_until = ?4 WHERE service = ?1 AND open_until <= ?3
                 AND (trial_holder IS NULL OR trial_holder = ?2 OR trial_until <= ?3)",
            )?;
            Ok(update.execute(params![service, holder, millis(now), millis(until)])? > 0)
        };
        self.write("breaker.take_trial", work).await
    }

    async fn release_trial(&self, service: &str, holder: &str) -> Result<bool> {
        let (service, holder) = (service.to_owned(), holder.to_owned());
        let work = move |connection: &Connection| {
            let mut update = connection.prepare_cached(
                "UPDATE breaker SET trial_holder = NULL, trial_until = NULL WHERE service = ?1 AND trial_holder = ?2",
            )?;
            Ok(update.execute([&service, &holder])? > 0)
        };
        self.write("breaker.release_trial", work).await
    }

    async fn close(&self, service: &str) -> Result<()> {
        let service = service.to_owned();
        let work = move |connection: &Connection| {
            connection.prepare_cached("DELETE FROM breaker WHERE service = ?1")?.execute([&service])?;
            Ok(())
        };
        self.write("breaker.close", work).await
    }
}

fn find(connection: &Connection, service: &str) -> std::result::Result<Option<BreakerRecord>, JobError> {
    let mut select = connection
        .prepare_cached("SELECT opened_at, open_until, trial_holder, trial_until FROM breaker WHERE service = ?1")?;
    Ok(select.query_row([service], record).optional()?)
}

fn record(row: &Row<'_>) -> rusqlite::Result<BreakerRecord> {
    let holder: Option<String> = row.get(2)?;
    let trial = holder.zip(optional_moment(row, 3)?);
    Ok(BreakerRecord { opened_at: moment(row, 0)?, open_until: moment(row, 1)?, trial })
}
