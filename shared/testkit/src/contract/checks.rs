//! The contract of [`CheckStore`].

use std::sync::Arc;

use heal_runtime::port::CheckStore;

use super::{Fixture, at_once};

/// A store of checks' states, fresh and empty.
pub type Checks = Fixture<dyn CheckStore>;

/// One test per case of [`checks`](crate::contract::checks); `$fixture` gives a
/// [`Checks`](crate::contract::checks::Checks).
#[macro_export]
macro_rules! check_store_contract {
    ($fixture:expr) => {
        $crate::contract_suite! { $fixture, checks, [
            a_check_without_a_state_has_none,
            a_stored_state_is_loaded,
            versions_count_from_one,
            a_store_with_a_stale_version_changes_nothing,
            a_first_state_is_stored_once,
            a_repeated_store_has_the_same_answer,
            a_store_is_not_repeated_over_a_newer_one,
            one_of_many_concurrent_writers_stores,
            checks_are_separate,
            a_large_state_is_kept_whole,
        ] }
    };
}

async fn load(store: &Checks, name: &str) -> Option<(u64, String)> {
    store.load(name).await.unwrap()
}

async fn put(store: &Checks, name: &str, expected: u64, json: &str) -> bool {
    store.store(name, expected, json).await.unwrap()
}

pub async fn a_check_without_a_state_has_none(store: Checks) {
    assert_eq!(load(&store, "opa").await, None);
}

pub async fn a_stored_state_is_loaded(store: Checks) {
    assert!(put(&store, "opa", 0, r#"{"text": "ü \" \\ \n"}"#).await);
    assert_eq!(load(&store, "opa").await, Some((1, r#"{"text": "ü \" \\ \n"}"#.to_owned())));
}

pub async fn versions_count_from_one(store: Checks) {
    for version in 0..5 {
        assert!(put(&store, "opa", version, &format!("{{\"n\": {version}}}")).await);
        assert_eq!(load(&store, "opa").await, Some((version + 1, format!("{{\"n\": {version}}}"))));
    }
}

pub async fn a_store_with_a_stale_version_changes_nothing(store: Checks) {
    assert!(!put(&store, "opa", 1, "{}").await);
    assert_eq!(load(&store, "opa").await, None);
    assert!(put(&store, "opa", 0, "{}").await);
    assert!(put(&store, "opa", 1, "[1]").await);
    for wrong in [0, 1, 3, 99] {
        assert!(!put(&store, "opa", wrong, "[2]").await, "{wrong}");
    }
    assert_eq!(load(&store, "opa").await, Some((2, "[1]".to_owned())));
}

pub async fn a_first_state_is_stored_once(store: Checks) {
    assert!(put(&store, "opa", 0, "[1]").await);
    assert!(!put(&store, "opa", 0, "[2]").await);
    assert_eq!(load(&store, "opa").await, Some((1, "[1]".to_owned())));
}

pub async fn a_repeated_store_has_the_same_answer(store: Checks) {
    for version in 0..2 {
        let json = format!("[{version}]");
        assert!(put(&store, "opa", version, &json).await);
        assert!(put(&store, "opa", version, &json).await);
        assert_eq!(load(&store, "opa").await, Some((version + 1, json)));
    }
}

pub async fn a_store_is_not_repeated_over_a_newer_one(store: Checks) {
    assert!(put(&store, "opa", 0, "[1]").await);
    assert!(put(&store, "opa", 1, "[2]").await);
    assert!(!put(&store, "opa", 0, "[1]").await);
    assert!(!put(&store, "opa", 0, "[2]").await);
    assert_eq!(load(&store, "opa").await, Some((2, "[2]".to_owned())));
}

pub async fn one_of_many_concurrent_writers_stores(store: Checks) {
    for version in 0..3 {
        let put = |number: usize| {
            let port = Arc::clone(&store.port);
            async move { port.store("opa", version, &format!("[{version}, {number}]")).await.unwrap() }
        };
        let answers = at_once((0..50).map(put)).await;
        assert_eq!(answers.iter().filter(|stored| **stored).count(), 1);
        let winner = answers.iter().position(|stored| *stored).unwrap();
        assert_eq!(load(&store, "opa").await, Some((version + 1, format!("[{version}, {winner}]"))));
    }
}

pub async fn checks_are_separate(store: Checks) {
    assert!(put(&store, "opa", 0, "[1]").await);
    assert_eq!(load(&store, "opa_health").await, None);
    assert!(put(&store, "opa_health", 0, "[2]").await);
    assert_eq!(load(&store, "opa").await, Some((1, "[1]".to_owned())));
}

/// More than any state has: 200 KB.
pub async fn a_large_state_is_kept_whole(store: Checks) {
    let large = format!("[\"{}\"]", "x".repeat(200_000));
    assert!(put(&store, "opa", 0, &large).await);
    assert_eq!(load(&store, "opa").await, Some((1, large)));
}
