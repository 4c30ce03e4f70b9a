use heal_runtime::RunStatus;
use heal_runtime::port::{NewRun, RunHead};

use super::Runs;
use crate::contract::sample::{commit, head, new_run};

async fn create(store: &Runs, run_id: &str, incident_id: &str, concurrency_key: Option<&str>) {
    let run = new_run(run_id);
    let head = RunHead { incident_id: incident_id.to_owned(), ..run.head.clone() };
    let concurrency_key = concurrency_key.map(ToOwned::to_owned);
    store.create(&NewRun { head, concurrency_key, ..run }).await.unwrap();
}

async fn live(store: &Runs, prefix: &str) -> Vec<String> {
    let mut runs: Vec<_> = store.live_of_incidents(prefix).await.unwrap().iter().map(ToString::to_string).collect();
    runs.sort();
    runs
}

pub async fn live_runs_are_found_by_the_start_of_their_incidents_id(store: Runs) {
    for (run_id, incident_id) in [("a", "cpu@2026-1"), ("b", "cpu@2026-2"), ("c", "cpu-2@2026-1"), ("d", "%_'\"")] {
        create(&store, run_id, incident_id, Some(run_id).filter(|run_id| *run_id == "b")).await;
    }
    assert_eq!(live(&store, "cpu@").await, ["a", "b"]);
    assert_eq!(live(&store, "cpu").await, ["a", "b", "c"]);
    assert_eq!(live(&store, "%").await, ["d"]);
    assert_eq!(live(&store, "CPU").await, [] as [&str; 0]);
}

pub async fn an_ended_run_is_not_among_the_live_ones_of_its_incident(store: Runs) {
    create(&store, "a", "cpu@2026-1", None).await;
    create(&store, "b", "cpu@2026-1", None).await;
    let end = commit("a", 2, "end", 1);
    let ended = RunHead { status: RunStatus::Cancelled, wake_at: None, ..head(&end) };
    store.append(&end, &ended, None).await.unwrap();
    assert_eq!(live(&store, "cpu@2026-1").await, ["b"]);
}
