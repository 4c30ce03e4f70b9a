use heal_engine::chain::{self, Verified};
use heal_engine::{Event, StoredCommit};
use heal_runtime::port::{Appended, Created, NewRun};
use heal_runtime::{Commit, RunId};
use serde_json::json;

use super::Runs;
use crate::contract::sample::{commit, head, joined, new_run};

/// Texts that are escaped, packed or written as numbers: whatever a store does to them, the bytes must come back.
fn awkward() -> Vec<Event> {
    let items = vec![json!(0.1 + 0.2), json!(1e300), json!({"z": 1, "a": "ü\u{202e}\n\"", "": null})];
    let long = joined(&"é".repeat(4_000));
    vec![Event::FannedOut { step: 0, items }, long, joined("")]
}

/// Stores three commits, the first `unchained` of them as an older build does.
async fn write(store: &Runs, unchained: usize) -> Vec<Commit> {
    let mut log: Vec<Commit> = Vec::new();
    let first = new_run("run-1");
    let awkward =
        Commit { cause_id: "a cause\nof two lines".to_owned(), events: awkward(), ..commit("run-1", 2, "", 1) };
    for (index, next) in [first.commit.clone(), awkward, commit("run-1", 5, "last", 2)].into_iter().enumerate() {
        let next = if index < unchained { next } else { next.chained(chain::last(&log)) };
        if index == 0 {
            let run = NewRun { commit: next.clone(), ..first.clone() };
            assert_eq!(store.create(&run).await.unwrap(), Created::Created);
        } else {
            assert_eq!(store.append(&next, &head(&next), None).await.unwrap(), Appended::Appended);
        }
        log.push(next);
    }
    log
}

pub async fn a_chain_is_read_back_with_the_texts_it_is_over(store: Runs) {
    let log = write(&store, 0).await;
    let run_id = RunId::new("run-1");
    assert_eq!(store.load(&run_id, 0).await.unwrap(), log);
    let stored = store.stored(&run_id).await.unwrap();
    assert_eq!(stored, log.iter().map(StoredCommit::from).collect::<Vec<_>>());
    let expected = Verified { commits: 3, unchained: 0, chain: chain::last(&log).cloned() };
    assert_eq!(chain::verify(&stored), Ok(expected));
    assert_eq!(store.stored(&RunId::new("run-2")).await.unwrap(), vec![]);
}

pub async fn a_log_that_an_older_build_began_is_chained_from_there_on(store: Runs) {
    let log = write(&store, 1).await;
    let run_id = RunId::new("run-1");
    assert_eq!(store.load(&run_id, 0).await.unwrap(), log);
    let stored = store.stored(&run_id).await.unwrap();
    let expected = Verified { commits: 3, unchained: 1, chain: chain::last(&log).cloned() };
    assert_eq!(chain::verify(&stored), Ok(expected));
}
