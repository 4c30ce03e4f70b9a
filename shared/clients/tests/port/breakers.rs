//! Breakers of several processes over one store.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::join_all;
use heal_clients::breaker::{Breaker, Settings, State, VIEW_LIFETIME};
use heal_clients::config::Config;
use heal_clients::{Effect, Error, Outage, OutageKind, Wiring, tickets};
use heal_runtime::Timestamp;
use heal_runtime::port::{BreakerRecord, BreakerStore, Result};
use heal_testkit::memory::{Breakers, Faults, When};

const RESET: Duration = Duration::from_mins(1);

/// Time that a test moves by hand, in epoch milliseconds.
#[derive(Clone)]
struct Hand(Arc<AtomicU64>);

impl Hand {
    fn new() -> Self {
        Self(Arc::new(AtomicU64::new(1_800_000_000_000)))
    }

    fn advance(&self, by: Duration) {
        self.0.fetch_add(u64::try_from(by.as_millis()).unwrap(), Ordering::SeqCst);
    }

    fn breaker(&self, service: &'static str, settings: Settings, store: Arc<dyn BreakerStore>) -> Breaker {
        let wiring = Wiring { breaker_store: Some(store), ..Wiring::default() };
        let time = Arc::clone(&self.0);
        Breaker::new(service, settings, &wiring, Arc::new(move || time.load(Ordering::SeqCst)))
    }

    /// The breaker of a process of its own.
    fn process(&self, store: &Arc<dyn BreakerStore>) -> Breaker {
        self.breaker(tickets::SERVICE, Settings::default(), Arc::clone(store))
    }
}

/// Counts openings and trials that were written.
#[derive(Default)]
struct Counting {
    inner: Breakers,
    openings: AtomicUsize,
    trials: AtomicUsize,
}

#[async_trait]
impl BreakerStore for Counting {
    async fn read(&self, service: &str) -> Result<Option<BreakerRecord>> {
        self.inner.read(service).await
    }

    async fn open(&self, service: &str, opened_at: Timestamp, open_until: Timestamp) -> Result<bool> {
        let written = self.inner.open(service, opened_at, open_until).await?;
        self.openings.fetch_add(usize::from(written), Ordering::SeqCst);
        Ok(written)
    }

    async fn take_trial(&self, service: &str, holder: &str, now: Timestamp, until: Timestamp) -> Result<bool> {
        let taken = self.inner.take_trial(service, holder, now, until).await?;
        self.trials.fetch_add(usize::from(taken), Ordering::SeqCst);
        Ok(taken)
    }

    async fn release_trial(&self, service: &str, holder: &str) -> Result<bool> {
        self.inner.release_trial(service, holder).await
    }

    async fn close(&self, service: &str) -> Result<()> {
        self.inner.close(service).await
    }
}

async fn call(breaker: &Breaker, works: bool) -> std::result::Result<(), Error> {
    let outcome = async || {
        if works {
            return Ok(());
        }
        Err(Error::Unavailable(Outage {
            service: tickets::SERVICE,
            operation: "op",
            kind: OutageKind::NotServing,
            retry_after: None,
            effect: Effect::Unknown,
            detail: String::new(),
        }))
    };
    breaker.run("op", outcome()).await
}

/// Whether the breaker itself refused, and for how long.
fn refused(result: &std::result::Result<(), Error>) -> Option<Duration> {
    match result {
        Err(Error::Unavailable(outage)) if outage.kind == OutageKind::BreakerOpen => outage.retry_after,
        Ok(()) | Err(Error::Unavailable(_) | Error::Refused(_) | Error::Misconfigured(_) | Error::Invalid { .. }) => {
            None
        }
    }
}

async fn open(breaker: &Breaker) {
    for _ in 0..5 {
        call(breaker, false).await.unwrap_err();
    }
    assert_eq!(breaker.state(), State::Open);
}

#[tokio::test]
async fn an_opening_is_written_once_and_holds_for_a_hundred_processes() {
    let hand = Hand::new();
    let counting = Arc::new(Counting::default());
    let store: Arc<dyn BreakerStore> = counting.clone();
    let processes: Vec<Breaker> = (0..100).map(|_| hand.process(&store)).collect();
    for process in &processes {
        call(process, true).await.unwrap();
    }
    open(&processes[0]).await;
    hand.advance(VIEW_LIFETIME);
    for process in &processes[1..] {
        let wait = refused(&call(process, true).await).unwrap();
        assert_eq!(wait + VIEW_LIFETIME, RESET);
    }
    assert_eq!(counting.openings.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn of_many_processes_one_has_the_trial_and_its_success_closes_for_all() {
    let hand = Hand::new();
    let counting = Arc::new(Counting::default());
    let store: Arc<dyn BreakerStore> = counting.clone();
    let processes: Vec<Breaker> = (0..20).map(|_| hand.process(&store)).collect();
    open(&processes[0]).await;
    hand.advance(RESET);
    let results = join_all(processes.iter().map(|process| call(process, true))).await;
    assert!(results.iter().any(std::result::Result::is_ok));
    assert_eq!(counting.trials.load(Ordering::SeqCst), 1);
    assert_eq!(store.read(tickets::SERVICE).await.unwrap(), None);
    hand.advance(VIEW_LIFETIME);
    for process in &processes {
        call(process, true).await.unwrap();
    }
}

#[tokio::test]
async fn a_trial_that_outlives_the_local_view_still_closes() {
    let hand = Hand::new();
    let store: Arc<dyn BreakerStore> = Arc::new(Breakers::default());
    let process = hand.process(&store);
    open(&process).await;
    hand.advance(RESET);
    let trial = process.run("op", async {
        hand.advance(VIEW_LIFETIME);
        // Another call of the same process reads the store anew meanwhile.
        assert!(refused(&call(&process, true).await).is_some());
        Ok(())
    });
    trial.await.unwrap();
    assert_eq!(process.state(), State::Closed);
    call(&process, true).await.unwrap();
}

#[tokio::test]
async fn a_failed_trial_opens_anew_and_a_vanished_one_is_granted_again() {
    let hand = Hand::new();
    let store: Arc<dyn BreakerStore> = Arc::new(Breakers::default());
    let (first, second) = (hand.process(&store), hand.process(&store));
    open(&first).await;
    hand.advance(RESET);
    assert_eq!(refused(&call(&first, false).await), None, "the trial goes through, and fails");
    assert_eq!(refused(&call(&second, true).await), Some(RESET));
    hand.advance(RESET);
    let lost = first.run("op", std::future::pending::<std::result::Result<(), Error>>());
    assert!(tokio::time::timeout(Duration::from_millis(10), lost).await.is_err());
    assert!(refused(&call(&second, true).await).is_some());
    hand.advance(RESET);
    call(&second, true).await.unwrap();
}

#[tokio::test]
async fn each_service_stays_open_for_as_long_as_it_is_configured() {
    let hand = Hand::new();
    let store: Arc<dyn BreakerStore> = Arc::new(Breakers::default());
    let env = BTreeMap::from([("EXECUTION_TICKET_CIRCUIT_BREAKER_RESET_SECONDS".to_owned(), "7".to_owned())]);
    let config = Config::read(&env).unwrap();
    for (service, settings, seconds) in
        [(tickets::SERVICE, config.tickets.breaker, 7), ("opa", Settings::default(), 60)]
    {
        open(&hand.breaker(service, settings, Arc::clone(&store))).await;
        let record = store.read(service).await.unwrap().unwrap();
        assert_eq!(record.open_until.since_ms(record.opened_at), seconds * 1_000, "{service}");
    }
}

#[tokio::test]
async fn without_its_store_a_breaker_goes_by_what_it_saw() {
    let hand = Hand::new();
    let faults = Faults::default();
    let store: Arc<dyn BreakerStore> = Arc::new(Breakers::new(faults.clone()));
    let process = hand.process(&store);
    faults.decide_by(|_| Some(When::Before));
    open(&process).await;
    assert!(refused(&call(&process, true).await).is_some());
    faults.clear();
    // The others never saw it: what they agree on counts again.
    hand.advance(VIEW_LIFETIME);
    call(&process, true).await.unwrap();
}

#[tokio::test]
async fn a_write_that_was_applied_and_not_answered_is_found_by_the_next_read() {
    let hand = Hand::new();
    let faults = Faults::default();
    let store: Arc<dyn BreakerStore> = Arc::new(Breakers::new(faults.clone()));
    let (process, other) = (hand.process(&store), hand.process(&store));
    faults.fail_next_of("breaker.open", 1, When::After);
    open(&process).await;
    assert!(refused(&call(&other, true).await).is_some());
    hand.advance(RESET);
    call(&process, true).await.unwrap();
    hand.advance(VIEW_LIFETIME);
    call(&other, true).await.unwrap();
}

#[tokio::test]
async fn a_trial_that_expired_changes_nothing_for_the_holder_that_took_over() {
    let hand = Hand::new();
    let store: Arc<dyn BreakerStore> = Arc::new(Breakers::default());
    let (slow, next) = (hand.process(&store), hand.process(&store));
    open(&slow).await;
    hand.advance(RESET);
    let late = slow.run("op", async {
        hand.advance(RESET);
        // The other process takes the expired trial over, and finds the service still failing.
        call(&next, false).await.unwrap_err();
        Ok(())
    });
    late.await.unwrap();
    assert!(store.read(tickets::SERVICE).await.unwrap().is_some(), "the late success closed another holder's breaker");
    assert_eq!(slow.state(), State::Open);
}
