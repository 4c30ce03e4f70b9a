use heal_runtime::Timestamp;
use heal_runtime::port::{Finish, Reservation};

use super::{Claims, NOTHING_COOLING, held, last_touched, last_touched_before, reserve};
use crate::contract::sample::{COOLDOWN_MS, LEASE_MS, T0, claim_key, holder, request, result, target};

/// When a cooldown reserved at [`T0`] ends.
const COOL: Timestamp = T0.plus_ms(COOLDOWN_MS);

/// Finishes `attempt`, which touched all its targets except those of `proven_not_applied`.
async fn finish(store: &Claims, attempt: &str, now: Timestamp, proven_not_applied: &[&str]) -> Finish {
    let by = holder(&format!("worker of {attempt}"));
    let proven_not_applied: Vec<_> = proven_not_applied.iter().map(|name| target(name)).collect();
    store.finish(&claim_key(attempt), &by, now, &result("T-1"), &proven_not_applied).await.unwrap()
}

pub async fn a_target_proven_untouched_is_free_at_once(store: Claims) {
    reserve(&store, "run-1/step/1", T0, &["T-1", "T-2"]).await;
    assert_eq!(finish(&store, "run-1/step/1", T0.plus_ms(1), &["T-2"]).await, Finish::Stored);
    assert_eq!(last_touched(&store, "T-1").await, Some(T0));
    assert_eq!(last_touched(&store, "T-2").await, None);
    let next = reserve(&store, "run-2/step/1", T0.plus_ms(2), &["T-1", "T-2"]).await;
    assert_eq!(next, held(false, &[("T-1", COOL)]));
}

pub async fn a_release_frees_its_targets(store: Claims) {
    reserve(&store, "run-1/step/1", T0, &["T-1", "T-2"]).await;
    store.release(&claim_key("run-1/step/1"), &holder("worker of run-1/step/1")).await.unwrap();
    assert_eq!(last_touched(&store, "T-1").await, None);
    assert_eq!(reserve(&store, "run-2/step/1", T0.plus_ms(1), &["T-1", "T-2"]).await, NOTHING_COOLING);
    // A repeated release frees nothing of other attempts.
    store.release(&claim_key("run-1/step/1"), &holder("worker of run-1/step/1")).await.unwrap();
    let third = reserve(&store, "run-3/step/1", T0.plus_ms(2), &["T-1"]).await;
    assert_eq!(third, held(false, &[("T-1", COOL.plus_ms(1))]));
}

pub async fn a_released_recovery_keeps_the_earlier_holders_targets(store: Claims) {
    reserve(&store, "run-1/step/1", T0, &["T-1"]).await;
    let taken_over = T0.plus_ms(LEASE_MS);
    store.reserve(&request("run-1/step/1", "next", taken_over, &["T-1", "T-2"])).await.unwrap();
    store.release(&claim_key("run-1/step/1"), &holder("next")).await.unwrap();
    // The first holder may have touched T-1; T-2 was only the second one's.
    let other = reserve(&store, "run-2/step/1", taken_over.plus_ms(1), &["T-1", "T-2"]).await;
    assert_eq!(other, held(false, &[("T-1", COOL.plus_ms(LEASE_MS))]));
    // The attempt itself continues.
    let third = store.reserve(&request("run-1/step/1", "third", taken_over.plus_ms(2), &["T-1"])).await.unwrap();
    assert_eq!(third, held(true, &[]));
}

pub async fn a_freed_target_has_its_touch_before(store: Claims) {
    reserve(&store, "run-1/step/1", T0, &["T-1"]).await;
    finish(&store, "run-1/step/1", T0.plus_ms(1), &[]).await;
    for (attempt, by_finish) in [("run-2/step/1", true), ("run-3/step/1", false)] {
        assert_eq!(reserve(&store, attempt, COOL, &["T-1"]).await, NOTHING_COOLING);
        assert_eq!(last_touched_before(&store, attempt, "T-1").await, Some(T0));
        if by_finish {
            finish(&store, attempt, COOL.plus_ms(1), &["T-1"]).await;
        } else {
            store.release(&claim_key(attempt), &holder(&format!("worker of {attempt}"))).await.unwrap();
        }
        assert_eq!(last_touched(&store, "T-1").await, Some(T0));
    }
    reserve(&store, "run-4/step/1", COOL.plus_ms(9), &["T-1"]).await;
    finish(&store, "run-4/step/1", COOL.plus_ms(10), &[]).await;
    assert_eq!(last_touched(&store, "T-1").await, Some(COOL.plus_ms(9)));
}

pub async fn no_attempt_frees_a_target_of_another(store: Claims) {
    reserve(&store, "run-1/step/1", T0, &["T-1"]).await;
    reserve(&store, "run-2/step/1", T0, &["T-1"]).await;
    finish(&store, "run-2/step/1", T0.plus_ms(1), &["T-1"]).await;
    let expected = held(false, &[("T-1", COOL)]);
    assert_eq!(reserve(&store, "run-3/step/1", T0.plus_ms(2), &["T-1"]).await, expected);
    store.release(&claim_key("run-3/step/1"), &holder("worker of run-3/step/1")).await.unwrap();
    assert_eq!(reserve(&store, "run-4/step/1", T0.plus_ms(3), &["T-1"]).await, expected);
}

pub async fn a_lost_finish_frees_nothing(store: Claims) {
    reserve(&store, "run-1/step/1", T0, &["T-1"]).await;
    assert_eq!(finish(&store, "run-1/step/1", T0.plus_ms(LEASE_MS), &["T-1"]).await, Finish::Lost);
    let other = reserve(&store, "run-2/step/1", T0.plus_ms(LEASE_MS), &["T-1"]).await;
    assert_eq!(other, held(false, &[("T-1", COOL)]));
}

pub async fn a_finished_claim_keeps_its_targets_cooling(store: Claims) {
    reserve(&store, "run-1/step/1", T0, &["T-1"]).await;
    finish(&store, "run-1/step/1", T0.plus_ms(1), &[]).await;
    store.release(&claim_key("run-1/step/1"), &holder("worker of run-1/step/1")).await.unwrap();
    // A repeated finish cannot release further targets.
    finish(&store, "run-1/step/1", T0.plus_ms(2), &["T-1"]).await;
    let other: Reservation = reserve(&store, "run-2/step/1", T0.plus_ms(3), &["T-1"]).await;
    assert_eq!(other, held(false, &[("T-1", COOL)]));
}
