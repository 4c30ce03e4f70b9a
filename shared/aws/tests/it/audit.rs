//! A row that was changed behind the engine's back is found with its place.

use heal_aws::Store;
use heal_engine::chain::{self, Broken};
use heal_engine::event::RunOutcome;
use heal_runtime::RunId;
use heal_runtime::port::{BackendError, NewRun, RunLog as _, RunReader as _};
use heal_stack::{MiniStack, table};
use serde_json::{Value, json};

use crate::support::run::{T0, commit, delete, head, rows};

/// Longer than a write unit, so that the row is packed.
const LONG: usize = 4_000;

/// A table with one run of four chained commits, the third of them packed; the last one ends the run.
async fn store() -> Store {
    let store = table::empty(MiniStack::shared()).await;
    let mut before = None;
    for seq in 1..=4 {
        let mut next = commit("run-1", seq, T0.plus_ms(seq));
        if seq == 3 {
            next.events = vec![heal_engine::Event::IncidentJoined { incident_id: "é".repeat(LONG) }];
        }
        let next = next.chained(before.as_ref());
        before.clone_from(&next.chain);
        let head = head(&next, (seq == 4).then_some(RunOutcome::Healed));
        if seq > 1 {
            store.append(&next, &head, None).await.unwrap();
            continue;
        }
        let dedupe_key = "dedupe:run-1".to_owned();
        let run = NewRun {
            commit: next,
            head,
            dedupe_key,
            dedupe_until: T0.plus_ms(1),
            concurrency_key: None,
            repeat: None,
            room: None,
        };
        store.create(&run).await.unwrap();
    }
    store
}

/// Writes the row of `seq` anew, after `change`.
async fn change(store: &Store, seq: u64, change: impl Fn(&mut Value)) {
    let sk = format!("{seq:010}");
    let mut row = rows(store, "RUN#run-1").await.into_iter().find(|row| row["sk"]["S"] == sk.as_str()).unwrap();
    let before = row.clone();
    change(&mut row);
    assert_ne!(row, before);
    let put = json!({"TableName": store.table(), "Item": row});
    table::call(MiniStack::shared(), "DynamoDB_20120810.PutItem", &put).await;
}

async fn audit(store: &Store) -> Result<chain::Verified, Broken> {
    chain::verify(&store.stored(&RunId::new("run-1")).await.unwrap())
}

fn seq(broken: &Broken) -> u64 {
    let Broken::Link { seq, .. } = broken else { panic!("{broken}") };
    *seq
}

#[tokio::test]
async fn one_changed_byte_of_a_row_is_found_with_its_place() {
    let store = store().await;
    assert_eq!(audit(&store).await.map(|whole| (whole.commits, whole.unchained)), Ok((4, 0)));
    change(&store, 2, |row| row["events"]["S"] = json!(row["events"]["S"].as_str().unwrap().replace("INC-2", "INC-3")))
        .await;
    let broken = audit(&store).await.unwrap_err();
    assert!(broken.to_string().starts_with("run run-1, commit at sequence number 2: its chain is "), "{broken}");
    assert_eq!(seq(&broken), 2);
}

#[tokio::test]
async fn a_changed_cause_and_a_removed_commit_are_found() {
    let changed = store().await;
    change(&changed, 3, |row| row["cause_id"]["S"] = json!("another")).await;
    assert_eq!(seq(&audit(&changed).await.unwrap_err()), 3);
    let removed = store().await;
    delete(&removed, "RUN#run-1", "0000000002").await;
    assert_eq!(seq(&audit(&removed).await.unwrap_err()), 3);
}

#[tokio::test]
async fn a_packed_row_that_does_not_unpack_is_named() {
    let store = store().await;
    change(&store, 3, |row| {
        assert!(row["events"]["B"].is_string(), "the row is not packed: {row}");
        row["events"]["B"] = json!("////");
    })
    .await;
    let error = store.stored(&RunId::new("run-1")).await.unwrap_err();
    let BackendError::Corrupt { operation, detail } = error else { panic!("{error:?}") };
    assert_eq!(operation, "runs.stored");
    assert!(detail.starts_with("row RUN#run-1 / 0000000003, events: failed to unpack"), "{detail}");
}
