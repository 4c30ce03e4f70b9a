//! Storms over the fakes, in virtual time: one group incident, a trickle of effects, and the rest goes on afterwards.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::pedantic)]

#[path = "storms/rig.rs"]
mod rig;

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use heal_engine::playbook::Playbook;
use heal_engine::state::follow_up::ESCALATION;
use heal_engine::turn::Input;
use heal_guard::limit::STORM_SECONDS;
use heal_guard::{Budget, Guardrails, Halt, Selector, StormRule, Storms};
use heal_runtime::action::{Action, Admitted, Call, Facts, Performed, Target};
use heal_runtime::attempt::{self, Worker};
use heal_runtime::dispatcher::{self, Dispatcher};
use heal_runtime::halts::HaltCache;
use heal_runtime::host::Host;
use heal_runtime::library::Library;
use heal_runtime::port::{
    Clock, Message, OsEntropy, PolicyResource, QueueName, RunFilter, RunHead, RunReader, Sender, Switches as _,
};
use heal_runtime::{ActionSpec, AttemptResult, Map, RunOutcome, Safety, Timestamp};
use heal_testkit::memory::{Claims, Faults, ManualClock, Queues, Runs, Switches, When};
use heal_testkit::scripted::AllowAll;
use serde_json::json;

use rig::*;

/// The most effects in any window of so many seconds.
fn most(effects: &[Timestamp], seconds: u64) -> usize {
    let in_window =
        |at: &Timestamp| effects.iter().filter(|one| **one >= *at && **one < at.plus_ms(seconds * 1_000)).count();
    effects.iter().map(in_window).max().unwrap_or(0)
}

#[tokio::test]
async fn fifty_workers_sick_within_a_minute_are_one_group_incident_and_at_most_the_budget_of_restarts() {
    let rig = Rig::new(rule());
    let host = process(&rig);
    rig.fall_sick(&host, 0, 50).await;

    let groups = rig.group_incidents().await;
    assert_eq!(groups.len(), 1);
    let why = groups[0].reason.clone().unwrap();
    assert!(why.starts_with("storm of pods: 5 targets within 60 s: worker:w-0, worker:w-1"), "{why}");
    // Four before the storm, and the trickle.
    assert_eq!((rig.effects().len(), rig.held().await), (5, 45));
    let [storm] = &rig.storms().await[..] else { panic!("not one storm") };
    assert_eq!(storm.storm.as_ref().unwrap().run_id, groups[0].run_id);
    assert!(storm.until >= rig.clock.now().plus_ms((QUIET_SECONDS - QUIET_SECONDS / 10) * 1_000 - 1_000));

    let storm_until = storm.until;
    while rig.clock.now() < storm_until {
        rig.pass(&host, 1).await;
    }
    // What is held tries again after a window, so at least every second window has an effect.
    let in_storm: Vec<_> = rig.effects().into_iter().skip(4).filter(|at| *at < storm_until).collect();
    assert!(in_storm.len() >= 2, "the trickle goes on: {in_storm:?}");
    assert_eq!(most(&in_storm, WINDOW_SECONDS), 1, "{in_storm:?}");
    assert_eq!(rig.storms().await, []);

    rig.pass(&host, 5).await;
    let heads = rig.heads().await;
    assert_eq!(heads.len(), 51);
    assert!(heads.iter().all(|head| head.outcome.is_some()), "something is still held: {}", rig.held().await);
    assert!(most(&rig.effects(), BUDGET_SECONDS) <= BUDGET as usize, "{:?}", rig.effects());
    assert_eq!(rig.group_incidents().await.len(), 1);
}

#[tokio::test]
async fn to_acknowledge_the_group_incident_ends_the_storm_and_only_new_targets_count_afterwards() {
    let rig = Rig::new(rule());
    let host = process(&rig);
    rig.fall_sick(&host, 0, 10).await;
    assert_eq!((rig.held().await, rig.storms().await.len()), (5, 1));

    rig.acknowledge(&host).await;
    rig.pass(&host, 3).await;
    assert_eq!((rig.held().await, rig.storms().await.len(), rig.effects().len()), (0, 0, 10));

    rig.fall_sick(&host, 10, 14).await;
    assert_eq!(rig.group_incidents().await.len(), 1, "four more are no storm");
    rig.fall_sick(&host, 14, 15).await;
    assert_eq!((rig.group_incidents().await.len(), rig.storms().await.len()), (2, 1));
}

#[tokio::test]
async fn a_storm_that_comes_back_before_anybody_acknowledged_it_is_the_same_group_incident() {
    let rig = Rig::new(rule());
    let host = process(&rig);
    rig.fall_sick(&host, 0, 6).await;
    rig.pass(&host, QUIET_SECONDS + 5).await;
    assert_eq!((rig.held().await, rig.storms().await.len()), (0, 0));
    rig.fall_sick(&host, 6, 13).await;
    assert_eq!((rig.group_incidents().await.len(), rig.storms().await.len()), (1, 1));
}

#[tokio::test]
async fn processes_that_each_see_a_part_find_one_storm() {
    let rig = Rig::new(rule());
    let hosts = [process(&rig), process(&rig)];
    for number in 0..5 {
        rig.incident(&format!("w-{number}")).await;
        // Longer than either remembers what the other one started.
        rig.clock.advance_ms(2_000);
        rig.settle(&hosts[number % 2]).await;
    }
    assert_eq!((rig.group_incidents().await.len(), rig.storms().await.len()), (1, 1));
}

#[tokio::test]
async fn a_crash_between_the_group_incident_and_its_halt_is_made_good() {
    let rig = Rig::new(rule());
    let host = process(&rig);
    rig.fall_sick(&host, 0, 4).await;
    rig.faults.fail_next_of("switches.halt", 1, When::Before);
    rig.fall_sick(&host, 4, 6).await;
    rig.pass(&host, 30).await;
    assert_eq!((rig.group_incidents().await.len(), rig.storms().await.len()), (1, 1));
}

#[tokio::test]
async fn the_same_target_again_and_a_service_without_a_rule_are_no_storm() {
    let rig = Rig::new(rule());
    let host = process(&rig);
    for _ in 0..6 {
        rig.incident("w-1").await;
        rig.pass(&host, 1).await;
    }
    let groups = rig.group_incidents().await;
    assert!(groups.iter().all(|head| head.reason.as_ref().unwrap().starts_with("third workers")), "{groups:?}");

    for off in [StormRule { targets: 0, ..rule() }, StormRule::new("lamps", vec!["switch".to_owned()])] {
        let rig = Rig::new(off);
        let host = process(&rig);
        rig.fall_sick(&host, 0, 8).await;
        assert_eq!((rig.group_incidents().await.len(), rig.held().await, rig.effects().len()), (0, 0, 8));
    }
}

#[tokio::test]
async fn a_storm_ends_after_hours_even_if_new_targets_keep_coming() {
    let rig = Rig::new(StormRule { trickle: 0, ..rule() });
    let host = process(&rig);
    rig.fall_sick(&host, 0, 5).await;
    let since = rig.storms().await[0].since;
    let mut number = 5;
    while rig.clock.now() < since.plus_ms(STORM_SECONDS * 1_000) {
        let storms = rig.storms().await;
        assert_eq!(storms.len(), 1, "after {} s", rig.clock.now().since_ms(since) / 1_000);
        assert!(storms[0].until <= since.plus_ms(STORM_SECONDS * 1_000));
        rig.incident(&format!("w-{number}")).await;
        number += 1;
        rig.clock.advance_ms(100_000);
        rig.settle(&host).await;
    }
    rig.pass(&host, 3).await;
    assert_eq!(rig.held().await, 0);
}

#[tokio::test]
async fn a_person_cannot_order_a_trickle() {
    let rig = Rig::new(rule());
    let host = process(&rig);
    rig.fall_sick(&host, 0, 5).await;
    let storm = rig.storms().await.remove(0);
    rig.switches.resume(&storm.id, rig.clock.now()).await.unwrap();
    host.dispatcher().halt(&Halt { id: "halt-1".to_owned(), ..storm }).await.unwrap();
    let [halt] = &rig.storms().await[..] else { panic!("not one halt") };
    assert_eq!((halt.id.as_str(), &halt.storm), ("halt-1", &None));
}
