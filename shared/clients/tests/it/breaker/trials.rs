//! The trial calls of an open breaker.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use heal_clients::breaker::{Breaker, State, VIEW_LIFETIME};
use heal_clients::{Error, OutageKind};
use heal_runtime::port::BreakerStore;
use heal_testkit::memory::Breakers;

use super::{Counting, RESET, breaker, fail, fail_at, failure, refused_by_breaker, succeed};
use crate::support::Hand;

#[tokio::test]
async fn a_failed_trial_opens_for_another_minute() {
    let hand = Hand::default();
    let breaker = breaker(None, &hand);
    for _ in 0..5 {
        fail(&breaker).await;
    }
    hand.advance(RESET);
    assert!(!refused_by_breaker(&fail(&breaker).await), "the trial goes through");
    assert!(refused_by_breaker(&fail(&breaker).await));
    hand.advance(Duration::from_millis(59_999));
    assert!(refused_by_breaker(&fail(&breaker).await));
    hand.advance(Duration::from_millis(1));
    succeed(&breaker).await.unwrap();
    assert_eq!(breaker.state(), State::Closed);
    for _ in 0..4 {
        fail(&breaker).await;
    }
    assert_eq!(breaker.state(), State::Closed, "the count starts anew after a trial");
}

#[tokio::test]
async fn of_many_processes_one_has_the_trial() {
    let hand = Hand::default();
    let store = Arc::new(Counting::default());
    let sandboxes: Vec<Breaker> = (0..20).map(|_| breaker(Some(store.clone()), &hand)).collect();
    for _ in 0..5 {
        fail(&sandboxes[0]).await;
    }
    hand.advance(RESET);
    let trials = AtomicUsize::new(0);
    let (done, wait) = tokio::sync::watch::channel(false);
    let calls = sandboxes.iter().map(|sandbox| {
        let mut wait = wait.clone();
        let trials = &trials;
        async move {
            sandbox
                .run("op", async {
                    trials.fetch_add(1, Ordering::SeqCst);
                    wait.wait_for(|done| *done).await.unwrap();
                    Ok(())
                })
                .await
        }
    });
    let finish = async {
        // All the others are refused before the trial ends.
        tokio::task::yield_now().await;
        done.send(true).unwrap();
    };
    let (results, ()) = futures_util::future::join(futures_util::future::join_all(calls), finish).await;
    assert_eq!(trials.load(Ordering::SeqCst), 1);
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
    hand.advance(VIEW_LIFETIME);
    for sandbox in &sandboxes {
        succeed(sandbox).await.unwrap();
    }
}

#[tokio::test]
async fn a_trial_whose_holder_vanished_is_granted_again() {
    let hand = Hand::default();
    let store: Arc<dyn BreakerStore> = Arc::new(Breakers::default());
    let (first, second) = (breaker(Some(store.clone()), &hand), breaker(Some(store), &hand));
    for _ in 0..5 {
        fail(&first).await;
    }
    hand.advance(RESET);
    let lost = first.run("op", std::future::pending::<std::result::Result<(), Error>>());
    assert!(tokio::time::timeout(Duration::from_millis(10), lost).await.is_err());
    assert!(refused_by_breaker(&succeed(&second).await.unwrap_err()));
    hand.advance(RESET);
    succeed(&second).await.unwrap();
    hand.advance(VIEW_LIFETIME);
    succeed(&first).await.unwrap();
}

#[tokio::test]
async fn a_trial_that_was_frozen_neither_closes_the_breaker_nor_opens_it_for_another_minute() {
    let hand = Hand::default();
    let breaker = breaker(None, &hand);
    for _ in 0..5 {
        fail(&breaker).await;
    }
    hand.advance(RESET);
    let trial = breaker.run("op", async {
        hand.advance(RESET);
        Err::<(), _>(failure(OutageKind::Timeout))
    });
    trial.await.unwrap_err();
    assert_eq!(breaker.state(), State::Open);
    succeed(&breaker).await.expect("the next trial passes at once");
    assert_eq!(breaker.state(), State::Closed);
}

#[tokio::test]
async fn a_trial_that_is_spent_on_a_bad_id_does_not_keep_good_calls_out() {
    let hand = Hand::default();
    let store: Arc<dyn BreakerStore> = Arc::new(Breakers::default());
    let (first, second) = (breaker(Some(store.clone()), &hand), breaker(Some(store.clone()), &hand));
    for _ in 0..5 {
        fail(&first).await;
    }
    hand.advance(RESET);
    for process in [&first, &second] {
        assert!(!refused_by_breaker(&fail_at(process, "bad").await), "it is the trial");
        assert_ne!(store.read("svc").await.unwrap(), None, "nor does it close the breaker");
    }
    succeed(&second).await.expect("the next call is a trial too");
    assert_eq!(store.read("svc").await.unwrap(), None);
}

#[tokio::test]
async fn a_service_that_fails_at_everything_gets_a_bounded_number_of_trials() {
    let hand = Hand::default();
    let breaker = breaker(None, &hand);
    for number in 0..10 {
        fail_at(&breaker, &format!("t-{number}")).await;
    }
    for _ in 0..3 {
        hand.advance(RESET);
        let mut trials = 0;
        while !refused_by_breaker(&fail_at(&breaker, &format!("t-{}", trials % 10)).await) {
            trials += 1;
            assert!(trials <= 10, "the breaker never opens again");
        }
        assert_eq!(trials, 10);
    }
    hand.advance(RESET);
    assert!(!refused_by_breaker(&fail_at(&breaker, "t-10").await));
    assert!(refused_by_breaker(&fail_at(&breaker, "t-0").await), "one target more is an outage");
}
