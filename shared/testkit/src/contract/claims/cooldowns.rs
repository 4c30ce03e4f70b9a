use std::sync::Arc;

use heal_runtime::Timestamp;
use heal_runtime::port::{ClaimRequest, CooldownKey, CooldownRequest, Finish, Reservation};

use super::{Claims, NOTHING_COOLING, held, last_touched, last_touched_before, reserve};
use crate::contract::at_once;
use crate::contract::sample::{COOLDOWN_MS, LEASE_MS, T0, YEAR_MS, claim_key, holder, request, result, target};

/// When a cooldown reserved at [`T0`] ends.
const COOL: Timestamp = T0.plus_ms(COOLDOWN_MS);

pub async fn two_hundred_concurrent_attempts_on_one_target_let_one_through(store: Claims) {
    let contend = |index: usize| {
        let port = Arc::clone(&store.port);
        async move {
            let attempt = format!("run-{index}/step/1");
            port.reserve(&request(&attempt, &format!("worker-{index}"), T0, &["T-1"])).await.unwrap()
        }
    };
    let answers = at_once((0..200).map(contend)).await;
    assert_eq!(answers.iter().filter(|answer| **answer == NOTHING_COOLING).count(), 1);
    assert_eq!(answers.iter().filter(|answer| **answer == held(false, &[("T-1", COOL)])).count(), 199);
}

pub async fn a_reserved_target_cools_until_its_end(store: Claims) {
    reserve(&store, "run-1/step/1", T0, &["T-1"]).await;
    let before = Timestamp(COOL.0 - 1);
    assert_eq!(reserve(&store, "run-2/step/1", before, &["T-1"]).await, held(false, &[("T-1", COOL)]));
    assert_eq!(reserve(&store, "run-3/step/1", COOL, &["T-1"]).await, NOTHING_COOLING);
    let next = COOL.plus_ms(COOLDOWN_MS);
    assert_eq!(reserve(&store, "run-4/step/1", COOL, &["T-1"]).await, held(false, &[("T-1", next)]));
}

/// A clock ran a year ahead, and was put right.
pub async fn a_reservation_from_the_future_lasts_its_length_and_no_longer(store: Claims) {
    reserve(&store, "run-1/step/1", T0.plus_ms(YEAR_MS), &["T-1"]).await;
    assert_eq!(reserve(&store, "run-2/step/1", T0, &["T-1"]).await, held(false, &[("T-1", COOL)]));
    // The end is written down: it does not move away from whoever waits for it.
    let before = Timestamp(COOL.0 - 1);
    assert_eq!(reserve(&store, "run-3/step/1", before, &["T-1"]).await, held(false, &[("T-1", COOL)]));
    assert_eq!(last_touched(&store, "T-1").await, Some(T0));
    assert_eq!(reserve(&store, "run-4/step/1", COOL, &["T-1"]).await, NOTHING_COOLING);
}

pub async fn only_the_targets_that_are_not_cooling_are_reserved(store: Claims) {
    reserve(&store, "run-1/step/1", T0, &["T-2"]).await;
    let batch = reserve(&store, "run-2/step/1", T0.plus_ms(10), &["T-1", "T-2", "T-3"]).await;
    assert_eq!(batch, held(false, &[("T-2", COOL)]));
    let later = COOL.plus_ms(10);
    let third = reserve(&store, "run-3/step/1", T0.plus_ms(20), &["T-1", "T-2", "T-3"]).await;
    assert_eq!(third, held(false, &[("T-1", later), ("T-2", COOL), ("T-3", later)]));
}

pub async fn a_target_named_twice_is_reserved_once(store: Claims) {
    assert_eq!(reserve(&store, "run-1/step/1", T0, &["T-1", "T-1"]).await, NOTHING_COOLING);
    assert_eq!(reserve(&store, "run-2/step/1", T0, &["T-1"]).await, held(false, &[("T-1", COOL)]));
}

pub async fn a_claim_that_is_not_held_reserves_no_target(store: Claims) {
    reserve(&store, "run-1/step/1", T0, &[]).await;
    let busy = store.reserve(&request("run-1/step/1", "another", T0, &["T-1"])).await.unwrap();
    assert_eq!(busy, Reservation::Busy { until: T0.plus_ms(LEASE_MS) });
    let key = claim_key("run-1/step/1");
    store.finish(&key, &holder("worker of run-1/step/1"), T0, &result("T-1"), &[]).await.unwrap();
    let answered = store.reserve(&request("run-1/step/1", "another", T0, &["T-1"])).await.unwrap();
    assert!(matches!(answered, Reservation::Finished(_)), "{answered:?}");
    assert_eq!(reserve(&store, "run-2/step/1", T0, &["T-1"]).await, NOTHING_COOLING);
}

pub async fn targets_of_the_same_attempt_are_not_cooling(store: Claims) {
    reserve(&store, "run-1/step/1", T0, &["T-1"]).await;
    let recovered =
        store.reserve(&request("run-1/step/1", "next", T0.plus_ms(LEASE_MS), &["T-1", "T-2"])).await.unwrap();
    assert_eq!(recovered, held(true, &[]));
    // The next attempt of the same step is another attempt.
    let next = reserve(&store, "run-1/step/2", T0.plus_ms(LEASE_MS), &["T-2"]).await;
    assert_eq!(next, held(false, &[("T-2", COOL.plus_ms(LEASE_MS))]));
}

pub async fn a_recovered_reservation_cools_from_its_last_reserve(store: Claims) {
    reserve(&store, "run-1/step/1", T0, &["T-1"]).await;
    store.reserve(&request("run-1/step/1", "next", T0.plus_ms(LEASE_MS), &["T-1"])).await.unwrap();
    let end = COOL.plus_ms(LEASE_MS);
    assert_eq!(reserve(&store, "run-2/step/1", COOL, &["T-1"]).await, held(false, &[("T-1", end)]));
    assert_eq!(reserve(&store, "run-3/step/1", end, &["T-1"]).await, NOTHING_COOLING);
}

pub async fn cooldowns_of_other_actions_are_separate(store: Claims) {
    reserve(&store, "run-1/step/1", T0, &["T-1"]).await;
    let key = CooldownKey { action: "restart_pod".to_owned(), ..target("T-1") };
    let cooldowns = vec![CooldownRequest { key, cooldown_ms: COOLDOWN_MS }];
    let other = ClaimRequest { cooldowns, ..request("run-2/step/1", "a", T0, &[]) };
    assert_eq!(store.reserve(&other).await.unwrap(), NOTHING_COOLING);
}

pub async fn a_batch_of_a_hundred_targets_is_reserved_whole(store: Claims) {
    let names: Vec<String> = (0..100).map(|index| format!("T-{index:03}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    assert_eq!(reserve(&store, "run-1/step/1", T0, &names).await, NOTHING_COOLING);
    let all: Vec<(&str, Timestamp)> = names.iter().map(|name| (*name, COOL)).collect();
    assert_eq!(reserve(&store, "run-2/step/1", T0, &names).await, held(false, &all));
}

pub async fn a_target_never_touched_has_no_last_touch(store: Claims) {
    reserve(&store, "run-1/step/1", T0, &["T-1"]).await;
    assert_eq!(last_touched(&store, "T-2").await, None);
    assert_eq!(store.last_touched(&[], &claim_key("run-1/step/1")).await.unwrap(), vec![]);
}

async fn finish(store: &Claims, attempt: &str, now: Timestamp) {
    let by = holder(&format!("worker of {attempt}"));
    let stored = store.finish(&claim_key(attempt), &by, now, &result("T-1"), &[]).await.unwrap();
    assert_eq!(stored, Finish::Stored);
}

pub async fn a_finished_attempt_touched_its_targets(store: Claims) {
    reserve(&store, "run-1/step/1", T0, &["T-1"]).await;
    finish(&store, "run-1/step/1", T0.plus_ms(5)).await;
    // The last touch is the time of the reservation, when the cooldown began.
    assert_eq!(last_touched(&store, "T-1").await, Some(T0));
    // A refused reservation is not a touch.
    reserve(&store, "run-2/step/1", T0.plus_ms(6), &["T-1"]).await;
    finish(&store, "run-2/step/1", T0.plus_ms(7)).await;
    assert_eq!(last_touched(&store, "T-1").await, Some(T0));
}

pub async fn an_open_attempt_of_another_counts_as_a_touch(store: Claims) {
    reserve(&store, "run-1/step/1", T0, &["T-1"]).await;
    assert_eq!(last_touched(&store, "T-1").await, Some(T0));
    // Also after its lease: the effect may have happened before the worker died.
    store.reserve(&request("run-1/step/1", "next", T0.plus_ms(LEASE_MS), &["T-1"])).await.unwrap();
    assert_eq!(last_touched(&store, "T-1").await, Some(T0.plus_ms(LEASE_MS)));
}

pub async fn an_attempt_is_not_blocked_by_its_own_reservation(store: Claims) {
    reserve(&store, "run-1/step/1", T0, &["T-1"]).await;
    assert_eq!(last_touched_before(&store, "run-1/step/1", "T-1").await, None);
    finish(&store, "run-1/step/1", T0.plus_ms(1)).await;
    reserve(&store, "run-2/step/1", COOL, &["T-1"]).await;
    // The attempt sees the touch before its own, however often it has reserved.
    store.reserve(&request("run-2/step/1", "next", COOL.plus_ms(LEASE_MS), &["T-1"])).await.unwrap();
    assert_eq!(last_touched_before(&store, "run-2/step/1", "T-1").await, Some(T0));
    // The next attempt of the same step is another attempt.
    assert_eq!(last_touched_before(&store, "run-2/step/2", "T-1").await, Some(COOL.plus_ms(LEASE_MS)));
}

pub async fn last_touches_come_in_the_order_of_the_keys(store: Claims) {
    for (attempt, now, name) in [("run-1/step/1", T0, "T-1"), ("run-2/step/1", T0.plus_ms(9), "T-2")] {
        reserve(&store, attempt, now, &[name]).await;
        finish(&store, attempt, now).await;
    }
    let keys = ["T-2", "T-3", "T-1", "T-2"].map(target);
    let touched = [Some(T0.plus_ms(9)), None, Some(T0), Some(T0.plus_ms(9))];
    assert_eq!(store.last_touched(&keys, &claim_key("run-3/step/1")).await.unwrap(), touched);
}
