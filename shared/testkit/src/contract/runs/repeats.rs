use std::sync::Arc;

use heal_runtime::RunId;
use heal_runtime::port::{Created, NewRun, Repeat};

use super::Runs;
use crate::contract::at_once;
use crate::contract::sample::{T0, new_run};

/// Milliseconds of the window of every case.
const WINDOW_MS: u64 = 3_600_000;

/// A run for the target of every case, `minutes` after the first moment. Two of them may start in a window.
fn counted(run_id: &str, minutes: u64) -> NewRun {
    let repeat = Repeat {
        key: "restart\nworker:w-1".to_owned(),
        max: 2,
        window_ms: WINDOW_MS,
        escalates: false,
        acknowledged: None,
    };
    let mut run = NewRun { repeat: Some(repeat), ..new_run(run_id) };
    run.commit.at = T0.plus_ms(minutes * 60_000);
    run
}

/// The same run, its count changed.
fn with(mut run: NewRun, change: impl FnOnce(&mut Repeat)) -> NewRun {
    if let Some(repeat) = &mut run.repeat {
        change(repeat);
    }
    run
}

fn escalating(run_id: &str, minutes: u64) -> NewRun {
    with(counted(run_id, minutes), |repeat| repeat.escalates = true)
}

fn repeated(runs: &[&str]) -> Created {
    Created::Repeated { runs: runs.iter().map(|run| RunId::new(*run)).collect() }
}

fn escalated(run_id: &str) -> Created {
    Created::Escalated { run_id: RunId::new(run_id) }
}

async fn create(store: &Runs, run: NewRun) -> Created {
    store.create(&run).await.unwrap()
}

/// Two runs, so that the bound is reached.
async fn fill(store: &Runs) {
    assert_eq!(create(store, counted("run-1", 0)).await, Created::Created);
    assert_eq!(create(store, counted("run-2", 10)).await, Created::Created);
}

pub async fn a_run_over_the_bound_is_refused_and_stores_nothing(store: Runs) {
    fill(&store).await;
    assert_eq!(create(&store, counted("run-3", 20)).await, repeated(&["run-1", "run-2"]));
    assert_eq!(store.head(&RunId::new("run-3")).await.unwrap(), None);
    // Its dedupe key is still free, another target is not affected, and neither is a run that is not counted.
    assert_eq!(create(&store, NewRun { repeat: None, ..counted("run-3", 20) }).await, Created::Created);
    let elsewhere = with(counted("run-4", 20), |repeat| "restart\nworker:w-2".clone_into(&mut repeat.key));
    assert_eq!(create(&store, elsewhere).await, Created::Created);
}

pub async fn a_run_is_counted_until_its_window_ends(store: Runs) {
    fill(&store).await;
    assert_eq!(create(&store, counted("run-3", 59)).await, repeated(&["run-1", "run-2"]));
    assert_eq!(create(&store, counted("run-3", 60)).await, Created::Created);
    assert_eq!(create(&store, counted("run-4", 61)).await, repeated(&["run-2", "run-3"]));
}

pub async fn the_same_input_and_a_busy_target_are_not_counted(store: Runs) {
    let held = |run: NewRun| NewRun { concurrency_key: Some("worker:w-1".to_owned()), ..run };
    assert_eq!(create(&store, held(counted("run-1", 0))).await, Created::Created);
    for minute in 1..5 {
        assert_eq!(
            create(&store, held(counted("run-1", minute))).await,
            Created::Duplicate { run_id: RunId::new("run-1") }
        );
        let joins = held(counted(&format!("run-{}", minute + 1), minute));
        assert_eq!(create(&store, joins).await, Created::Busy { run_id: RunId::new("run-1") });
    }
    assert_eq!(create(&store, counted("run-6", 6)).await, Created::Created);
    assert_eq!(create(&store, counted("run-7", 7)).await, repeated(&["run-1", "run-6"]));
    // What was known before comes before the count, and so does the holder of the key.
    assert_eq!(create(&store, held(counted("run-1", 8))).await, Created::Duplicate { run_id: RunId::new("run-1") });
    assert_eq!(create(&store, held(counted("run-8", 8))).await, Created::Busy { run_id: RunId::new("run-1") });
}

pub async fn an_escalation_stands_for_its_target_until_it_is_acknowledged(store: Runs) {
    fill(&store).await;
    assert_eq!(create(&store, escalating("run-3", 20)).await, Created::Created);
    assert_eq!(create(&store, escalating("run-4", 21)).await, escalated("run-3"));
    // However late, and whatever other escalation was acknowledged.
    assert_eq!(create(&store, counted("run-4", 10_000)).await, escalated("run-3"));
    let after = |run_id: &str, minutes, acknowledged: &str| {
        with(counted(run_id, minutes), |repeat| repeat.acknowledged = Some(RunId::new(acknowledged)))
    };
    assert_eq!(create(&store, after("run-4", 30, "run-2")).await, escalated("run-3"));
    assert_eq!(create(&store, after("run-4", 30, "run-3")).await, Created::Created);
    // The count started anew.
    assert_eq!(create(&store, counted("run-5", 31)).await, Created::Created);
    assert_eq!(create(&store, counted("run-6", 32)).await, repeated(&["run-4", "run-5"]));
    assert_eq!(create(&store, after("run-6", 32, "run-3")).await, repeated(&["run-4", "run-5"]));
}

pub async fn an_escalation_is_known_by_its_input(store: Runs) {
    fill(&store).await;
    assert_eq!(create(&store, escalating("run-3", 20)).await, Created::Created);
    assert_eq!(create(&store, escalating("run-3", 21)).await, Created::Duplicate { run_id: RunId::new("run-3") });
}

pub async fn concurrent_creates_for_one_target_stay_under_the_bound(store: Runs) {
    let create = |index: u64| {
        let port = Arc::clone(&store.port);
        async move { port.create(&counted(&format!("run-{index}"), 0)).await.unwrap() }
    };
    let answers = at_once((0..32).map(create)).await;
    let created = answers.iter().filter(|answer| **answer == Created::Created).count();
    let refused = answers.iter().filter(|answer| matches!(answer, Created::Repeated { runs } if runs.len() == 2));
    assert_eq!((created, refused.count()), (2, 30), "{answers:?}");
}

pub async fn concurrent_escalations_are_one(store: Runs) {
    fill(&store).await;
    let create = |index: u64| {
        let port = Arc::clone(&store.port);
        async move { port.create(&escalating(&format!("run-e{index}"), 20)).await.unwrap() }
    };
    let answers = at_once((0..16).map(create)).await;
    let winner = answers.iter().position(|answer| *answer == Created::Created).unwrap();
    let others = answers.iter().filter(|answer| **answer == escalated(&format!("run-e{winner}")));
    assert_eq!(others.count(), 15, "{answers:?}");
}
