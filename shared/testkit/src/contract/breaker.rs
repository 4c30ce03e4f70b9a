//! The contract of [`BreakerStore`].

use std::sync::Arc;

use heal_runtime::Timestamp;
use heal_runtime::port::{BreakerRecord, BreakerStore};

use super::sample::T0;
use super::{Fixture, at_once};

/// A store of circuit breaker records, fresh and empty.
pub type Breakers = Fixture<dyn BreakerStore>;

/// One test per case of [`breaker`](crate::contract::breaker); `$fixture` gives a
/// [`Breakers`](crate::contract::breaker::Breakers).
#[macro_export]
macro_rules! breaker_store_contract {
    ($fixture:expr) => {
        $crate::contract_suite! { $fixture, breaker, [
            a_service_without_a_record_is_closed,
            an_opening_is_written_once,
            a_longer_opening_replaces_a_shorter_one,
            a_failed_trial_opens_it_again,
            concurrent_openings_are_written_once,
            no_trial_before_the_opening_ends,
            one_holder_has_the_trial,
            concurrent_holders_get_one_trial,
            an_expired_trial_goes_to_the_next_holder,
            a_released_trial_goes_to_the_next_holder_at_once,
            a_closed_service_needs_no_trial,
            services_are_separate,
        ] }
    };
}

/// When an opening of the cases ends.
const OPEN_UNTIL: Timestamp = T0.plus_ms(60_000);

const fn opened(open_until: Timestamp) -> BreakerRecord {
    BreakerRecord { opened_at: T0, open_until, trial: None }
}

async fn open(store: &Breakers) {
    assert!(store.open("ets", T0, OPEN_UNTIL).await.unwrap());
}

/// Whether `holder` gets the trial at `now`, for ten seconds.
async fn take(store: &Breakers, holder: &str, now: Timestamp) -> bool {
    store.take_trial("ets", holder, now, now.plus_ms(10_000)).await.unwrap()
}

pub async fn a_service_without_a_record_is_closed(store: Breakers) {
    assert_eq!(store.read("ets").await.unwrap(), None);
    store.close("ets").await.unwrap();
    assert_eq!(store.read("ets").await.unwrap(), None);
}

pub async fn an_opening_is_written_once(store: Breakers) {
    open(&store).await;
    assert_eq!(store.read("ets").await.unwrap(), Some(opened(OPEN_UNTIL)));
    assert!(!store.open("ets", T0.plus_ms(1), OPEN_UNTIL).await.unwrap());
    assert!(!store.open("ets", T0.plus_ms(1), Timestamp(OPEN_UNTIL.0 - 1)).await.unwrap());
    assert_eq!(store.read("ets").await.unwrap(), Some(opened(OPEN_UNTIL)));
}

pub async fn a_longer_opening_replaces_a_shorter_one(store: Breakers) {
    open(&store).await;
    assert!(store.open("ets", T0, OPEN_UNTIL.plus_ms(1)).await.unwrap());
    assert_eq!(store.read("ets").await.unwrap(), Some(opened(OPEN_UNTIL.plus_ms(1))));
}

pub async fn a_failed_trial_opens_it_again(store: Breakers) {
    open(&store).await;
    assert!(take(&store, "a", OPEN_UNTIL).await);
    let until = OPEN_UNTIL.plus_ms(60_000);
    assert!(store.open("ets", OPEN_UNTIL, until).await.unwrap());
    let record = BreakerRecord { opened_at: OPEN_UNTIL, open_until: until, trial: None };
    assert_eq!(store.read("ets").await.unwrap(), Some(record));
    assert!(!take(&store, "b", OPEN_UNTIL.plus_ms(1)).await);
    assert!(take(&store, "b", until).await);
}

pub async fn concurrent_openings_are_written_once(store: Breakers) {
    let open = |_| {
        let port = Arc::clone(&store.port);
        async move { port.open("ets", T0, OPEN_UNTIL).await.unwrap() }
    };
    let answers = at_once((0..100).map(open)).await;
    assert_eq!(answers.iter().filter(|wrote| **wrote).count(), 1);
}

pub async fn no_trial_before_the_opening_ends(store: Breakers) {
    open(&store).await;
    assert!(!take(&store, "a", Timestamp(OPEN_UNTIL.0 - 1)).await);
    assert_eq!(store.read("ets").await.unwrap(), Some(opened(OPEN_UNTIL)));
    assert!(take(&store, "a", OPEN_UNTIL).await);
    let trial = Some(("a".to_owned(), OPEN_UNTIL.plus_ms(10_000)));
    assert_eq!(store.read("ets").await.unwrap(), Some(BreakerRecord { opened_at: T0, open_until: OPEN_UNTIL, trial }));
}

pub async fn one_holder_has_the_trial(store: Breakers) {
    open(&store).await;
    assert!(take(&store, "a", OPEN_UNTIL).await);
    assert!(!take(&store, "b", OPEN_UNTIL).await);
    // The holder's own request again, after a lost answer.
    assert!(take(&store, "a", OPEN_UNTIL).await);
    assert!(!take(&store, "b", OPEN_UNTIL.plus_ms(9_999)).await);
}

pub async fn concurrent_holders_get_one_trial(store: Breakers) {
    open(&store).await;
    let take = |index: usize| {
        let port = Arc::clone(&store.port);
        async move {
            let holder = format!("sandbox-{index}");
            port.take_trial("ets", &holder, OPEN_UNTIL, OPEN_UNTIL.plus_ms(10_000)).await.unwrap()
        }
    };
    let answers = at_once((0..100).map(take)).await;
    assert_eq!(answers.iter().filter(|taken| **taken).count(), 1);
}

pub async fn an_expired_trial_goes_to_the_next_holder(store: Breakers) {
    open(&store).await;
    assert!(take(&store, "a", OPEN_UNTIL).await);
    assert!(take(&store, "b", OPEN_UNTIL.plus_ms(10_000)).await);
    assert!(!take(&store, "a", OPEN_UNTIL.plus_ms(10_001)).await);
}

pub async fn a_released_trial_goes_to_the_next_holder_at_once(store: Breakers) {
    assert!(!store.release_trial("ets", "a").await.unwrap());
    open(&store).await;
    assert!(!store.release_trial("ets", "a").await.unwrap());
    assert!(take(&store, "a", OPEN_UNTIL).await);
    assert!(!store.release_trial("ets", "b").await.unwrap());
    assert!(!take(&store, "b", OPEN_UNTIL).await);
    assert!(store.release_trial("ets", "a").await.unwrap());
    assert_eq!(store.read("ets").await.unwrap(), Some(opened(OPEN_UNTIL)));
    assert!(take(&store, "b", OPEN_UNTIL).await);
}

pub async fn a_closed_service_needs_no_trial(store: Breakers) {
    assert!(!take(&store, "a", OPEN_UNTIL).await);
    open(&store).await;
    take(&store, "a", OPEN_UNTIL).await;
    store.close("ets").await.unwrap();
    assert_eq!(store.read("ets").await.unwrap(), None);
    assert!(!take(&store, "b", OPEN_UNTIL).await);
    open(&store).await;
}

pub async fn services_are_separate(store: Breakers) {
    open(&store).await;
    assert_eq!(store.read("orchestrator").await.unwrap(), None);
    assert!(store.open("orchestrator", T0, Timestamp(OPEN_UNTIL.0 - 1)).await.unwrap());
    store.close("orchestrator").await.unwrap();
    assert_eq!(store.read("ets").await.unwrap(), Some(opened(OPEN_UNTIL)));
}
