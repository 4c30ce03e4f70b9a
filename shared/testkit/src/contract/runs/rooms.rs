use std::sync::Arc;

use heal_engine::event::RunOutcome;
use heal_runtime::port::{Admitted, Appended, Created, NewRun, Occupancy, Room, RoomBound, RunHead, Subject};
use heal_runtime::{RunId, RunStatus};

use super::Runs;
use crate::contract::at_once;
use crate::contract::sample::{T0, commit, head, new_run};

/// Milliseconds for which a store may know the rooms by heart.
const KNOWN_MS: u64 = 2_000;

fn bound(playbooks: &[&str], max: u32) -> RoomBound {
    RoomBound { playbooks: playbooks.iter().map(|name| (*name).to_owned()).collect(), max }
}

/// Room for two runs of `restart`, and for three of `restart` and `replan` together.
fn room(playbook: &str) -> Room {
    let of_service = bound(&["restart", "replan"], 3);
    Room { bounds: vec![bound(&[playbook], 2), of_service], yields: true }
}

fn playing(run_id: &str, playbook: &str, change: impl FnOnce(&mut RunHead)) -> NewRun {
    let mut run = new_run(run_id);
    run.head.playbook = Some(playbook.to_owned());
    change(&mut run.head);
    run
}

/// A run that takes room.
fn live(run_id: &str, playbook: &str) -> NewRun {
    NewRun { room: Some(room(playbook)), ..playing(run_id, playbook, |_| {}) }
}

/// A run that waits for room, created `at_ms` after the first moment.
fn waiting(run_id: &str, playbook: &str, severity: Option<&str>, at_ms: u64) -> NewRun {
    let mut run = playing(run_id, playbook, |head| {
        head.status = RunStatus::Pending;
        head.wake_at = None;
        head.started_at = T0.plus_ms(at_ms);
        head.subject = Subject { severity: severity.map(ToOwned::to_owned), ..Subject::default() };
    });
    run.commit.at = T0.plus_ms(at_ms);
    run
}

async fn create(store: &Runs, run: NewRun) -> Created {
    store.create(&run).await.unwrap()
}

/// Of a moment at which the store has to look again.
async fn occupancy(store: &Runs, reading: u64) -> Occupancy {
    store.occupancy(T0.plus_ms(reading * KNOWN_MS + 1_000)).await.unwrap()
}

fn names(occupancy: &Occupancy) -> Vec<&str> {
    occupancy.waiting.iter().map(|run| run.run_id.as_str()).collect()
}

async fn end(store: &Runs, run_id: &str, first_seq: u64) {
    let end = commit(run_id, first_seq, "end", 1);
    let ended =
        RunHead { status: RunStatus::Completed, outcome: Some(RunOutcome::Healed), wake_at: None, ..head(&end) };
    assert_eq!(store.append(&end, &ended, None).await.unwrap(), Appended::Appended);
}

async fn admit(store: &Runs, run_id: &str, playbook: &str, first_seq: u64) -> Admitted {
    let admitted = commit(run_id, first_seq, "admit", 1);
    let head = head(&admitted);
    store.admit(&admitted, &head, &Room { yields: false, ..room(playbook) }).await.unwrap()
}

const WRITTEN: Admitted = Admitted::Written(Appended::Appended);

pub async fn a_run_without_room_is_refused_and_stores_nothing(store: Runs) {
    for run_id in ["a", "b"] {
        assert_eq!(create(&store, live(run_id, "restart")).await, Created::Created);
    }
    assert_eq!(create(&store, live("c", "restart")).await, Created::Full);
    assert_eq!(store.head(&RunId::new("c")).await.unwrap(), None);
    // Its input has no run, so it may be created without room.
    assert_eq!(create(&store, waiting("c", "restart", None, 0)).await, Created::Created);
    assert_eq!(occupancy(&store, 1).await.taken.get("restart"), Some(&2));
}

pub async fn a_bound_counts_the_runs_of_all_its_playbooks(store: Runs) {
    for (run_id, playbook) in [("a", "restart"), ("b", "restart"), ("c", "replan")] {
        assert_eq!(create(&store, live(run_id, playbook)).await, Created::Created);
    }
    assert_eq!(create(&store, live("d", "replan")).await, Created::Full, "its playbook has room, its service has none");
    let elsewhere = NewRun {
        room: Some(Room { bounds: vec![bound(&["other"], 1)], yields: true }),
        ..playing("e", "other", |_| {})
    };
    assert_eq!(create(&store, elsewhere).await, Created::Created);
}

pub async fn a_run_takes_room_until_its_end(store: Runs) {
    create(&store, live("a", "restart")).await;
    create(&store, live("b", "restart")).await;
    let next = commit("a", 2, "next", 1);
    let asking = RunHead { status: RunStatus::AwaitingApproval, ..head(&next) };
    store.append(&next, &asking, None).await.unwrap();
    assert_eq!(create(&store, live("c", "restart")).await, Created::Full, "a step that waits keeps its run's room");
    end(&store, "a", 3).await;
    assert_eq!(create(&store, live("c", "restart")).await, Created::Created);
    assert_eq!(create(&store, live("d", "restart")).await, Created::Full);
}

pub async fn a_run_without_a_room_counts_for_none(store: Runs) {
    for run_id in ["a", "b", "c"] {
        create(&store, playing(run_id, "restart", |_| {})).await;
    }
    assert_eq!(occupancy(&store, 1).await, Occupancy::default());
    assert_eq!(create(&store, live("d", "restart")).await, Created::Created);
}

pub async fn a_refused_create_takes_no_room(store: Runs) {
    create(&store, live("a", "restart")).await;
    for index in 0..5 {
        let again =
            NewRun { dedupe_key: live("a", "restart").dedupe_key, ..live(&format!("again-{index}"), "restart") };
        assert_eq!(create(&store, again).await, Created::Duplicate { run_id: RunId::new("a") });
    }
    assert_eq!(occupancy(&store, 1).await.taken.get("restart"), Some(&1));
    assert_eq!(create(&store, live("b", "restart")).await, Created::Created);
}

pub async fn waiting_runs_are_named_the_most_severe_first_then_the_oldest(store: Runs) {
    for (run_id, severity, at_ms) in [
        ("unknown", None, 0),
        ("low", Some("LOW"), 1),
        ("younger", Some("HIGH"), 30),
        ("older", Some("HIGH"), 20),
        ("critical", Some("CRITICAL"), 40),
    ] {
        create(&store, waiting(run_id, "restart", severity, at_ms)).await;
    }
    create(&store, waiting("elsewhere", "replan", Some("HIGH"), 25)).await;
    let mut held = waiting("held", "restart", Some("CRITICAL"), 1);
    held.head.held_by = Some("local:ann".to_owned());
    create(&store, held).await;
    let found = occupancy(&store, 1).await;
    assert_eq!(names(&found), ["critical", "older", "elsewhere", "younger", "low", "unknown"]);
    assert_eq!(found.taken.len(), 0, "{found:?}");
    let counted = store.count_live().await.unwrap();
    assert_eq!((counted.active, counted.waiting, counted.waiting_since), (7, 7, Some(T0)));
    assert_eq!(store.due(T0.plus_ms(1_000_000), 10).await.unwrap(), [], "their time stands still");
}

pub async fn a_waiting_run_is_admitted_once_there_is_room(store: Runs) {
    create(&store, live("a", "restart")).await;
    create(&store, live("b", "restart")).await;
    create(&store, waiting("c", "restart", None, 5)).await;
    assert_eq!(admit(&store, "c", "restart", 2).await, Admitted::Full);
    assert_eq!(store.head(&RunId::new("c")).await.unwrap().unwrap().status, RunStatus::Pending);
    end(&store, "a", 2).await;
    assert_eq!(admit(&store, "c", "restart", 2).await, WRITTEN);
    let found = occupancy(&store, 1).await;
    assert_eq!((found.taken.get("restart"), names(&found)), (Some(&2), Vec::new()));
    let head = store.head(&RunId::new("c")).await.unwrap().unwrap();
    assert_eq!((head.status, head.last_seq), (RunStatus::Running, 2));
    assert_eq!(store.due(head.wake_at.unwrap(), 10).await.unwrap().len(), 2, "its time goes on");
    end(&store, "c", 3).await;
    assert_eq!(create(&store, live("d", "restart")).await, Created::Created);
}

pub async fn a_new_run_goes_behind_those_that_wait_for_the_same_room(store: Runs) {
    create(&store, waiting("a", "restart", None, 0)).await;
    assert_eq!(create(&store, live("b", "restart")).await, Created::Full);
    assert_eq!(create(&store, live("c", "replan")).await, Created::Full, "they share a service");
    assert_eq!(admit(&store, "a", "restart", 2).await, WRITTEN);
    assert_eq!(create(&store, live("b", "restart")).await, Created::Created);
}

pub async fn a_held_run_keeps_nobody_waiting(store: Runs) {
    let mut held = waiting("a", "restart", None, 0);
    held.head.held_by = Some("local:ann".to_owned());
    create(&store, held).await;
    assert_eq!(create(&store, live("b", "restart")).await, Created::Created);
}

pub async fn an_approved_run_may_have_to_wait(store: Runs) {
    let mut asking = playing("a", "restart", |head| head.status = RunStatus::AwaitingApproval);
    asking.commit.at = T0.plus_ms(3);
    create(&store, asking).await;
    let approved = commit("a", 2, "approved", 1);
    let queued = RunHead { status: RunStatus::Pending, wake_at: None, ..head(&approved) };
    assert_eq!(store.append(&approved, &queued, None).await.unwrap(), Appended::Appended);
    assert_eq!(names(&occupancy(&store, 1).await), ["a"]);
    assert_eq!(admit(&store, "a", "restart", 3).await, WRITTEN);
    assert_eq!(occupancy(&store, 2).await.taken.get("restart"), Some(&1));
}

pub async fn a_waiting_run_that_ends_waits_no_longer(store: Runs) {
    create(&store, waiting("a", "restart", None, 0)).await;
    end(&store, "a", 2).await;
    assert_eq!(occupancy(&store, 1).await, Occupancy::default());
    assert_eq!(store.count_live().await.unwrap().waiting, 0);
}

pub async fn runs_that_wait_or_are_held_are_found_by_their_incident(store: Runs) {
    create(&store, waiting("a", "restart", None, 0)).await;
    let mut held = playing("b", "restart", |head| head.wake_at = None);
    held.head.held_by = Some("halt-1".to_owned());
    create(&store, held).await;
    let mut both = waiting("c", "restart", None, 0);
    both.head.held_by = Some("local:ann".to_owned());
    create(&store, both).await;
    let mut found = store.live_of_incidents("INC-1").await.unwrap();
    found.sort();
    assert_eq!(found, ["a", "b", "c"].map(RunId::new));
}

pub async fn concurrent_creates_stay_under_the_bounds(store: Runs) {
    let create = |index: u64| {
        let port = Arc::clone(&store.port);
        let playbook = if index.is_multiple_of(2) { "restart" } else { "replan" };
        async move { port.create(&live(&format!("run-{index}"), playbook)).await.unwrap() }
    };
    let answers = at_once((0..32).map(create)).await;
    let created = answers.iter().filter(|answer| **answer == Created::Created).count();
    let full = answers.iter().filter(|answer| **answer == Created::Full).count();
    assert_eq!((created, full), (3, 29), "{answers:?}");
}

pub async fn concurrent_admissions_stay_under_the_bounds(store: Runs) {
    for index in 0..16 {
        create(&store, waiting(&format!("run-{index}"), "restart", None, index)).await;
    }
    let admit = |index: u64| {
        let port = Arc::clone(&store.port);
        async move {
            let admitted = commit(&format!("run-{index}"), 2, "admit", 1);
            port.admit(&admitted, &head(&admitted), &Room { yields: false, ..room("restart") }).await.unwrap()
        }
    };
    let answers = at_once((0..16).map(admit)).await;
    let admitted = answers.iter().filter(|answer| **answer == WRITTEN).count();
    assert_eq!(admitted, 2, "{answers:?}");
    assert_eq!(occupancy(&store, 1).await.taken.get("restart"), Some(&2));
}
