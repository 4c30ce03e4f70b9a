//! The states of circuit breakers, shared by every instance of every function.

use async_trait::async_trait;
use heal_runtime::Timestamp;
use heal_runtime::port::{BreakerRecord, BreakerStore, Result};

use super::Store;
use super::call::{Change, Written};
use super::item::{Attributes, Fields, Item};
use super::key;

#[async_trait]
impl BreakerStore for Store {
    async fn read(&self, service: &str) -> Result<Option<BreakerRecord>> {
        let operation = "breaker.read";
        let found = self.get(operation, &key::breaker(service)).await?;
        found.map(|row| record(operation, &row)).transpose()
    }

    async fn open(&self, service: &str, opened_at: Timestamp, open_until: Timestamp) -> Result<bool> {
        let values = Item::default().moment(":opened_at", opened_at).moment(":open_until", open_until);
        let written = self
            .update(
                "breaker.open",
                Change {
                    key: key::breaker(service),
                    update: "SET opened_at = :opened_at, open_until = :open_until REMOVE trial_holder, trial_until",
                    condition: "attribute_not_exists(pk) OR open_until < :open_until",
                    values,
                },
            )
            .await?;
        Ok(is_done(&written))
    }

    async fn take_trial(&self, service: &str, holder: &str, now: Timestamp, until: Timestamp) -> Result<bool> {
        let values = Item::default().text(":holder", holder).moment(":now", now).moment(":until", until);
        let written = self
            .update(
                "breaker.take_trial",
                Change {
                    key: key::breaker(service),
                    update: "SET trial_holder = :holder, trial_until = :until",
                    condition: "attribute_exists(pk) AND open_until <= :now AND (attribute_not_exists(trial_holder) \
                                OR trial_holder = :holder OR trial_until <= :now)",
                    values,
                },
            )
            .await?;
        Ok(is_done(&written))
    }

    async fn release_trial(&self, service: &str, holder: &str) -> Result<bool> {
        let written = self
            .update(
                "breaker.release_trial",
                Change {
                    key: key::breaker(service),
                    update: "REMOVE trial_holder, trial_until",
                    condition: "trial_holder = :holder",
                    values: Item::default().text(":holder", holder),
                },
            )
            .await?;
        Ok(is_done(&written))
    }

    async fn close(&self, service: &str) -> Result<()> {
        let key = key::breaker(service);
        self.delete("breaker.close", &key, "attribute_exists(pk)", Item::default()).await.map(drop)
    }
}

const fn is_done(written: &Written) -> bool {
    match written {
        Written::Done(_) => true,
        Written::Refused(_) => false,
    }
}

pub(super) fn record(operation: &'static str, row: &Attributes) -> Result<BreakerRecord> {
    let fields = Fields::read(operation, row)?;
    let holder = fields.maybe_text("trial_holder")?.map(ToOwned::to_owned);
    Ok(BreakerRecord {
        opened_at: fields.moment("opened_at")?,
        open_until: fields.moment("open_until")?,
        trial: holder.zip(fields.maybe_moment("trial_until")?),
    })
}
