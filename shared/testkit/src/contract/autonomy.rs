//! The contract of [`AutonomyStore`].

use std::sync::Arc;

use heal_engine::Timestamp;
use heal_engine::autonomy::AutonomyLevel;
use heal_guard::AutonomySetting;
use heal_runtime::port::AutonomyStore;

use super::{Fixture, at_once};

/// A store of levels, fresh and empty.
pub type Autonomies = Fixture<dyn AutonomyStore>;

/// One test per case of [`autonomy`](crate::contract::autonomy); `$fixture` gives an
/// [`Autonomies`](crate::contract::autonomy::Autonomies).
#[macro_export]
macro_rules! autonomy_store_contract {
    ($fixture:expr) => {
        $crate::contract_suite! { $fixture, autonomy, [
            a_playbook_without_a_setting_has_none,
            a_setting_is_kept_with_who_why_and_when,
            a_later_setting_replaces_the_earlier_one,
            the_same_setting_again_changes_nothing,
            playbooks_are_separate_and_listed_by_name,
            one_of_many_concurrent_settings_stays_whole,
            a_setting_is_kept_with_those_before_it,
            a_setting_replaces_only_the_one_that_it_was_made_from,
            one_of_many_concurrent_replacements_wins,
        ] }
    };
}

fn setting(playbook: &str, level: AutonomyLevel, reason: &str) -> AutonomySetting {
    AutonomySetting {
        playbook: playbook.to_owned(),
        level,
        by: "local:ann".to_owned(),
        reason: reason.to_owned(),
        since: Timestamp(1_700_000_000_123),
        history: Vec::new(),
    }
}

pub async fn a_playbook_without_a_setting_has_none(store: Autonomies) {
    assert_eq!(store.setting("a").await.unwrap(), None);
    assert_eq!(store.settings().await.unwrap(), []);
}

pub async fn a_setting_is_kept_with_who_why_and_when(store: Autonomies) {
    for level in AutonomyLevel::ALL {
        let set = setting(level.as_str(), level, "it did \"well\" \u{fc}\nfor a week");
        store.set(&set).await.unwrap();
        assert_eq!(store.setting(level.as_str()).await.unwrap(), Some(set));
    }
}

pub async fn a_later_setting_replaces_the_earlier_one(store: Autonomies) {
    let (first, second) = (setting("a", AutonomyLevel::Off, "stop"), setting("a", AutonomyLevel::Auto, "go on"));
    store.set(&first).await.unwrap();
    store.set(&second).await.unwrap();
    assert_eq!(store.setting("a").await.unwrap(), Some(second.clone()));
    assert_eq!(store.settings().await.unwrap(), [second]);
}

pub async fn the_same_setting_again_changes_nothing(store: Autonomies) {
    let set = setting("a", AutonomyLevel::Shadow, "we watch it");
    store.set(&set).await.unwrap();
    store.set(&set).await.unwrap();
    assert_eq!(store.settings().await.unwrap(), [set]);
}

pub async fn playbooks_are_separate_and_listed_by_name(store: Autonomies) {
    let names = ["b", "a_b", "a"];
    for name in names {
        store.set(&setting(name, AutonomyLevel::Approve, name)).await.unwrap();
    }
    let listed: Vec<_> = store.settings().await.unwrap().into_iter().map(|set| (set.playbook, set.reason)).collect();
    assert_eq!(listed, ["a", "a_b", "b"].map(|name| (name.to_owned(), name.to_owned())));
    assert_eq!(store.setting("a_").await.unwrap(), None);
}

/// Level, person and reason are of one and the same call.
pub async fn one_of_many_concurrent_settings_stays_whole(store: Autonomies) {
    let set = |number: usize| {
        let port = Arc::clone(&store.port);
        let level = AutonomyLevel::ALL[number % 4];
        async move { port.set(&setting("a", level, level.as_str())).await.unwrap() }
    };
    at_once((0..40).map(set)).await;
    let stored = store.setting("a").await.unwrap().unwrap();
    assert_eq!(stored.reason, stored.level.as_str());
    assert_eq!(store.settings().await.unwrap(), [stored]);
}

/// The setting after `before`, `later_ms` after the first one.
fn next(before: Option<AutonomySetting>, later_ms: u64) -> AutonomySetting {
    let next = setting("a", AutonomyLevel::Approve, "too few healed \u{fc}");
    AutonomySetting { since: next.since.plus_ms(later_ms), ..next }.after(before)
}

pub async fn a_setting_is_kept_with_those_before_it(store: Autonomies) {
    let third = next(Some(next(Some(setting("a", AutonomyLevel::Auto, "go on")), 1)), 2);
    assert_eq!(third.history.len(), 2);
    store.set(&third).await.unwrap();
    assert_eq!(store.setting("a").await.unwrap(), Some(third.clone()));
    assert_eq!(store.settings().await.unwrap(), [third]);
}

pub async fn a_setting_replaces_only_the_one_that_it_was_made_from(store: Autonomies) {
    let first = next(None, 0);
    assert!(!store.replace(&first, Some(first.since)).await.unwrap(), "there is none yet");
    assert!(store.replace(&first, None).await.unwrap());
    assert!(!store.replace(&next(None, 1), None).await.unwrap());
    assert!(!store.replace(&next(None, 1), Some(first.since.plus_ms(1))).await.unwrap());
    assert_eq!(store.setting("a").await.unwrap(), Some(first.clone()));
    let second = next(Some(first.clone()), 1);
    assert!(store.replace(&second, Some(first.since)).await.unwrap());
    assert_eq!(store.setting("a").await.unwrap(), Some(second));
}

pub async fn one_of_many_concurrent_replacements_wins(store: Autonomies) {
    let replace = |number: u64| {
        let port = Arc::clone(&store.port);
        async move { port.replace(&next(None, number), None).await.unwrap() }
    };
    let won = at_once((0..20).map(replace)).await;
    assert_eq!(won.iter().filter(|won| **won).count(), 1, "{won:?}");
}
