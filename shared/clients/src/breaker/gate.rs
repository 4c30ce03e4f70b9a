//! The breaker in front of a client's calls: the pure rules over the record that [`record`] keeps.

mod record;

use std::fmt;
use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use heal_runtime::Timestamp;
use heal_runtime::freeze::FreezeWatch;
use heal_runtime::port::{BreakerRecord, BreakerStore};

use super::Clock;
use super::failures::Failures;
use super::machine::{Admission, Change, Settings, State};
use crate::call::Wiring;
use crate::error::{Effect, Error, Lesson, Outage, OutageKind};
use crate::observe::Observer;

/// Longest age of the local view of a shared breaker.
pub const VIEW_LIFETIME: Duration = Duration::from_secs(5);

/// Longest wait for the store. Afterwards this process relies on its own view.
pub const STORE_TIMEOUT: Duration = Duration::from_millis(500);

/// The breaker of one service.
pub struct Breaker {
    service: &'static str,
    settings: Settings,
    /// Unique among the breakers of all processes: the prefix of its trials' holders.
    name: String,
    trials: AtomicU64,
    store: Option<Arc<dyn BreakerStore>>,
    observer: Arc<dyn Observer>,
    clock: Clock,
    view: Mutex<View>,
}

/// What this process knows.
#[derive(Default)]
struct View {
    /// Of this process, since the last answer that closed or kept closed.
    failures: Failures,
    record: Option<BreakerRecord>,
    /// Time of the last read from the store.
    read_at: Option<Timestamp>,
    reported: Option<State>,
}

/// A call that may pass.
enum Permit {
    Ordinary,
    /// The record that names this call as the trial. Another record means that the trial was taken over.
    Trial(Option<BreakerRecord>),
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
    /// A closed breaker of `service`, over the store of `wiring` if it has one.
    pub fn new(service: &'static str, settings: Settings, wiring: &Wiring, clock: Clock) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("{}-{}-{number}", std::process::id(), clock());
        Self {
            service,
            settings,
            name,
            trials: AtomicU64::new(0),
            store: wiring.breaker_store.clone(),
            observer: Arc::clone(&wiring.observer),
            clock,
            view: Mutex::default(),
        }
    }

    /// The state as this process sees it.
    pub fn state(&self) -> State {
        State::from_record(self.view().record.as_ref())
    }

    /// As [`Breaker::run_for`], for a call without a target: alone it opens no breaker but by its connection.
    ///
    /// # Errors
    /// As [`Breaker::run_for`].
    pub async fn run<T>(
        &self,
        operation: &'static str,
        call: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        self.run_for(operation, "", call).await
    }

    /// Runs `call` about `target`, such as a ticket's id, if the breaker lets it pass, and learns from its result.
    ///
    /// A call during which this process was frozen is no failure of the service: its timeout passed while nobody could read the answer.
    /// Nor is one that this process could not make. What the service fails at counts once for each target.
    ///
    /// # Errors
    /// `Unavailable` of kind `BreakerOpen`, at once; else the error of `call`.
    pub async fn run_for<T>(
        &self,
        operation: &'static str,
        target: &str,
        call: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        let permit = self.admit(operation).await?;
        let watch = FreezeWatch::start(|| self.now());
        let result = watch.during(call).await;
        let mut lesson = result.as_ref().err().map_or(Lesson::Answers, Error::lesson);
        let frozen_ms = watch.frozen_ms();
        if frozen_ms > 0 && matches!(lesson, Lesson::IsAway | Lesson::FailedAtTarget) {
            tracing::warn!(service = self.service, operation, frozen_ms, "breaker.freeze_not_counted");
            lesson = Lesson::Nothing;
        }
        self.learn(permit, lesson, target).await;
        result
    }

    async fn admit(&self, operation: &'static str) -> Result<Permit, Error> {
        self.refresh().await;
        let now = self.now();
        let record = self.view().record.clone();
        match self.settings.admit(record.as_ref(), now) {
            Admission::Pass => Ok(Permit::Ordinary),
            Admission::Refuse { retry_after } => Err(self.refused(operation, retry_after)),
            Admission::Trial => {
                let holder = format!("{}-{}", self.name, self.trials.fetch_add(1, Ordering::Relaxed));
                let trial = Change::TakeTrial { holder };
                if self.commit(record.as_ref(), &trial, now).await {
                    Ok(Permit::Trial(self.settings.apply(record, &trial, now)))
                } else {
                    Err(self.refused(operation, self.settings.reset))
                }
            }
        }
    }

    async fn learn(&self, permit: Permit, lesson: Lesson, target: &str) {
        match permit {
            Permit::Trial(trial) => {
                let change = self.view().failures.after_trial(lesson, target, &self.settings);
                self.commit(trial.as_ref(), &change, self.now()).await;
            }
            Permit::Ordinary => {
                let opens = {
                    let mut view = self.view();
                    // What started before the opening and ends late says nothing new.
                    let is_late = view.record.is_some();
                    if !is_late {
                        view.failures.count(lesson, target);
                    }
                    !is_late && view.failures.open(&self.settings)
                };
                if opens {
                    self.view().failures.opened();
                    self.commit(None, &Change::Open, self.now()).await;
                }
            }
        }
    }

    /// Reports the state at every call, because metrics that cover the time since the last flush need it again; logs its changes.
    fn report(&self) {
        let (state, changed) = {
            let mut view = self.view();
            let state = State::from_record(view.record.as_ref());
            (state, view.reported.replace(state) != Some(state))
        };
        if changed {
            tracing::info!(service = self.service, state = state.as_str(), "breaker.state");
        }
        self.observer.breaker_state(self.service, state);
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

    fn now(&self) -> Timestamp {
        Timestamp((self.clock)())
    }

    fn view(&self) -> MutexGuard<'_, View> {
        self.view.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
