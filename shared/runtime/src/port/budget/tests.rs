use heal_guard::limit::BUDGET_MAX;

use super::*;

fn target(name: &str) -> CooldownKey {
    CooldownKey { action: "restart_pod".to_owned(), target: name.to_owned() }
}

fn wanted(max: u32, targets: &[&str]) -> BudgetRequests {
    let key = BudgetKey { name: "restarts".to_owned(), key: String::new() };
    BudgetRequests { key, max, window_ms: 100, targets: targets.iter().map(|name| target(name)).collect() }
}

fn take(places: &mut Places, attempt: &str, now: u64, wanted: &BudgetRequests) -> Vec<(u32, PlaceOutcome)> {
    let attempt = ClaimKey { action: "restart_pod".to_owned(), attempt: attempt.to_owned() };
    let taker = Taker { attempt: &attempt, holder: &LeaseOwner("a".to_owned()), now: Timestamp(now) };
    places.take(&taker, wanted).into_iter().map(|taken| (taken.used, taken.outcome)).collect()
}

#[test]
fn a_window_slides() {
    let mut places = Places::default();
    let one = wanted(2, &["t"]);
    assert_eq!(take(&mut places, "1", 1_000, &one), [(0, PlaceOutcome::New)]);
    assert_eq!(take(&mut places, "2", 1_050, &one), [(1, PlaceOutcome::New)]);
    assert_eq!(take(&mut places, "3", 1_099, &one), [(2, PlaceOutcome::Full { until: Timestamp(1_100) })]);
    assert_eq!((places.taken(Timestamp(1_099)), places.full_until(2, Timestamp(1_099))), (2, Some(Timestamp(1_100))));
    assert_eq!((places.taken(Timestamp(1_100)), places.full_until(2, Timestamp(1_100))), (1, None));
    assert_eq!(take(&mut places, "3", 1_100, &one), [(1, PlaceOutcome::New)]);
    assert_eq!(take(&mut places, "4", 1_101, &one), [(2, PlaceOutcome::Full { until: Timestamp(1_150) })]);
}

#[test]
fn an_attempt_that_asks_again_has_the_same_places_and_answers() {
    let mut places = Places::default();
    let three = wanted(2, &["t", "u", "v"]);
    let full = PlaceOutcome::Full { until: Timestamp(1_100) };
    assert_eq!(take(&mut places, "1", 1_000, &three), [(0, PlaceOutcome::New), (1, PlaceOutcome::New), (2, full)]);
    let again = take(&mut places, "1", 1_000, &three);
    assert_eq!(again, [(0, PlaceOutcome::Renewed), (1, PlaceOutcome::Renewed), (2, full)]);
    // A target that comes before one that has its place does not take it.
    assert_eq!(take(&mut places, "1", 1_000, &wanted(2, &["w", "t"])), [(2, full), (1, PlaceOutcome::Renewed)]);
}

#[test]
fn a_lowered_budget_is_free_when_enough_places_are() {
    let mut places = Places::default();
    for (attempt, now) in [("1", 1_000), ("2", 1_010), ("3", 1_020)] {
        take(&mut places, attempt, now, &wanted(3, &["t"]));
    }
    let lowered = take(&mut places, "4", 1_030, &wanted(1, &["t"]));
    assert_eq!(lowered, [(3, PlaceOutcome::Full { until: Timestamp(1_120) })]);
}

#[test]
fn a_place_from_a_year_ahead_lasts_one_window_and_no_longer() {
    const YEAR_MS: u64 = 365 * 86_400_000;
    let mut places = Places::default();
    let one = wanted(1, &["t"]);
    take(&mut places, "1", YEAR_MS, &one);
    assert_eq!(take(&mut places, "2", 1_000, &one), [(1, PlaceOutcome::Full { until: Timestamp(1_100) })]);
    assert_eq!(
        take(&mut places, "2", 1_099, &one),
        [(1, PlaceOutcome::Full { until: Timestamp(1_100) })],
        "it is written down"
    );
    assert_eq!(take(&mut places, "2", 1_100, &one), [(0, PlaceOutcome::New)]);
}

#[test]
fn a_longer_effect_in_flight_keeps_its_place_although_a_shorter_one_asks() {
    let mut places = Places::default();
    let in_flight = |window_ms| BudgetRequests {
        key: BudgetKey::in_flight("at_once", String::new()),
        window_ms,
        ..wanted(1, &["t"])
    };
    take(&mut places, "1", 1_000, &in_flight(IN_FLIGHT_MS));
    let until = Timestamp(1_000 + IN_FLIGHT_MS);
    assert_eq!(take(&mut places, "2", 1_000, &in_flight(100)), [(1, PlaceOutcome::Full { until })]);
}

#[test]
fn the_largest_budget_fits_a_row() {
    let mut places = Places::default();
    for attempt in 0..BUDGET_MAX {
        take(&mut places, &attempt.to_string(), 1_800_000_000_000, &wanted(BUDGET_MAX, &["t"]));
    }
    let row_bytes = 400 * 1_024;
    let text = serde_json::to_string(&places).unwrap();
    assert!(text.len() < row_bytes / 4, "{} bytes", text.len());
    assert_eq!(serde_json::from_str::<Places>(&text).unwrap(), places);
}

#[test]
fn an_owner_gives_back_its_own_place_alone() {
    let mut places = Places::default();
    take(&mut places, "1", 1_000, &wanted(2, &["t"]));
    let attempt = ClaimKey { action: "restart_pod".to_owned(), attempt: "1".to_owned() };
    assert!(!places.give_back(&attempt, &LeaseOwner("b".to_owned()), &target("t")));
    assert!(!places.give_back(&attempt, &LeaseOwner("a".to_owned()), &target("u")));
    assert!(places.give_back(&attempt, &LeaseOwner("a".to_owned()), &target("t")));
    assert_eq!((places.until(), places), (None, Places::default()));
}
