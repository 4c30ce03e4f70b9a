//! Old runs are removed, live ones never, and nobody sees a run that is removed in part as anything else.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use heal_aws::Store;
use heal_engine::event::{RunOutcome, RunStatus};
use heal_runtime::port::{DueRuns as _, RunFilter, RunLog as _, RunReader as _};
use heal_runtime::{Digest, RunId, Timestamp};
use heal_stack::{MiniStack, table};
use serde_json::json;

use crate::support::run::{T0, commit, delete, head, rows, write};

const DAY_MS: u64 = 86_400_000;

async fn store() -> Store {
    table::empty(MiniStack::shared()).await.keeping_runs_for(90)
}

fn days(days: u64) -> Timestamp {
    T0.plus_ms(days * DAY_MS)
}

#[tokio::test]
async fn a_run_is_removed_whole_after_its_retention_and_a_live_one_never() {
    let store = store().await;
    write(&store, "live", 3, None).await;
    write(&store, "rejected", 1, Some(RunOutcome::Failed)).await;
    for outcome in [RunOutcome::Healed, RunOutcome::Denied, RunOutcome::Timeout, RunOutcome::Cancelled] {
        write(&store, outcome.as_str(), 4, Some(outcome)).await;
    }
    // A person ticked off a follow-up after the end.
    let late = commit("DENIED", 5, T0.plus_ms(50));
    store.append(&late, &head(&late, Some(RunOutcome::Denied)), None).await.unwrap();
    assert_eq!(store.collect_garbage(days(90)).await.unwrap(), 0, "the last millisecond counts");
    assert_eq!(rows(&store, "RUN#").await.len(), 3 + 1 + 4 * 4 + 1);
    assert_eq!(store.collect_garbage(days(91)).await.unwrap(), 5);
    assert_eq!(store.collect_garbage(days(91)).await.unwrap(), 0);
    let left: BTreeSet<String> =
        rows(&store, "RUN#").await.iter().map(|row| row["pk"]["S"].as_str().unwrap().to_owned()).collect();
    assert_eq!(left, BTreeSet::from(["RUN#live".to_owned()]));
    // The live run goes on.
    let next = commit("live", 4, days(91));
    store.append(&next, &head(&next, Some(RunOutcome::Healed)), None).await.unwrap();
    assert_eq!(store.load(&RunId::new("live"), 0).await.unwrap().len(), 4);
    assert_eq!(store.collect_garbage(days(91)).await.unwrap(), 0, "it ended today");
}

#[tokio::test]
async fn a_run_that_took_long_is_kept_from_its_end_on() {
    let store = store().await;
    write(&store, "long", 2, None).await;
    let end = commit("long", 3, days(3));
    store.append(&end, &head(&end, Some(RunOutcome::Healed)), None).await.unwrap();
    assert_eq!(store.collect_garbage(days(92)).await.unwrap(), 0);
    assert_eq!(store.collect_garbage(days(93)).await.unwrap(), 1);
}

/// Rows carry no expiry of DynamoDB's, which would delete them in any order.
#[tokio::test]
async fn no_row_of_a_run_expires_by_itself() {
    let store = store().await;
    write(&store, "live", 3, None).await;
    write(&store, "ended", 3, Some(RunOutcome::Healed)).await;
    for prefix in ["RUN#", "LIVE#"] {
        for row in rows(&store, prefix).await {
            assert!(row.get("expires_at").is_none(), "{row}");
        }
    }
}

/// Readers work during the removal, and the removal is interrupted again and again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_is_being_removed_is_ended_or_gone() {
    let store = store().await;
    let run_id = RunId::new("ended");
    write(&store, "ended", 12, Some(RunOutcome::NotHealed)).await;
    let whole = store.load(&run_id, 0).await.unwrap();
    let done = Arc::new(AtomicBool::new(false));
    let reader = tokio::spawn({
        let (store, run_id, done) = (store.clone(), run_id.clone(), Arc::clone(&done));
        async move {
            let (mut saw_whole, mut saw_empty) = (0, 0);
            while !done.load(Ordering::SeqCst) {
                let log = store.load(&run_id, 0).await.unwrap();
                assert!(log.is_empty() || log == whole, "a part of the log: {} commits", log.len());
                if log.is_empty() {
                    saw_empty += 1;
                } else {
                    saw_whole += 1;
                }
                if let Some(head) = store.head(&run_id).await.unwrap() {
                    assert_eq!((head.status, head.outcome), (RunStatus::Failed, Some(RunOutcome::NotHealed)));
                }
                for head in store.list(&RunFilter::default(), 10, None).await.unwrap().runs {
                    assert_eq!(head.status, RunStatus::Failed);
                }
                assert_eq!(store.due(days(1_000), 10).await.unwrap(), []);
            }
            (saw_whole, saw_empty)
        }
    });
    tokio::time::sleep(Duration::from_millis(100)).await;
    let mut interrupted = 0;
    // Each try has a little more time than the last.
    while tokio::time::timeout(Duration::from_millis(10 + 5 * interrupted), store.collect_garbage(days(91)))
        .await
        .is_err()
    {
        interrupted += 1;
    }
    let (log, head) = (store.load(&run_id, 0).await.unwrap(), store.head(&run_id).await.unwrap());
    done.store(true, Ordering::SeqCst);
    let (saw_whole, _) = reader.await.unwrap();
    assert!(saw_whole > 0);
    assert_eq!((log, head), (vec![], None));
    assert_eq!(rows(&store, "RUN#").await.len(), 0);
}

/// Every state that an interruption can leave, one after the other: the first commit goes first, the end last.
#[tokio::test]
async fn what_an_interrupted_removal_leaves_reads_as_removed_and_is_removed() {
    let store = store().await;
    let run_id = RunId::new("ended");
    for left in 1..5_u64 {
        write(&store, "ended", 5, Some(RunOutcome::Healed)).await;
        for seq in 1..=5 - left {
            delete(&store, "RUN#ended", &format!("{seq:010}")).await;
        }
        assert_eq!(store.load(&run_id, 0).await.unwrap(), vec![], "{left} commits left");
        let head = store.head(&run_id).await.unwrap().unwrap();
        assert_eq!(head.outcome, Some(RunOutcome::Healed), "{left} commits left");
        assert_eq!(store.collect_garbage(days(91)).await.unwrap(), 1, "{left} commits left");
        assert_eq!(rows(&store, "RUN#").await.len(), 0);
        for row in rows(&store, "DEDUPE#").await {
            delete(&store, row["pk"]["S"].as_str().unwrap(), "DEDUPE").await;
        }
    }
}

#[tokio::test]
async fn a_gap_in_a_log_that_is_not_being_removed_is_damage() {
    let store = store().await;
    write(&store, "ended", 4, Some(RunOutcome::Healed)).await;
    write(&store, "live", 4, None).await;
    delete(&store, "RUN#ended", "0000000002").await;
    delete(&store, "RUN#live", "0000000001").await;
    for run_id in ["ended", "live"] {
        let error = store.load(&RunId::new(run_id), 0).await.unwrap_err().to_string();
        assert!(error.contains("expected sequence number"), "{error}");
    }
}

async fn plan_expires_at(store: &Store) -> Option<u64> {
    let rows = rows(store, "PLAN#").await;
    let [row] = &rows[..] else { panic!("{rows:?}") };
    Some(row.get("expires_at")?["N"].as_str()?.parse().unwrap())
}

#[tokio::test]
async fn a_plan_outlives_every_run_that_may_have_it() {
    let store = store().await;
    let digest = Digest::of(b"plan");
    store.put_plan(&digest, "a plan", days(7)).await.unwrap();
    let first = plan_expires_at(&store).await.unwrap();
    // A run may end on day 7, and is kept for 90 days from then on.
    let needed = days(97).0 / 1_000;
    assert!((needed..needed + 86_400).contains(&first), "{first}");
    store.put_plan(&digest, "a plan", days(5)).await.unwrap();
    assert_eq!(plan_expires_at(&store).await, Some(first), "never earlier");
    store.put_plan(&digest, "a plan", days(8)).await.unwrap();
    assert_eq!(plan_expires_at(&store).await, Some(first + 86_400));
    // A plan of an earlier build has no expiry.
    let update = json!({
        "TableName": store.table(), "Key": {"pk": {"S": format!("PLAN#{digest}")}, "sk": {"S": "PLAN"}},
        "UpdateExpression": "REMOVE expires_at",
    });
    table::call(MiniStack::shared(), "DynamoDB_20120810.UpdateItem", &update).await;
    assert_eq!(plan_expires_at(&store).await, None);
    store.put_plan(&digest, "a plan", days(8)).await.unwrap();
    assert_eq!(plan_expires_at(&store).await, Some(first + 86_400));
    assert_eq!(store.plan(&digest).await.unwrap().as_deref(), Some("a plan"));
    // DynamoDB deleted it while a process remembered it.
    delete(&store, &format!("PLAN#{digest}"), "PLAN").await;
    store.put_plan(&digest, "a plan", days(300)).await.unwrap();
    assert_eq!(store.plan(&digest).await.unwrap().as_deref(), Some("a plan"));
}
