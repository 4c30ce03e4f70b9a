use heal_runtime::RunStatus;
use heal_runtime::port::{NewRun, RunHead};

use super::Runs;
use crate::contract::sample::{commit, head, new_run};

async fn create(store: &Runs, run_id: &str, held_by: Option<&str>) {
    let run = new_run(run_id);
    let head = RunHead { held_by: held_by.map(str::to_owned), wake_at: None, ..run.head.clone() };
    store.create(&NewRun { head, ..run }).await.unwrap();
}

async fn append(store: &Runs, run_id: &str, first_seq: u64, held_by: Option<&str>) {
    let next = commit(run_id, first_seq, "next", 1);
    let held_by = held_by.map(str::to_owned);
    let wake_at = head(&next).wake_at.filter(|_| held_by.is_none());
    store.append(&next, &RunHead { held_by, wake_at, ..head(&next) }, None).await.unwrap();
}

async fn others(store: &Runs, halts: &[&str], limit: usize) -> Vec<String> {
    let halts: Vec<String> = halts.iter().map(|halt| (*halt).to_owned()).collect();
    let mut found: Vec<_> =
        store.held_by_others(&halts, limit).await.unwrap().iter().map(ToString::to_string).collect();
    found.sort();
    found
}

pub async fn a_held_run_is_found_once_its_halt_is_gone(store: Runs) {
    for (run_id, holder) in [("a", Some("halt-1")), ("b", Some("halt-2")), ("c", Some("local:anna")), ("d", None)] {
        create(&store, run_id, holder).await;
    }
    assert_eq!(others(&store, &["halt-1", "halt-2"], 10).await, [] as [&str; 0]);
    assert_eq!(others(&store, &["halt-2"], 10).await, ["a"]);
    assert_eq!(others(&store, &[], 10).await, ["a", "b"], "what a person holds is not among them");
    assert_eq!(others(&store, &[], 1).await.len(), 1);
    assert_eq!(store.head(&new_run("c").head.run_id).await.unwrap().unwrap().held_by.as_deref(), Some("local:anna"));
}

pub async fn a_run_is_held_from_one_commit_to_another(store: Runs) {
    create(&store, "a", None).await;
    assert_eq!((others(&store, &[], 10).await.len(), store.count_held().await.unwrap()), (0, 0));
    append(&store, "a", 2, Some("halt-1")).await;
    assert_eq!((others(&store, &[], 10).await, store.count_held().await.unwrap()), (vec!["a".to_owned()], 1));
    append(&store, "a", 3, Some("halt-2")).await;
    assert_eq!(others(&store, &["halt-2"], 10).await, [] as [&str; 0]);
    append(&store, "a", 4, None).await;
    assert_eq!((others(&store, &[], 10).await.len(), store.count_held().await.unwrap()), (0, 0));
    let head = store.head(&new_run("a").head.run_id).await.unwrap().unwrap();
    assert_eq!((head.held_by, head.last_seq), (None, 4));
    // It is due again.
    assert_eq!(store.due(head.wake_at.unwrap(), 10).await.unwrap().len(), 1);
}

pub async fn an_ended_run_is_not_held(store: Runs) {
    create(&store, "a", Some("halt-1")).await;
    assert_eq!(store.count_held().await.unwrap(), 1);
    let end = commit("a", 2, "end", 1);
    store
        .append(&end, &RunHead { status: RunStatus::Cancelled, wake_at: None, held_by: None, ..head(&end) }, None)
        .await
        .unwrap();
    assert_eq!((others(&store, &[], 10).await.len(), store.count_held().await.unwrap()), (0, 0));
}
