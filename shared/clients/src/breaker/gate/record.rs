//! The record of a breaker: the local view, and the store that processes share.

use std::future::Future;

use heal_runtime::Timestamp;
use heal_runtime::port::{self, BackendError, BreakerRecord, BreakerStore};

use super::super::failures::Failures;
use super::super::machine::Change;
use super::{Breaker, STORE_TIMEOUT, VIEW_LIFETIME};

impl Breaker {
    /// Applies `change` if the record is still `from`. False if it was not; the view is then up to date.
    pub(super) async fn commit(&self, from: Option<&BreakerRecord>, change: &Change, now: Timestamp) -> bool {
        if let Some(store) = &self.store {
            match bounded(self.write(&**store, from, change, now)).await {
                Ok(true) => {}
                Ok(false) => {
                    self.load(&**store).await;
                    return false;
                }
                Err(error) => self.warn(&error),
            }
        }
        let mut view = self.view();
        if view.record.as_ref() != from {
            return false;
        }
        view.record = self.settings.apply(view.record.take(), change, now);
        view.read_at = Some(now);
        drop(view);
        self.report();
        true
    }

    /// Writes `change` if the stored record is `from`. The store itself guards each change against concurrent writers.
    async fn write(
        &self,
        store: &dyn BreakerStore,
        from: Option<&BreakerRecord>,
        change: &Change,
        now: Timestamp,
    ) -> port::Result<bool> {
        if store.read(self.service).await?.as_ref() != from {
            return Ok(false);
        }
        let until = self.settings.until(now);
        match change {
            Change::Open => store.open(self.service, now, until).await,
            Change::TakeTrial { holder } => store.take_trial(self.service, holder, now, until).await,
            Change::ReleaseTrial => match from.and_then(|record| record.trial.as_ref()) {
                Some((holder, _)) => store.release_trial(self.service, holder).await,
                None => Ok(false),
            },
            Change::Close => store.close(self.service).await.map(|()| true),
        }
    }

    /// Reads the stored record if the view is too old. One caller reads; the others use the old view meanwhile.
    pub(super) async fn refresh(&self) {
        if let Some(store) = &self.store {
            let now = self.now();
            let is_old = {
                let mut view = self.view();
                let lifetime_ms = u64::try_from(VIEW_LIFETIME.as_millis()).unwrap_or(u64::MAX);
                let is_old = view.read_at.is_none_or(|read_at| now.since_ms(read_at) >= lifetime_ms);
                if is_old {
                    view.read_at = Some(now);
                }
                is_old
            };
            if is_old {
                self.load(&**store).await;
            }
        }
        self.report();
    }

    async fn load(&self, store: &dyn BreakerStore) {
        match bounded(store.read(self.service)).await {
            Ok(stored) => {
                let mut view = self.view();
                // While the store failed, this process kept a record of its own; the shared one counts.
                let opening = |record: &Option<BreakerRecord>| record.as_ref().map(|record| record.opened_at);
                if opening(&view.record) != opening(&stored) {
                    view.failures = Failures::default();
                }
                view.record = stored;
                view.read_at = Some(self.now());
                drop(view);
                self.report();
            }
            Err(error) => self.warn(&error),
        }
    }

    fn warn(&self, error: &BackendError) {
        let error = heal_telemetry::text::chain(error);
        tracing::warn!(service = self.service, error, "breaker.store_unavailable");
    }
}

/// `answer` within [`STORE_TIMEOUT`].
async fn bounded<T>(answer: impl Future<Output = port::Result<T>>) -> port::Result<T> {
    let late = |_| {
        let cause = format!("no answer within {} ms", STORE_TIMEOUT.as_millis());
        BackendError::unavailable("breaker", cause)
    };
    tokio::time::timeout(STORE_TIMEOUT, answer).await.map_err(late)?
}
