use std::sync::Arc;

use heal_runtime::Timestamp;
use heal_runtime::port::{
    BudgetKey, BudgetRequest, BudgetUse, ClaimRequest, Cooling, Finish, Peeked, Reservation, Stage,
};
use serde_json::json;

use super::{Claims, NOTHING_COOLING, held, last_touched, reserve};
use crate::contract::at_once;
use crate::contract::sample::{COOLDOWN_MS, LEASE_MS, T0, claim_key, holder, request, result, target};

/// How long a sample's place is taken.
const WINDOW_MS: u64 = 3_600_000;

fn budget(name: &str) -> BudgetKey {
    BudgetKey { name: name.to_owned(), key: "all # \"quoted\"".to_owned() }
}

fn place(name: &str, budget_name: &str, max: u32) -> BudgetRequest {
    BudgetRequest { target: target(name), key: budget(budget_name), max, window_ms: WINDOW_MS }
}

/// A request by the attempt's only worker for a place for each target in one budget, without cooldowns.
fn places(attempt: &str, now: Timestamp, names: &[&str], max: u32) -> ClaimRequest {
    let budgets = names.iter().map(|name| place(name, "restarts", max)).collect();
    ClaimRequest { budgets, ..request(attempt, &format!("worker of {attempt}"), now, &[]) }
}

fn uses(reservation: Reservation) -> Vec<BudgetUse> {
    match reservation {
        Reservation::Held { budgets, .. } => budgets,
        other @ (Reservation::Busy { .. } | Reservation::Finished(_)) => panic!("not held: {other:?}"),
    }
}

/// How many places were taken before each of the targets, and when the next is free if there was none.
async fn take(store: &Claims, wanted: &ClaimRequest) -> Vec<(u32, Option<Timestamp>)> {
    let uses = uses(store.reserve(wanted).await.unwrap());
    uses.into_iter().map(|one| (one.used, one.full_until)).collect()
}

pub async fn two_hundred_concurrent_attempts_on_one_budget_let_as_many_through_as_it_has_places(store: Claims) {
    let contend = |index: usize| {
        let port = Arc::clone(&store.port);
        async move {
            let wanted = places(&format!("run-{index}/step/1"), T0, &[&format!("T-{index}")], 7);
            // A store that other writers outran answers that it is unavailable: then the command is delivered again.
            loop {
                if let Ok(answer) = port.reserve(&wanted).await {
                    return uses(answer).remove(0);
                }
            }
        }
    };
    let answers = at_once((0..200).map(contend)).await;
    let mut taken: Vec<u32> = answers.iter().filter(|one| one.full_until.is_none()).map(|one| one.used).collect();
    taken.sort_unstable();
    assert_eq!(taken, [0, 1, 2, 3, 4, 5, 6]);
    let full = |one: &&BudgetUse| one.used == 7 && one.full_until == Some(T0.plus_ms(WINDOW_MS));
    assert_eq!(answers.iter().filter(full).count(), 193);
}

pub async fn a_budgets_window_slides(store: Claims) {
    for (attempt, at, answer) in [
        ("run-1/step/1", T0, (0, None)),
        ("run-2/step/1", T0.plus_ms(600), (1, None)),
        ("run-3/step/1", T0.plus_ms(WINDOW_MS - 1), (2, Some(T0.plus_ms(WINDOW_MS)))),
        ("run-3/step/1", T0.plus_ms(WINDOW_MS), (1, None)),
        ("run-4/step/1", T0.plus_ms(WINDOW_MS + 1), (2, Some(T0.plus_ms(WINDOW_MS + 600)))),
    ] {
        assert_eq!(take(&store, &places(attempt, at, &["T-1"], 2)).await, [answer], "{attempt} at {at:?}");
    }
}

pub async fn a_batch_takes_the_places_that_there_are(store: Claims) {
    let names: Vec<String> = (0..30).map(|index| format!("T-{index:02}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let batch = places("run-1/step/1", T0, &names, 20);
    let answers = take(&store, &batch).await;
    let expected: Vec<_> =
        (0..30).map(|index| if index < 20 { (index, None) } else { (20, Some(T0.plus_ms(WINDOW_MS))) }).collect();
    assert_eq!(answers, expected);
    assert_eq!(take(&store, &batch).await, expected, "the same request has the same answer");
}

pub async fn budgets_of_other_names_and_keys_are_separate(store: Claims) {
    take(&store, &places("run-1/step/1", T0, &["T-1"], 1)).await;
    let of_another_key = BudgetKey { key: "other".to_owned(), ..budget("restarts") };
    for (attempt, key) in [("run-2/step/1", budget("pauses")), ("run-3/step/1", of_another_key)] {
        let mut other = places(attempt, T0, &["T-1"], 1);
        other.budgets[0].key = key;
        assert_eq!(take(&store, &other).await, [(0, None)]);
    }
}

pub async fn a_target_that_a_budget_refuses_gives_its_cooldown_and_places_back(store: Claims) {
    take(&store, &places("run-1/step/1", T0, &["T-9"], 1)).await;
    let both = |attempt: &str, now| {
        let budgets = vec![place("T-1", "first", 1), place("T-1", "restarts", 1)];
        ClaimRequest { budgets, ..request(attempt, attempt, now, &["T-1"]) }
    };
    let full = Some(T0.plus_ms(WINDOW_MS));
    assert_eq!(take(&store, &both("run-2/step/1", T0)).await, [(0, None), (1, full)]);
    assert_eq!(last_touched(&store, "T-1").await, None, "the cooldown is free");
    // And so is the place in the first budget.
    let later = T0.plus_ms(WINDOW_MS);
    assert_eq!(take(&store, &both("run-3/step/1", T0.plus_ms(1))).await, [(0, None), (1, full)]);
    assert_eq!(take(&store, &both("run-4/step/1", later)).await, [(0, None), (0, None)]);
    assert_eq!(last_touched(&store, "T-1").await, Some(later));
}

pub async fn a_cooling_target_takes_no_place(store: Claims) {
    reserve(&store, "run-1/step/1", T0, &["T-1"]).await;
    let budgets = vec![place("T-1", "restarts", 1)];
    let both = ClaimRequest { budgets, ..request("run-2/step/1", "b", T0, &["T-1"]) };
    // The budget is not even asked.
    assert_eq!(store.reserve(&both).await.unwrap(), held(false, &[("T-1", T0.plus_ms(COOLDOWN_MS))]));
    assert_eq!(take(&store, &places("run-3/step/1", T0, &["T-2"], 1)).await, [(0, None)]);
}

pub async fn the_same_attempt_counts_once(store: Claims) {
    let first = places("run-1/step/1", T0, &["T-1"], 2);
    assert_eq!(take(&store, &first).await, [(0, None)]);
    assert_eq!(take(&store, &first).await, [(0, None)]);
    let next = ClaimRequest { holder: holder("next"), ..places("run-1/step/1", T0.plus_ms(LEASE_MS), &["T-1"], 2) };
    assert_eq!(take(&store, &next).await, [(0, None)]);
    assert_eq!(take(&store, &places("run-2/step/1", T0.plus_ms(LEASE_MS), &["T-1"], 2)).await, [(1, None)]);
    // Its place counts from its last reservation.
    let full = Some(T0.plus_ms(LEASE_MS + WINDOW_MS));
    assert_eq!(take(&store, &places("run-3/step/1", T0.plus_ms(WINDOW_MS), &["T-1"], 2)).await, [(2, full)]);
}

pub async fn a_dead_workers_place_stays_taken(store: Claims) {
    take(&store, &places("run-1/step/1", T0, &["T-1"], 1)).await;
    let taken_over = T0.plus_ms(LEASE_MS);
    let next = ClaimRequest { holder: holder("next"), ..places("run-1/step/1", taken_over, &["T-1"], 1) };
    take(&store, &next).await;
    store.release(&claim_key("run-1/step/1"), &holder("next")).await.unwrap();
    let full = Some(taken_over.plus_ms(WINDOW_MS));
    assert_eq!(take(&store, &places("run-2/step/1", taken_over, &["T-1"], 1)).await, [(1, full)]);
}

pub async fn a_place_of_a_target_proven_untouched_is_free_at_once(store: Claims) {
    take(&store, &places("run-1/step/1", T0, &["T-1", "T-2"], 2)).await;
    let (key, by) = (claim_key("run-1/step/1"), holder("worker of run-1/step/1"));
    let stored = store.finish(&key, &by, T0.plus_ms(1), &result("T-1"), &[target("T-2")]).await.unwrap();
    assert_eq!(stored, Finish::Stored);
    assert_eq!(take(&store, &places("run-2/step/1", T0.plus_ms(2), &["T-3"], 2)).await, [(1, None)]);
    assert_eq!(
        take(&store, &places("run-3/step/1", T0.plus_ms(2), &["T-3"], 2)).await,
        [(2, Some(T0.plus_ms(WINDOW_MS)))]
    );
}

pub async fn a_release_gives_places_back(store: Claims) {
    take(&store, &places("run-1/step/1", T0, &["T-1", "T-2"], 2)).await;
    store.release(&claim_key("run-1/step/1"), &holder("worker of run-1/step/1")).await.unwrap();
    let next = places("run-2/step/1", T0.plus_ms(1), &["T-1", "T-2"], 2);
    assert_eq!(take(&store, &next).await, [(0, None), (1, None)]);
}

pub async fn an_announced_target_is_reserved_when_it_is_asked_for(store: Claims) {
    let whole = |attempt: &str, stage| {
        let budgets = vec![place("T-1", "restarts", 1)];
        ClaimRequest { budgets, stage, ..request(attempt, attempt, T0, &["T-1"]) }
    };
    assert_eq!(store.reserve(&whole("run-1/step/1", Stage::Announce)).await.unwrap(), NOTHING_COOLING);
    assert_eq!(last_touched(&store, "T-1").await, None);
    let free = BudgetUse { target: target("T-1"), key: budget("restarts"), used: 0, full_until: None };
    let granted = Reservation::Held { recovered: false, cooling: Vec::new(), budgets: vec![free] };
    assert_eq!(store.reserve(&whole("run-1/step/1", Stage::Reserve)).await.unwrap(), granted);
    assert_eq!(last_touched(&store, "T-1").await, Some(T0));
    assert_eq!(
        store.reserve(&whole("run-2/step/1", Stage::Full)).await.unwrap(),
        held(false, &[("T-1", T0.plus_ms(COOLDOWN_MS))])
    );
    store.release(&claim_key("run-1/step/1"), &holder("run-1/step/1")).await.unwrap();
    assert_eq!(store.reserve(&whole("run-3/step/1", Stage::Full)).await.unwrap(), granted);
}

pub async fn an_intent_is_stored_with_the_reservations(store: Claims) {
    let wanted = |stage| ClaimRequest { stage, ..request("run-1/step/1", "a", T0, &["T-1"]) };
    store.reserve(&wanted(Stage::Announce)).await.unwrap();
    assert_eq!(store.intent(&claim_key("run-1/step/1")).await.unwrap(), None);
    let intent = Some(json!({"uid": "1"}));
    store.reserve(&ClaimRequest { intent: intent.clone(), ..wanted(Stage::Reserve) }).await.unwrap();
    assert_eq!(store.intent(&claim_key("run-1/step/1")).await.unwrap(), intent);
    // A request without one leaves it.
    store.reserve(&wanted(Stage::Full)).await.unwrap();
    assert_eq!(store.intent(&claim_key("run-1/step/1")).await.unwrap(), intent);
}

/// As [`places`], among the effects in flight.
fn in_flight(attempt: &str, now: Timestamp, name: &str, max: u32) -> ClaimRequest {
    let key = BudgetKey::in_flight("at_once", String::new());
    let budgets = vec![BudgetRequest { target: target(name), key, max, window_ms: WINDOW_MS }];
    ClaimRequest { budgets, ..places(attempt, now, &[], max) }
}

pub async fn a_place_in_flight_is_free_once_its_attempt_has_ended(store: Claims) {
    let (first, at) = ("run-1/step/1", T0.plus_ms(1));
    assert_eq!(take(&store, &in_flight(first, T0, "T-1", 1)).await, [(0, None)]);
    let full = Some(T0.plus_ms(WINDOW_MS));
    assert_eq!(take(&store, &in_flight("run-2/step/1", at, "T-2", 1)).await, [(1, full)]);
    let by = holder(&format!("worker of {first}"));
    // Its effect happened: a place in a window would stay taken.
    assert_eq!(store.finish(&claim_key(first), &by, at, &result("T-1"), &[]).await.unwrap(), Finish::Stored);
    assert_eq!(take(&store, &in_flight("run-3/step/1", at, "T-2", 1)).await, [(0, None)]);
    store.release(&claim_key("run-3/step/1"), &holder("worker of run-3/step/1")).await.unwrap();
    assert_eq!(take(&store, &in_flight("run-4/step/1", at, "T-2", 1)).await, [(0, None)]);
    // Of an attempt that nobody ends it is free by the clock.
    let later = at.plus_ms(WINDOW_MS);
    assert_eq!(take(&store, &in_flight("run-5/step/1", later, "T-2", 1)).await, [(0, None)]);
}

pub async fn two_hundred_concurrent_attempts_in_flight_are_never_more_than_there_may_be(store: Claims) {
    let contend = |index: usize| {
        let port = Arc::clone(&store.port);
        async move {
            let wanted = in_flight(&format!("run-{index}/step/1"), T0, &format!("T-{index}"), 3);
            loop {
                if let Ok(answer) = port.reserve(&wanted).await {
                    return uses(answer).remove(0);
                }
            }
        }
    };
    let answers = at_once((0..200).map(contend)).await;
    assert_eq!(answers.iter().filter(|one| one.full_until.is_none()).count(), 3);
}

pub async fn of_different_bounds_of_one_counter_the_lowest_counts(store: Claims) {
    let mut wanted = places("run-1/step/1", T0, &["T-1", "T-2", "T-3"], 3);
    wanted.budgets[1].max = 1;
    let full = Some(T0.plus_ms(WINDOW_MS));
    assert_eq!(take(&store, &wanted).await, [(0, None), (1, full), (1, full)]);
}

pub async fn a_peek_shows_reservations_and_places_and_takes_none(store: Claims) {
    let keys = [target("T-2"), target("T-1"), target("T-1")];
    let counters =
        [budget("others"), budget("restarts"), BudgetKey::in_flight("restarts", "all # \"quoted\"".to_owned())];
    let before = store.peek(&keys, &counters).await.unwrap();
    assert_eq!(before.cooldowns, [None, None, None]);
    assert!(before.budgets.iter().all(|places| places.until().is_none()));
    let budgets = vec![place("T-1", "restarts", 2)];
    store.reserve(&ClaimRequest { budgets, ..request("run-1/step/1", "a", T0, &["T-1"]) }).await.unwrap();
    for _ in 0..2 {
        let peeked = store.peek(&keys, &counters).await.unwrap();
        let by = Some("run-1/step/1".to_owned());
        let cooling = Some(Cooling { since: T0, until: T0.plus_ms(COOLDOWN_MS), by });
        assert_eq!(peeked.cooldowns, [None, cooling.clone(), cooling]);
        let taken: Vec<_> = peeked.budgets.iter().map(|places| places.taken(T0)).collect();
        assert_eq!(taken, [0, 1, 0]);
        assert_eq!(peeked.budgets[1].full_until(1, T0), Some(T0.plus_ms(WINDOW_MS)));
    }
    assert_eq!(store.peek(&[], &[]).await.unwrap(), Peeked::default());
}

pub async fn an_attempt_takes_over_what_the_one_that_it_names_reserved_and_nothing_else(store: Claims) {
    reserve(&store, "run-1/step/1", T0, &["T-1"]).await;
    reserve(&store, "run-2/step/1", T0, &["T-2"]).await;
    let at = T0.plus_ms(10);
    let both = |attempt: &str, earlier: Option<&str>| {
        let takes_over = earlier.map(ToOwned::to_owned);
        ClaimRequest { takes_over, ..request(attempt, attempt, at, &["T-1", "T-2"]) }
    };
    let until = T0.plus_ms(COOLDOWN_MS);
    let own = store.reserve(&both("run-1/step/2", Some("run-1/step/1"))).await.unwrap();
    assert_eq!(own, held(false, &[("T-2", until)]));
    let later = at.plus_ms(COOLDOWN_MS);
    assert_eq!(
        store.reserve(&both("run-3/step/1", None)).await.unwrap(),
        held(false, &[("T-1", later), ("T-2", until)])
    );
    assert_eq!(last_touched(&store, "T-1").await, Some(at), "it counts once, from now on");
    // The earlier attempt has not acted, so a release leaves nothing of it.
    store.release(&claim_key("run-1/step/2"), &holder("run-1/step/2")).await.unwrap();
    assert_eq!(last_touched(&store, "T-1").await, None);
}
