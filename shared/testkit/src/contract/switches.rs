//! The contract of [`Switches`](heal_runtime::port::Switches).

use std::sync::Arc;

use heal_engine::RunId;
use heal_guard::{Halt, HaltScope, Storm, Timestamp};
use heal_runtime::port::{HALTS, Switches as Port};

use super::{Fixture, at_once};
use crate::contract::sample::T0;

/// A store of halts, fresh and empty.
pub type Switches = Fixture<dyn Port>;

/// One test per case of [`switches`](crate::contract::switches); `$fixture` gives a
/// [`Switches`](crate::contract::switches::Switches).
#[macro_export]
macro_rules! switches_contract {
    ($fixture:expr) => {
        $crate::contract_suite! { $fixture, switches, [
            a_home_without_halts_has_none,
            a_halt_is_kept_whole,
            the_same_halt_again_changes_nothing,
            a_halt_is_resumed_once,
            a_halt_that_has_ended_cannot_be_resumed,
            as_many_halts_as_the_limit_last_at_once,
            halts_that_have_ended_make_room,
            a_halt_by_a_clock_that_is_ahead_ends_no_other,
            halts_that_are_ordered_at_once_are_all_kept,
            a_halt_is_prolonged_and_never_shortened,
            a_halt_that_is_not_stored_is_not_prolonged,
            of_those_who_prolong_a_halt_alike_at_once_one_does,
            a_halt_is_put_right_if_it_ends_when_it_did,
        ] }
    };
}

fn halt(id: &str, seconds: u64) -> Halt {
    Halt {
        id: format!("halt-{id}"),
        scope: HaltScope::Target { name: "T-1 \"quoted\" \u{1f600}".to_owned() },
        since: T0,
        until: T0.plus_ms(seconds * 1_000),
        reason: "a deployment\nis under way".to_owned(),
        by: "local:anna".to_owned(),
        storm: None,
    }
}

async fn ids(store: &Switches, now: Timestamp) -> Vec<String> {
    let halts = store.halts().await.unwrap();
    let mut ids: Vec<_> = halts.into_iter().filter(|halt| now < halt.until).map(|halt| halt.id).collect();
    ids.sort();
    ids
}

pub async fn a_home_without_halts_has_none(store: Switches) {
    assert_eq!(store.halts().await.unwrap(), []);
    assert!(!store.resume("halt-1", T0).await.unwrap());
}

pub async fn a_halt_is_kept_whole(store: Switches) {
    let scopes = [
        HaltScope::All,
        HaltScope::Playbook { name: "p".to_owned() },
        HaltScope::Action { name: "a".to_owned() },
        HaltScope::Service { name: "s".to_owned() },
        HaltScope::Target { name: "t".to_owned() },
    ];
    let mut expected = Vec::new();
    for (index, scope) in scopes.into_iter().enumerate() {
        let halt = Halt { scope, ..halt(&index.to_string(), 60) };
        assert!(store.halt(&halt).await.unwrap());
        expected.push(halt);
    }
    expected.push(halt("9", 60));
    assert!(store.halt(&halt("9", 60)).await.unwrap());
    let mut halts = store.halts().await.unwrap();
    halts.sort_by(|a, b| a.id.cmp(&b.id));
    assert_eq!(halts, expected);
}

pub async fn the_same_halt_again_changes_nothing(store: Switches) {
    for _ in 0..2 {
        assert!(store.halt(&halt("1", 60)).await.unwrap());
    }
    assert_eq!(store.halts().await.unwrap(), [halt("1", 60)]);
}

pub async fn a_halt_is_resumed_once(store: Switches) {
    for id in ["1", "2"] {
        assert!(store.halt(&halt(id, 60)).await.unwrap());
    }
    assert!(store.resume("halt-1", T0.plus_ms(1)).await.unwrap());
    assert!(!store.resume("halt-1", T0.plus_ms(1)).await.unwrap());
    assert_eq!(ids(&store, T0).await, ["halt-2"]);
}

pub async fn a_halt_that_has_ended_cannot_be_resumed(store: Switches) {
    assert!(store.halt(&halt("1", 60)).await.unwrap());
    assert!(!store.resume("halt-1", T0.plus_ms(60_000)).await.unwrap());
}

pub async fn as_many_halts_as_the_limit_last_at_once(store: Switches) {
    for index in 0..HALTS {
        assert!(store.halt(&halt(&index.to_string(), 60)).await.unwrap(), "{index}");
    }
    assert!(!store.halt(&halt("more", 60)).await.unwrap());
    assert_eq!(ids(&store, T0).await.len(), HALTS);
    assert!(store.halt(&halt("0", 60)).await.unwrap(), "it is there already");
    assert!(store.resume("halt-0", T0).await.unwrap());
    assert!(store.halt(&halt("more", 60)).await.unwrap());
}

pub async fn halts_that_have_ended_make_room(store: Switches) {
    for index in 0..HALTS {
        assert!(store.halt(&halt(&index.to_string(), 60)).await.unwrap());
    }
    let since = T0.plus_ms(60_000);
    let later = Halt { since, until: since.plus_ms(1_000), ..halt("later", 0) };
    assert!(store.halt(&later).await.unwrap());
    assert_eq!(ids(&store, since).await, ["halt-later"]);
}

pub async fn a_halt_by_a_clock_that_is_ahead_ends_no_other(store: Switches) {
    assert!(store.halt(&halt("1", 60)).await.unwrap());
    let since = T0.plus_ms(365 * 86_400_000);
    let ahead = Halt { since, until: since.plus_ms(60_000), ..halt("ahead", 0) };
    assert!(store.halt(&ahead).await.unwrap());
    assert_eq!(ids(&store, T0).await, ["halt-1", "halt-ahead"]);
}

pub async fn halts_that_are_ordered_at_once_are_all_kept(store: Switches) {
    let order = |index: usize| {
        let port = Arc::clone(&store.port);
        async move { port.halt(&halt(&index.to_string(), 60)).await.unwrap() }
    };
    let answers = at_once((0..20).map(order)).await;
    assert!(answers.into_iter().all(|stored| stored));
    assert_eq!(ids(&store, T0).await.len(), 20);
}

fn storm(seconds: u64, targets: u32) -> Halt {
    let storm = Storm { run_id: RunId::new("run-1"), targets, trickle: 1, window_ms: 60_000 };
    Halt { storm: Some(storm), ..halt("storm1", seconds) }
}

pub async fn a_halt_is_prolonged_and_never_shortened(store: Switches) {
    assert!(store.halt(&storm(60, 5)).await.unwrap());
    assert!(store.prolong(&storm(90, 6)).await.unwrap());
    for earlier in [storm(90, 7), storm(60, 7)] {
        assert!(!store.prolong(&earlier).await.unwrap(), "{earlier:?}");
    }
    assert_eq!(store.halts().await.unwrap(), [storm(90, 6)]);
    assert!(store.resume("halt-storm1", T0.plus_ms(89_999)).await.unwrap(), "it lasts as long as it was prolonged");
}

pub async fn a_halt_that_is_not_stored_is_not_prolonged(store: Switches) {
    assert!(!store.prolong(&storm(60, 5)).await.unwrap());
    assert!(store.halt(&storm(60, 5)).await.unwrap());
    assert!(store.resume("halt-storm1", T0).await.unwrap());
    assert!(!store.prolong(&storm(90, 6)).await.unwrap(), "somebody has ended it");
    assert_eq!(store.halts().await.unwrap(), []);
}

pub async fn of_those_who_prolong_a_halt_alike_at_once_one_does(store: Switches) {
    assert!(store.halt(&storm(60, 5)).await.unwrap());
    let prolong = |_| {
        let port = Arc::clone(&store.port);
        async move { port.prolong(&storm(90, 6)).await.unwrap() }
    };
    let answers = at_once((0..10).map(prolong)).await;
    assert_eq!(answers.into_iter().filter(|stored| *stored).count(), 1);
}

/// A clock ran a year ahead, and was put right.
pub async fn a_halt_is_put_right_if_it_ends_when_it_did(store: Switches) {
    let year_ms = 365 * 86_400_000;
    let ahead = Halt { since: T0.plus_ms(year_ms), until: T0.plus_ms(year_ms + 60_000), ..halt("1", 60) };
    assert!(!store.put_right(&halt("1", 60), ahead.until).await.unwrap(), "nothing is stored");
    assert!(store.halt(&ahead).await.unwrap());
    assert!(!store.put_right(&halt("1", 60), T0).await.unwrap(), "it ends at another time");
    assert!(store.put_right(&halt("1", 60), ahead.until).await.unwrap());
    assert!(!store.put_right(&halt("1", 60), ahead.until).await.unwrap(), "somebody has done it");
    assert_eq!(store.halts().await.unwrap(), [halt("1", 60)]);
    assert!(!store.resume("halt-1", T0.plus_ms(60_000)).await.unwrap(), "it ends by the clock that is right");
}
