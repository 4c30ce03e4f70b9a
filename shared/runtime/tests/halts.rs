//! The kill switch over the fakes, in virtual time: what is halted does not happen, and goes on afterwards.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::pedantic)]

#[path = "halts/clock.rs"]
mod clock;
#[path = "halts/rig.rs"]
mod rig;
#[path = "halts/windows.rs"]
mod windows;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use heal_engine::Event;
use heal_engine::playbook::Playbook;
use heal_guard::{Guardrails, Halt, HaltScope, Schedule, Selector, Window, WindowKind};
use heal_runtime::action::{Action, Admitted, Call, Cooldown, Facts, Performed, Target};
use heal_runtime::attempt::{self, Worker};
use heal_runtime::dispatcher::{self, Dispatcher, IntakeOutcome, SwitchOutcome};
use heal_runtime::halts::{HALT_CACHE_MS, HALT_SECONDS, HaltCache, Invalid, REASON_BYTES, check};
use heal_runtime::host::Host;
use heal_runtime::library::Library;
use heal_runtime::message::Inbound;
use heal_runtime::port::{
    Clock, CooldownKey, Message, OsEntropy, PolicyResource, QueueName, RunFilter, RunHead, RunReader, Sender,
    Switches as _,
};
use heal_runtime::{ActionSpec, AttemptResult, Map, RunOutcome, Safety, Timestamp};
use heal_testkit::memory::{Claims, Faults, ManualClock, Queues, Runs, Switches, When};
use heal_testkit::scripted::AllowAll;
use serde_json::json;

use rig::*;

#[tokio::test(start_paused = true)]
async fn a_worker_does_nothing_that_is_halted_and_the_same_attempt_succeeds_after_the_halt() {
    let scopes = [
        HaltScope::Action { name: "act".to_owned() },
        HaltScope::Service { name: "lamps".to_owned() },
        HaltScope::Target { name: "lamp-1".to_owned() },
    ];
    for scope in scopes {
        let rig = Rig::new();
        rig.incident().await;
        rig.dispatch().await;
        rig.switches.halt(&rig.halt(scope.clone(), 60)).await.unwrap();
        rig.work().await;
        rig.dispatch().await;
        assert_eq!(rig.effects(), ["look"], "{scope}: what only reads is not halted at its worker");
        let head = rig.head().await;
        assert_eq!((head.held_by.as_deref(), head.wake_at), (Some("halt-1"), None), "{scope}");
        rig.clock.advance_ms(59_000);
        rig.settle().await;
        assert_eq!(rig.effects(), ["look"], "{scope}");
        rig.clock.advance_ms(1_000);
        rig.settle().await;
        // Its cooldown and its claim were free again.
        assert_eq!(rig.effects(), ["look", "act"], "{scope}");
        let head = rig.head().await;
        assert_eq!((head.outcome, head.held_by), (Some(RunOutcome::Completed), None), "{scope}");
        let events = rig.events().await;
        for name in ["run_held", "attempt_held", "run_released"] {
            assert_eq!(events.iter().filter(|event| **event == name).count(), 1, "{scope}: {name} in {events:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_halted_run_starts_nothing_from_its_acceptance_on() {
    for scope in [HaltScope::All, HaltScope::Playbook { name: "lamps".to_owned() }] {
        let rig = Rig::new();
        rig.send(QueueName::Results, Inbound::Halt(Box::new(rig.halt(scope, 3_600))).to_body()).await;
        rig.dispatch().await;
        rig.incident().await;
        rig.settle().await;
        assert_eq!(rig.effects(), [] as [&str; 0]);
        assert_eq!(rig.events().await, ["run_started", "run_held"]);
        // The run's timeout is ten minutes.
        rig.clock.advance_ms(1_800_000);
        rig.settle().await;
        assert_eq!(rig.events().await.len(), 2);
        rig.send(QueueName::Results, Inbound::Resume { id: "halt-1".to_owned(), by: "local:ben".to_owned() }.to_body())
            .await;
        rig.dispatch().await;
        rig.settle().await;
        assert_eq!(rig.head().await.outcome, Some(RunOutcome::Completed));
    }
}

#[tokio::test(start_paused = true)]
async fn a_halt_of_another_playbook_holds_nothing() {
    let rig = Rig::new();
    rig.switches.halt(&rig.halt(HaltScope::Playbook { name: "others".to_owned() }, 60)).await.unwrap();
    rig.incident().await;
    rig.settle().await;
    assert_eq!(rig.head().await.outcome, Some(RunOutcome::Completed));
}

#[tokio::test(start_paused = true)]
async fn a_halt_that_comes_while_the_facts_are_read_still_stops_the_effect() {
    let rig = Rig::new();
    rig.incident().await;
    rig.dispatch().await;
    // Both caches know that nothing is halted.
    let now = rig.clock.now();
    rig.reading_takes_ms.store(HALT_CACHE_MS, Ordering::SeqCst);
    let halt = Halt { since: now, ..rig.halt(HaltScope::All, 3_600) };
    rig.host.once(&QueueName::Action("look".to_owned()), 10).await.unwrap();
    *rig.halts_while_reading.lock().unwrap() = Some(halt);
    rig.host.once(&QueueName::Action("act".to_owned()), 10).await.unwrap();
    assert_eq!(rig.effects(), ["look"]);
    rig.dispatch().await;
    assert_eq!(rig.head().await.held_by.as_deref(), Some("halt-1"));
}

#[tokio::test(start_paused = true)]
async fn who_cannot_read_the_halts_does_nothing() {
    let rig = Rig::new();
    rig.incident().await;
    rig.dispatch().await;
    rig.faults.decide_by(|operation| (operation == "switches.halts").then_some(When::Before));
    let act = QueueName::Action("act".to_owned());
    rig.host.once(&act, 10).await.unwrap();
    assert_eq!(rig.effects(), [] as [&str; 0]);
    rig.faults.clear();
    rig.clock.advance_ms(1_000);
    rig.settle().await;
    assert_eq!(rig.effects(), ["look", "act"], "its command stayed on the queue");
}

#[tokio::test(start_paused = true)]
async fn halts_are_read_again_after_two_seconds_and_at_once_by_who_orders_them() {
    let (faults, now) = (Faults::default(), Timestamp(1_000_000));
    let switches = Arc::new(Switches::new(faults.clone()));
    let (cache, other) = (HaltCache::new(switches.clone()), HaltCache::new(switches.clone()));
    assert_eq!(cache.read(now).await.unwrap().len(), 0);
    let (since, until) = (now, now.plus_ms(60_000));
    let (id, reason, by) = ("halt-1".to_owned(), "wait".to_owned(), "local:anna".to_owned());
    let halt = Halt { id, scope: HaltScope::All, since, until, reason, by, storm: None };
    assert!(other.halt(&halt).await.unwrap());
    assert_eq!(other.read(now).await.unwrap().len(), 1);
    assert_eq!(cache.read(now.plus_ms(HALT_CACHE_MS - 1)).await.unwrap().len(), 0);
    assert_eq!(cache.read(now.plus_ms(HALT_CACHE_MS)).await.unwrap().len(), 1);
    // A clock that was set back, and a failed read, make the halts unknown.
    faults.fail_next(2, When::Before);
    assert!(cache.read(now.plus_ms(2 * HALT_CACHE_MS)).await.is_err());
    assert!(cache.read(now).await.is_err());
    assert_eq!(cache.read(now).await.unwrap().len(), 1);
    assert!(cache.resume("halt-1", now).await.unwrap());
    assert_eq!(cache.read(now).await.unwrap().len(), 0);
}

#[tokio::test(start_paused = true)]
async fn what_a_person_holds_only_a_person_releases() {
    let rig = Rig::new();
    rig.incident().await;
    rig.dispatch().await;
    let run_id = rig.head().await.run_id;
    let (by, reason) = ("local:anna".to_owned(), "let me look".to_owned());
    let hold = Inbound::Hold { run_id: run_id.clone(), by: by.clone(), reason: reason.clone() };
    rig.send(QueueName::Results, hold.to_body()).await;
    rig.dispatch().await;
    rig.work().await;
    rig.clock.advance_ms(86_400_000);
    rig.settle().await;
    let head = rig.head().await;
    assert_eq!((head.outcome, head.held_by.as_deref()), (None, Some("local:anna")));
    rig.send(QueueName::Results, Inbound::Release { run_id, by, reason }.to_body()).await;
    rig.settle().await;
    assert_eq!(rig.head().await.outcome, Some(RunOutcome::Completed));
    assert_eq!(rig.effects(), ["look", "act"], "what was sent before the hold");
}

#[tokio::test(start_paused = true)]
async fn a_run_whose_halt_ended_stays_held_by_another_one_that_lasts() {
    let rig = Rig::new();
    let dispatcher = rig.host.dispatcher();
    assert_eq!(dispatcher.halt(&rig.halt(HaltScope::All, 60)).await.unwrap(), SwitchOutcome::Done);
    rig.incident().await;
    rig.settle().await;
    let second = Halt { id: "halt-2".to_owned(), ..rig.halt(HaltScope::All, 30) };
    assert_eq!(dispatcher.halt(&second).await.unwrap(), SwitchOutcome::Done);
    assert_eq!(dispatcher.resume("halt-1", "local:anna").await.unwrap(), SwitchOutcome::Done);
    assert_eq!(dispatcher.resume("halt-1", "local:anna").await.unwrap(), SwitchOutcome::Unknown);
    rig.settle().await;
    assert_eq!(rig.head().await.held_by.as_deref(), Some("halt-2"));
    assert_eq!(rig.events().await, ["run_started", "run_held", "run_held"]);
    rig.clock.advance_ms(30_000);
    rig.settle().await;
    assert_eq!(rig.head().await.outcome, Some(RunOutcome::Completed));
}

#[tokio::test(start_paused = true)]
async fn an_incident_that_comes_as_the_halt_ends_is_not_lost_with_the_run_that_it_would_join() {
    let rig = Rig::new();
    let dispatcher = rig.host.dispatcher();
    let dim = |id: &str| json!({"incident_id": id, "incident_type": "DIM"}).to_string();
    assert_eq!(dispatcher.halt(&rig.halt(HaltScope::All, 60)).await.unwrap(), SwitchOutcome::Done);
    let held = dispatcher.accept(&dim("inc-1"), "message-1", None).await.unwrap();
    rig.clock.advance_ms(60_000);
    // The release comes first, and the run has nothing left to do.
    let next = dispatcher.accept(&dim("inc-2"), "message-2", None).await.unwrap();
    let IntakeOutcome::Started { run_id, .. } = &next else { panic!("{next:?} after {held:?}") };
    let commits = rig.runs.load(run_id, 0).await.unwrap();
    let Event::RunStarted(started) = &commits[0].events[0] else { panic!("{commits:?}") };
    assert_eq!(started.incident_id, "inc-2");
}

#[test]
fn a_halt_has_bounds_and_each_is_named() {
    let since = Timestamp(1_000);
    let until = since.plus_ms(HALT_SECONDS * 1_000);
    let (id, reason, by) = ("halt-1a".to_owned(), "wait".to_owned(), "local:anna".to_owned());
    let halt = Halt { id, scope: HaltScope::All, since, until, reason, by, storm: None };
    assert_eq!(check(&halt), Ok(()));
    let observed_seconds = HALT_SECONDS + 1;
    let long = Halt { until: until.plus_ms(1_000), ..halt.clone() };
    assert_eq!(check(&long), Err(Invalid::TooLong { observed_seconds }));
    assert_eq!(check(&Halt { until: since, ..halt.clone() }), Err(Invalid::Ended));
    assert_eq!(check(&Halt { reason: " ".to_owned(), ..halt.clone() }), Err(Invalid::Empty { field: "reason" }));
    let scope = HaltScope::Target { name: String::new() };
    assert_eq!(check(&Halt { scope, ..halt.clone() }), Err(Invalid::Empty { field: "name" }));
    let (observed_bytes, limit_bytes) = (REASON_BYTES + 1, REASON_BYTES);
    let reason = "x".repeat(observed_bytes);
    let expected = Err(Invalid::LongText { field: "reason", observed_bytes, limit_bytes });
    assert_eq!(check(&Halt { reason, ..halt.clone() }), expected);
    for id in ["halt-", "1", "halt-a:b", "halt-a,b"] {
        assert!(matches!(check(&Halt { id: id.to_owned(), ..halt.clone() }), Err(Invalid::Id { .. })), "{id}");
    }
}
