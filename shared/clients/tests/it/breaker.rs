//! The breaker among processes that share a store.

mod trials;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use heal_clients::breaker::{Breaker, STORE_TIMEOUT, Settings, State, VIEW_LIFETIME};
use heal_clients::{Effect, Error, Outage, OutageKind, Refusal, RefusalKind, Wiring};
use heal_runtime::Timestamp;
use heal_runtime::port::{BreakerRecord, BreakerStore, Result};
use heal_testkit::memory::{Breakers, Faults, When};

use crate::support::Hand;

const RESET: Duration = Duration::from_mins(1);

/// Counts reads, and changes that were written.
#[derive(Default)]
struct Counting {
    inner: Breakers,
    reads: AtomicUsize,
    writes: AtomicUsize,
}

#[async_trait]
impl BreakerStore for Counting {
    async fn read(&self, service: &str) -> Result<Option<BreakerRecord>> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        self.inner.read(service).await
    }

    async fn open(&self, service: &str, opened_at: Timestamp, open_until: Timestamp) -> Result<bool> {
        let written = self.inner.open(service, opened_at, open_until).await?;
        self.writes.fetch_add(usize::from(written), Ordering::SeqCst);
        Ok(written)
    }

    async fn take_trial(&self, service: &str, holder: &str, now: Timestamp, until: Timestamp) -> Result<bool> {
        self.inner.take_trial(service, holder, now, until).await
    }

    async fn release_trial(&self, service: &str, holder: &str) -> Result<bool> {
        self.inner.release_trial(service, holder).await
    }

    async fn close(&self, service: &str) -> Result<()> {
        self.inner.close(service).await
    }
}

fn breaker(store: Option<Arc<dyn BreakerStore>>, hand: &Hand) -> Breaker {
    let wiring = Wiring { breaker_store: store, ..Wiring::default() };
    Breaker::new("svc", Settings::default(), &wiring, hand.clock())
}

fn failure(kind: OutageKind) -> Error {
    Error::Unavailable(Outage {
        service: "svc",
        operation: "op",
        kind,
        retry_after: None,
        effect: Effect::Unknown,
        detail: String::new(),
    })
}

async fn fail(breaker: &Breaker) -> Error {
    breaker.run("op", async { Err::<(), _>(failure(OutageKind::NotServing)) }).await.unwrap_err()
}

async fn succeed(breaker: &Breaker) -> std::result::Result<(), Error> {
    breaker.run("op", async { Ok(()) }).await
}

fn refused_by_breaker(error: &Error) -> bool {
    matches!(error, Error::Unavailable(outage) if outage.kind == OutageKind::BreakerOpen)
}

#[tokio::test]
async fn only_consecutive_failures_count() {
    let hand = Hand::default();
    let breaker = breaker(None, &hand);
    for _ in 0..4 {
        fail(&breaker).await;
    }
    succeed(&breaker).await.unwrap();
    for _ in 0..4 {
        fail(&breaker).await;
    }
    assert_eq!(breaker.state(), State::Closed);
    fail(&breaker).await;
    assert_eq!(breaker.state(), State::Open);
}

#[tokio::test]
async fn a_refusal_is_an_answer_and_breaks_the_row_of_failures() {
    let hand = Hand::default();
    let breaker = breaker(None, &hand);
    let refusal = || {
        Error::Refused(Refusal {
            service: "svc",
            operation: "op",
            kind: RefusalKind::BadRequest,
            code: "422".to_owned(),
            message: String::new(),
            effect: Effect::NotApplied,
        })
    };
    for _ in 0..20 {
        fail(&breaker).await;
        fail(&breaker).await;
        breaker.run("op", async { Err::<(), _>(refusal()) }).await.unwrap_err();
        breaker.run("op", async { Err::<(), _>(failure(OutageKind::RateLimited)) }).await.unwrap_err();
    }
    assert_eq!(breaker.state(), State::Closed);
}

#[tokio::test]
async fn an_opening_is_written_once_and_holds_for_all() {
    let hand = Hand::default();
    let store = Arc::new(Counting::default());
    let sandboxes: Vec<Breaker> = (0..100).map(|_| breaker(Some(store.clone()), &hand)).collect();
    for sandbox in &sandboxes {
        succeed(sandbox).await.unwrap();
    }
    for _ in 0..5 {
        fail(&sandboxes[0]).await;
    }
    assert_eq!(store.writes.load(Ordering::SeqCst), 1);
    // The others see it when their view is too old, and need no failure of their own.
    hand.advance(VIEW_LIFETIME);
    for sandbox in &sandboxes[1..] {
        assert!(refused_by_breaker(&succeed(sandbox).await.unwrap_err()));
    }
    assert_eq!(store.writes.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn the_local_view_spares_the_store() {
    let hand = Hand::default();
    let store = Arc::new(Counting::default());
    let breaker = breaker(Some(store.clone()), &hand);
    for _ in 0..100 {
        succeed(&breaker).await.unwrap();
    }
    assert_eq!(store.reads.load(Ordering::SeqCst), 1);
    hand.advance(VIEW_LIFETIME);
    succeed(&breaker).await.unwrap();
    assert_eq!(store.reads.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn without_its_store_a_breaker_goes_by_what_it_saw() {
    let hand = Hand::default();
    let faults = Faults::default();
    faults.decide_by(|_| Some(When::Before));
    let breaker = breaker(Some(Arc::new(Breakers::new(faults))), &hand);
    succeed(&breaker).await.unwrap();
    for _ in 0..5 {
        fail(&breaker).await;
    }
    assert!(refused_by_breaker(&fail(&breaker).await));
    hand.advance(RESET);
    succeed(&breaker).await.unwrap();
    assert_eq!(breaker.state(), State::Closed);
}

/// Never answers.
struct Hanging;

#[async_trait]
impl BreakerStore for Hanging {
    async fn read(&self, _: &str) -> Result<Option<BreakerRecord>> {
        std::future::pending().await
    }

    async fn open(&self, _: &str, _: Timestamp, _: Timestamp) -> Result<bool> {
        std::future::pending().await
    }

    async fn take_trial(&self, _: &str, _: &str, _: Timestamp, _: Timestamp) -> Result<bool> {
        std::future::pending().await
    }

    async fn release_trial(&self, _: &str, _: &str) -> Result<bool> {
        std::future::pending().await
    }

    async fn close(&self, _: &str) -> Result<()> {
        std::future::pending().await
    }
}

#[tokio::test]
async fn a_store_that_hangs_holds_a_call_up_for_its_time_and_no_longer() {
    let hand = Hand::default();
    let breaker = breaker(Some(Arc::new(Hanging)), &hand);
    let started = tokio::time::Instant::now();
    succeed(&breaker).await.unwrap();
    let took = started.elapsed();
    assert!(took >= STORE_TIMEOUT && took < STORE_TIMEOUT * 3, "{took:?}");
    // The view counts as fresh for its lifetime: the next call does not wait again.
    let started = tokio::time::Instant::now();
    succeed(&breaker).await.unwrap();
    assert!(started.elapsed() < STORE_TIMEOUT);
}

#[tokio::test]
async fn a_call_during_which_the_process_was_frozen_is_no_failure_of_the_service() {
    let hand = Hand::default();
    let breaker = breaker(None, &hand);
    let frozen = |by: Duration| {
        let hand = &hand;
        breaker.run("op", async move {
            hand.advance(by);
            Err::<(), _>(failure(OutageKind::Timeout))
        })
    };
    for _ in 0..20 {
        frozen(Duration::from_secs(3)).await.unwrap_err();
    }
    assert_eq!(breaker.state(), State::Closed);
    // Nor does it break the row of failures: nothing is known of the service.
    for _ in 0..4 {
        fail(&breaker).await;
    }
    frozen(Duration::from_secs(3)).await.unwrap_err();
    assert_eq!(breaker.state(), State::Closed);
    frozen(Duration::from_secs(1)).await.unwrap_err();
    assert_eq!(breaker.state(), State::Open, "a delay within what a busy machine has is not a freeze");
}

#[tokio::test]
async fn a_call_that_was_not_tried_for_lack_of_time_is_no_failure_of_the_service() {
    let breaker = breaker(None, &Hand::default());
    for _ in 0..20 {
        let untried = breaker.run("op", async { Err::<(), _>(failure(OutageKind::DeadlinePassed)) });
        untried.await.unwrap_err();
    }
    assert_eq!(breaker.state(), State::Closed);
}

#[tokio::test]
async fn trouble_of_this_process_is_no_failure_of_the_service() {
    let hand = Hand::default();
    let breaker = breaker(None, &hand);
    let troubled = || breaker.run("op", async { Err::<(), _>(failure(OutageKind::OwnTrouble)) });
    for _ in 0..20 {
        troubled().await.unwrap_err();
    }
    assert_eq!(breaker.state(), State::Closed);
    // Nor does it break the row of failures, or cost a trial: nothing is known of the service.
    for _ in 0..4 {
        fail(&breaker).await;
    }
    troubled().await.unwrap_err();
    fail(&breaker).await;
    assert_eq!(breaker.state(), State::Open);
    hand.advance(RESET);
    assert!(!refused_by_breaker(&troubled().await.unwrap_err()));
    succeed(&breaker).await.expect("the next trial passes at once");
    assert_eq!(breaker.state(), State::Closed);
}

async fn fail_at(breaker: &Breaker, target: &str) -> Error {
    breaker.run_for("op", target, async { Err::<(), _>(failure(OutageKind::ServerError)) }).await.unwrap_err()
}

#[tokio::test]
async fn failures_at_targets_count_once_for_each_and_a_success_forgets_them() {
    let breaker = breaker(None, &Hand::default());
    for _ in 0..30 {
        fail_at(&breaker, "t-1").await;
    }
    for number in 2..=9 {
        fail_at(&breaker, &format!("t-{number}")).await;
    }
    succeed(&breaker).await.unwrap();
    for number in 1..=9 {
        fail_at(&breaker, &format!("t-{number}")).await;
    }
    assert_eq!(breaker.state(), State::Closed);
    fail_at(&breaker, "t-10").await;
    assert_eq!(breaker.state(), State::Open);
}
