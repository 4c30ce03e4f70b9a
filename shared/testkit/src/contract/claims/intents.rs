use heal_runtime::Timestamp;
use heal_runtime::port::{Finish, Reservation};
use serde_json::{Value, json};

use super::{Claims, NOTHING_COOLING, held};
use crate::contract::sample::{LEASE_MS, T0, claim_key, holder, request, result};

/// When a lease taken at [`T0`] ends.
const LEASE_END: Timestamp = T0.plus_ms(LEASE_MS);

async fn take(store: &Claims, by: &str, now: Timestamp) -> Reservation {
    store.reserve(&request("run-1/step/1", by, now, &["T-1"])).await.unwrap()
}

async fn intend(store: &Claims, by: &str, now: Timestamp, intent: &Value) -> Finish {
    store.intend(&claim_key("run-1/step/1"), &holder(by), now, intent).await.unwrap()
}

async fn intent(store: &Claims) -> Option<Value> {
    store.intent(&claim_key("run-1/step/1")).await.unwrap()
}

/// With characters that need escaping, and of more than one kilobyte.
fn first() -> Value {
    json!({"uid": "a \"quoted\" é", "siblings": (0..60).map(|at| format!("{at:036}")).collect::<Vec<_>>()})
}

pub async fn a_new_claim_has_no_intent(store: Claims) {
    assert_eq!(intent(&store).await, None);
    take(&store, "a", T0).await;
    assert_eq!(intent(&store).await, None);
}

pub async fn an_intent_outlives_its_holder(store: Claims) {
    take(&store, "a", T0).await;
    assert_eq!(intend(&store, "a", T0.plus_ms(1), &first()).await, Finish::Stored);
    assert_eq!(intent(&store).await, Some(first()));
    // A renewal keeps it, and so does the next holder's claim.
    assert_eq!(take(&store, "a", T0.plus_ms(2)).await, NOTHING_COOLING);
    let end = LEASE_END.plus_ms(2);
    assert_eq!(take(&store, "b", end).await, held(true, &[]));
    assert_eq!(intent(&store).await, Some(first()));
    let other_attempt = store.intent(&claim_key("run-1/step/2")).await.unwrap();
    assert_eq!(other_attempt, None);
}

pub async fn a_later_intent_replaces_the_one_before(store: Claims) {
    take(&store, "a", T0).await;
    for stored in [first(), json!({"uid": "b"}), json!({"uid": "b"})] {
        assert_eq!(intend(&store, "a", T0.plus_ms(1), &stored).await, Finish::Stored);
        assert_eq!(intent(&store).await, Some(stored));
    }
    take(&store, "b", LEASE_END).await;
    assert_eq!(intend(&store, "b", LEASE_END.plus_ms(1), &json!("c")).await, Finish::Stored);
    assert_eq!(intent(&store).await, Some(json!("c")));
}

pub async fn only_the_holder_of_a_live_claim_stores_an_intent(store: Claims) {
    assert_eq!(intend(&store, "a", T0, &first()).await, Finish::Lost);
    take(&store, "a", T0).await;
    assert_eq!(intend(&store, "b", T0.plus_ms(1), &first()).await, Finish::Lost);
    assert_eq!(intend(&store, "a", LEASE_END, &first()).await, Finish::Lost);
    take(&store, "b", LEASE_END).await;
    assert_eq!(intend(&store, "a", T0.plus_ms(1), &first()).await, Finish::Lost);
    assert_eq!(intent(&store).await, None);
    let now = LEASE_END.plus_ms(1);
    assert_eq!(
        store.finish(&claim_key("run-1/step/1"), &holder("b"), now, &result("T-1"), &[]).await.unwrap(),
        Finish::Stored
    );
    assert_eq!(intend(&store, "b", now, &first()).await, Finish::Lost);
}

pub async fn a_released_claim_has_no_intent_and_a_released_recovery_keeps_it(store: Claims) {
    let release = |by: &str| {
        let by = holder(by);
        let store = &store;
        async move { store.release(&claim_key("run-1/step/1"), &by).await.unwrap() }
    };
    take(&store, "a", T0).await;
    intend(&store, "a", T0.plus_ms(1), &json!("not done")).await;
    release("a").await;
    take(&store, "b", T0.plus_ms(2)).await;
    assert_eq!(intent(&store).await, None, "whoever releases a claim has done nothing");
    intend(&store, "b", T0.plus_ms(3), &first()).await;
    let end = LEASE_END.plus_ms(2);
    assert_eq!(take(&store, "c", end).await, held(true, &[]));
    release("c").await;
    assert_eq!(take(&store, "d", end.plus_ms(1)).await, held(true, &[]));
    assert_eq!(intent(&store).await, Some(first()));
}
