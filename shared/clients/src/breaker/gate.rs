//! The breaker in front of a client's calls: the pure rules, a local view, and the shared store behind it.

use std::fmt;
use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::machine::{Admission, Record, Settings, State};
use super::shared::{SharedBreaker, StoreFault};
use crate::call::Wiring;
use crate::error::{Effect, Error, Outage, OutageKind};
use crate::observe::Observer;

/// How old the local view of a shared breaker may be.
pub const VIEW_LIFETIME: Duration = Duration::from_secs(5);

/// Longest wait for the shared store; after it this process goes by what it saw itself.
pub const STORE_TIMEOUT: Duration = Duration::from_millis(500);

/// Epoch milliseconds.
pub type Clock = Arc<dyn Fn() -> u64 + Send + Sync>;

/// The clock of this machine.
pub fn system_clock() -> Clock {
    Arc::new(|| {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        since.map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    })
}

/// The breaker of one service.
pub struct Breaker {
    service: &'static str,
    settings: Settings,
    /// Names this breaker among others as the holder of a trial.
    caller: String,
    store: Option<Arc<dyn SharedBreaker>>,
    observer: Arc<dyn Observer>,
    clock: Clock,
    local: Mutex<Local>,
}

struct Local {
    failures: u32,
    record: Record,
    /// When `record` was last read from the store.
    seen_ms: Option<u64>,
    told: Option<State>,
}

/// A call that was let through.
enum Permit {
    Ordinary,
    /// The record that this call's trial made; another version means that the trial was taken away.
    Trial(Record),
}

impl fmt::Debug for Breaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Breaker")
            .field("service", &self.service)
            .field("settings", &self.settings)
            .field("state", &self.state())
            .finish_non_exhaustive()
    }
}

impl Breaker {
    pub fn new(service: &'static str, settings: Settings, wiring: &Wiring, clock: Clock) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let caller = format!("{}-{}-{number}", std::process::id(), clock());
        Self {
            service,
            settings,
            caller,
            store: wiring.breaker_store.clone(),
            observer: Arc::clone(&wiring.observer),
            clock,
            local: Mutex::new(Local { failures: 0, record: Record::NEW, seen_ms: None, told: None }),
        }
    }

    /// The state as this process sees it.
    pub fn state(&self) -> State {
        self.local().record.state()
    }

    /// Runs `call` if the breaker lets it through, and learns from how it ends.
    ///
    /// # Errors
    /// `Unavailable` of kind `BreakerOpen`, at once; else what `call` gave.
    pub async fn run<T>(
        &self,
        operation: &'static str,
        call: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        let permit = self.admit(operation).await?;
        let result = call.await;
        let failed = result.as_ref().is_err_and(Error::is_failure_of_the_service);
        self.learn(permit, failed).await;
        result
    }

    async fn admit(&self, operation: &'static str) -> Result<Permit, Error> {
        self.refresh().await;
        let now_ms = (self.clock)();
        let record = self.local().record.clone();
        match record.admit(&self.settings, &self.caller, now_ms) {
            Admission::Pass => Ok(Permit::Ordinary),
            Admission::Refuse { retry_after } => Err(self.refused(operation, retry_after)),
            Admission::Trial(trial) => {
                if self.commit(&record, &trial).await {
                    Ok(Permit::Trial(trial))
                } else {
                    Err(self.refused(operation, self.settings.reset))
                }
            }
        }
    }

    async fn learn(&self, permit: Permit, failed: bool) {
        let now_ms = (self.clock)();
        match permit {
            Permit::Trial(trial) => {
                let next = if failed { trial.opened(now_ms) } else { trial.closed() };
                self.local().failures = 0;
                self.commit(&trial, &next).await;
            }
            Permit::Ordinary if failed => {
                let (opening, record) = {
                    let mut local = self.local();
                    // A late failure of a call that went out before the opening says nothing new.
                    let closed = local.record.state() == State::Closed;
                    local.failures = if closed { local.failures.saturating_add(1) } else { 0 };
                    let opening = local.failures >= self.settings.threshold;
                    (opening, local.record.clone())
                };
                if opening {
                    self.commit(&record, &record.opened(now_ms)).await;
                    self.local().failures = 0;
                }
            }
            Permit::Ordinary => self.local().failures = 0,
        }
    }

    /// Makes `next` the record, if it is still `from`. `false`: it was not, and the view is now the newer one.
    async fn commit(&self, from: &Record, next: &Record) -> bool {
        if let Some(store) = &self.store {
            match bounded(store.replace(self.service, from.version, next)).await {
                Ok(true) => {}
                Ok(false) => {
                    self.load(store).await;
                    return false;
                }
                Err(error) => self.warn(&error),
            }
        }
        let mut local = self.local();
        if local.record.version != from.version {
            return false;
        }
        local.record = next.clone();
        local.seen_ms = Some((self.clock)());
        drop(local);
        self.tell();
        true
    }

    /// Reads the shared record where the local view is too old. One caller reads, the others go by the old view meanwhile.
    async fn refresh(&self) {
        if let Some(store) = &self.store {
            let now_ms = (self.clock)();
            let stale = {
                let mut local = self.local();
                let lifetime = u64::try_from(VIEW_LIFETIME.as_millis()).unwrap_or(u64::MAX);
                let stale = local.seen_ms.is_none_or(|seen| now_ms.saturating_sub(seen) >= lifetime);
                if stale {
                    local.seen_ms = Some(now_ms);
                }
                stale
            };
            if stale {
                self.load(store).await;
            }
        }
        self.tell();
    }

    async fn load(&self, store: &Arc<dyn SharedBreaker>) {
        match bounded(store.load(self.service)).await {
            Ok(stored) => {
                let stored = stored.unwrap_or(Record::NEW);
                let mut local = self.local();
                // A failing store left this process a version of its own; what others agreed on is what counts.
                if local.record != stored {
                    local.record = stored;
                    local.failures = 0;
                }
                local.seen_ms = Some((self.clock)());
                drop(local);
                self.tell();
            }
            Err(error) => self.warn(&error),
        }
    }

    /// Tells the observer of a state that it was not told of yet.
    fn tell(&self) {
        let changed = {
            let mut local = self.local();
            let state = local.record.state();
            let changed = local.told != Some(state);
            local.told = Some(state);
            changed.then_some(state)
        };
        if let Some(state) = changed {
            tracing::info!(service = self.service, state = state.as_str(), "breaker.state");
            self.observer.breaker_state(self.service, state);
        }
    }

    fn warn(&self, error: &StoreFault) {
        tracing::warn!(service = self.service, %error, "breaker.store_unavailable");
    }

    fn refused(&self, operation: &'static str, retry_after: Duration) -> Error {
        Error::Unavailable(Outage {
            service: self.service,
            operation,
            kind: OutageKind::BreakerOpen,
            retry_after: Some(retry_after),
            effect: Effect::NotApplied,
            detail: format!("circuit breaker is open, next trial in {} s", retry_after.as_secs_f64().ceil()),
        })
    }

    fn local(&self) -> MutexGuard<'_, Local> {
        self.local.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// `answer` within [`STORE_TIMEOUT`].
async fn bounded<T>(answer: impl Future<Output = Result<T, StoreFault>>) -> Result<T, StoreFault> {
    match tokio::time::timeout(STORE_TIMEOUT, answer).await {
        Ok(answer) => answer,
        Err(_) => Err(StoreFault(format!("no answer within {} ms", STORE_TIMEOUT.as_millis()))),
    }
}
