use std::sync::Arc;

use heal_runtime::Timestamp;
use heal_runtime::port::{ClaimKey, ClaimRequest, Finish, Reservation};

use super::{Claims, NOTHING_COOLING, finished, held};
use crate::contract::at_once;
use crate::contract::sample::{COOLDOWN_MS, LEASE_MS, T0, YEAR_MS, claim_key, holder, request, result};

/// When a lease taken at [`T0`] ends.
const LEASE_END: Timestamp = T0.plus_ms(LEASE_MS);

async fn take(store: &Claims, by: &str, now: Timestamp) -> Reservation {
    store.reserve(&request("run-1/step/1", by, now, &[])).await.unwrap()
}

async fn finish(store: &Claims, by: &str, now: Timestamp) -> Finish {
    store.finish(&claim_key("run-1/step/1"), &holder(by), now, &result("T-1"), &[]).await.unwrap()
}

async fn release(store: &Claims, by: &str) {
    store.release(&claim_key("run-1/step/1"), &holder(by)).await.unwrap();
}

pub async fn a_new_claim_is_held(store: Claims) {
    assert_eq!(take(&store, "a", T0).await, NOTHING_COOLING);
}

pub async fn a_live_claim_is_busy_for_another_holder(store: Claims) {
    take(&store, "a", T0).await;
    for now in [T0, T0.plus_ms(1), T0.plus_ms(LEASE_MS - 1)] {
        assert_eq!(take(&store, "b", now).await, Reservation::Busy { until: LEASE_END });
    }
    // The refused request has not changed the holder's claim.
    assert_eq!(finish(&store, "a", T0.plus_ms(LEASE_MS - 1)).await, Finish::Stored);
}

pub async fn the_same_request_twice_answers_the_same(store: Claims) {
    store.reserve(&request("run-2/step/1", "other", T0, &["T-2"])).await.unwrap();
    let twice = request("run-1/step/1", "a", T0.plus_ms(1), &["T-1", "T-2"]);
    let first = store.reserve(&twice).await.unwrap();
    assert_eq!(first, held(false, &[("T-2", T0.plus_ms(COOLDOWN_MS))]));
    assert_eq!(store.reserve(&twice).await.unwrap(), first);
}

pub async fn a_recovered_request_twice_answers_the_same(store: Claims) {
    take(&store, "a", T0).await;
    assert_eq!(take(&store, "b", LEASE_END).await, held(true, &[]));
    assert_eq!(take(&store, "b", LEASE_END).await, held(true, &[]));
}

pub async fn a_holder_asks_again_for_more_targets(store: Claims) {
    let first = request("run-1/step/1", "a", T0, &[]);
    assert_eq!(store.reserve(&first).await.unwrap(), NOTHING_COOLING);
    store.reserve(&request("run-2/step/1", "other", T0, &["T-2"])).await.unwrap();
    let more =
        ClaimRequest { lease_until: first.lease_until, ..request("run-1/step/1", "a", T0.plus_ms(9), &["T-1", "T-2"]) };
    let cool = T0.plus_ms(COOLDOWN_MS);
    assert_eq!(store.reserve(&more).await.unwrap(), held(false, &[("T-2", cool)]));
    let third = request("run-3/step/1", "c", T0.plus_ms(10), &["T-1"]);
    assert_eq!(store.reserve(&third).await.unwrap(), held(false, &[("T-1", cool.plus_ms(9))]));
    assert_eq!(finish(&store, "a", T0.plus_ms(LEASE_MS - 1)).await, Finish::Stored);
}

pub async fn a_finished_claim_answers_its_result(store: Claims) {
    take(&store, "a", T0).await;
    assert_eq!(finish(&store, "a", T0.plus_ms(5)).await, Finish::Stored);
    for (by, now) in [("a", T0.plus_ms(6)), ("b", T0.plus_ms(6)), ("c", T0.plus_ms(LEASE_MS * 1_000))] {
        assert_eq!(take(&store, by, now).await, finished(result("T-1")));
    }
}

pub async fn an_expired_claim_is_recovered_by_the_next_holder(store: Claims) {
    take(&store, "a", T0).await;
    assert_eq!(take(&store, "b", LEASE_END).await, held(true, &[]));
    let until = LEASE_END.plus_ms(LEASE_MS);
    assert_eq!(take(&store, "c", LEASE_END.plus_ms(1)).await, Reservation::Busy { until });
    assert_eq!(take(&store, "c", until).await, held(true, &[]));
    assert_eq!(finish(&store, "c", until).await, Finish::Stored);
}

pub async fn an_expired_claim_cannot_commit(store: Claims) {
    take(&store, "a", T0).await;
    assert_eq!(finish(&store, "a", LEASE_END).await, Finish::Lost);
    assert_eq!(finish(&store, "a", LEASE_END.plus_ms(1)).await, Finish::Lost);
    // Nothing was stored: the next holder recovers.
    assert_eq!(take(&store, "b", LEASE_END).await, held(true, &[]));
}

pub async fn a_claim_taken_over_cannot_commit_for_its_first_holder(store: Claims) {
    take(&store, "a", T0).await;
    take(&store, "b", LEASE_END).await;
    assert_eq!(finish(&store, "a", LEASE_END.plus_ms(1)).await, Finish::Lost);
    // Nor with a clock that is behind.
    assert_eq!(finish(&store, "a", T0.plus_ms(1)).await, Finish::Lost);
    assert_eq!(finish(&store, "b", LEASE_END.plus_ms(2)).await, Finish::Stored);
    assert_eq!(finish(&store, "a", LEASE_END.plus_ms(3)).await, Finish::Lost);
}

pub async fn a_repeated_finish_is_stored(store: Claims) {
    take(&store, "a", T0).await;
    finish(&store, "a", T0.plus_ms(1)).await;
    assert_eq!(finish(&store, "a", T0.plus_ms(2)).await, Finish::Stored);
    // The first call succeeded, however late its repetition is.
    assert_eq!(finish(&store, "a", LEASE_END.plus_ms(1)).await, Finish::Stored);
}

pub async fn a_second_result_is_lost(store: Claims) {
    take(&store, "a", T0).await;
    finish(&store, "a", T0.plus_ms(1)).await;
    let second =
        store.finish(&claim_key("run-1/step/1"), &holder("a"), T0.plus_ms(2), &result("T-2"), &[]).await.unwrap();
    assert_eq!(second, Finish::Lost);
    assert_eq!(take(&store, "b", T0.plus_ms(3)).await, finished(result("T-1")));
}

/// A clock ran a year ahead, and was put right.
pub async fn a_lease_from_the_future_lasts_a_lease_and_no_longer(store: Claims) {
    take(&store, "a", T0.plus_ms(YEAR_MS)).await;
    assert_eq!(take(&store, "b", T0).await, Reservation::Busy { until: LEASE_END });
    let before = Timestamp(LEASE_END.0 - 1);
    assert_eq!(take(&store, "b", before).await, Reservation::Busy { until: LEASE_END });
    assert_eq!(take(&store, "b", LEASE_END).await, held(true, &[]));
    assert_eq!(finish(&store, "a", LEASE_END).await, Finish::Lost);
}

pub async fn a_claim_that_does_not_exist_cannot_commit(store: Claims) {
    assert_eq!(finish(&store, "a", T0).await, Finish::Lost);
    assert_eq!(take(&store, "b", T0).await, NOTHING_COOLING);
}

pub async fn a_released_claim_is_free(store: Claims) {
    take(&store, "a", T0).await;
    release(&store, "a").await;
    release(&store, "a").await;
    assert_eq!(finish(&store, "a", T0.plus_ms(1)).await, Finish::Lost);
    assert_eq!(take(&store, "b", T0.plus_ms(1)).await, NOTHING_COOLING);
}

pub async fn a_release_by_another_holder_changes_nothing(store: Claims) {
    take(&store, "a", T0).await;
    release(&store, "b").await;
    assert_eq!(take(&store, "b", T0.plus_ms(1)).await, Reservation::Busy { until: LEASE_END });
    take(&store, "b", LEASE_END).await;
    // The first holder has nothing left to release.
    release(&store, "a").await;
    assert_eq!(finish(&store, "b", LEASE_END.plus_ms(1)).await, Finish::Stored);
}

pub async fn a_finished_claim_cannot_be_released(store: Claims) {
    take(&store, "a", T0).await;
    finish(&store, "a", T0.plus_ms(1)).await;
    release(&store, "a").await;
    assert_eq!(take(&store, "b", T0.plus_ms(2)).await, finished(result("T-1")));
}

pub async fn a_released_recovery_is_still_a_recovery(store: Claims) {
    take(&store, "a", T0).await;
    take(&store, "b", LEASE_END).await;
    release(&store, "b").await;
    assert_eq!(finish(&store, "b", LEASE_END.plus_ms(1)).await, Finish::Lost);
    // Free at once, but the first holder's possible effect is not forgotten.
    assert_eq!(take(&store, "c", LEASE_END.plus_ms(1)).await, held(true, &[]));
}

pub async fn claims_of_other_actions_and_attempts_are_separate(store: Claims) {
    take(&store, "a", T0).await;
    let other_attempt = request("run-1/step/2", "b", T0, &[]);
    assert_eq!(store.reserve(&other_attempt).await.unwrap(), NOTHING_COOLING);
    let key = ClaimKey { action: "restart_pod".to_owned(), ..claim_key("run-1/step/1") };
    let other_action = ClaimRequest { key, ..request("run-1/step/1", "c", T0, &[]) };
    assert_eq!(store.reserve(&other_action).await.unwrap(), NOTHING_COOLING);
}

pub async fn concurrent_holders_of_one_attempt_let_one_through(store: Claims) {
    let contend = |index: usize| {
        let port = Arc::clone(&store.port);
        async move { port.reserve(&request("run-1/step/1", &format!("worker-{index}"), T0, &["T-1"])).await.unwrap() }
    };
    let answers = at_once((0..100).map(contend)).await;
    assert_eq!(answers.iter().filter(|answer| **answer == NOTHING_COOLING).count(), 1);
    assert_eq!(answers.iter().filter(|answer| **answer == Reservation::Busy { until: LEASE_END }).count(), 99);
}
