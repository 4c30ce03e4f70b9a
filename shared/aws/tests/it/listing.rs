//! A listing that finds little examines a bounded number of runs, and says where it stopped.

use heal_aws::Store;
use heal_aws::limit::LIST_EXAMINED_RUNS;
use heal_engine::event::RunOutcome;
use heal_runtime::Timestamp;
use heal_runtime::port::{RunFilter, RunReader as _};
use heal_stack::{MiniStack, table};
use serde_json::{Value, json};

use crate::support::run::{T0, write};

/// Entries of the index, one a second from `T0` on, of runs of another playbook.
async fn fill_index(store: &Store, partition: &str, count: usize) {
    let row = |number: usize| {
        let (run_id, at) = (format!("other-{number}"), T0.plus_ms(1_000 * (1 + number as u64)).0);
        json!({"PutRequest": {"Item": {
            "pk": {"S": format!("RUN#{run_id}")}, "sk": {"S": "0000000001"}, "run_id": {"S": run_id},
            "gsi_pk": {"S": partition}, "gsi_sk": {"S": format!("{at:020}#{run_id}")},
            "incident_id": {"S": "INC-other"}, "playbook": {"S": "other"}, "status": {"S": partition},
            "started_at": {"N": at.to_string()}, "updated_at": {"N": at.to_string()}, "last_seq": {"N": "1"},
        }}})
    };
    let rows: Vec<Value> = (0..count).map(row).collect();
    for batch in rows.chunks(25) {
        let write = json!({"RequestItems": {store.table(): batch}});
        table::call(MiniStack::shared(), "DynamoDB_20120810.BatchWriteItem", &write).await;
    }
}

#[tokio::test]
async fn a_listing_stops_early_says_so_and_goes_on_from_there() {
    let store = table::empty(MiniStack::shared()).await;
    write(&store, "wanted", 2, Some(RunOutcome::Healed)).await;
    fill_index(&store, "COMPLETED", LIST_EXAMINED_RUNS + 100).await;
    let filter = RunFilter { playbook: Some("wanted".to_owned()), ..RunFilter::default() };
    let first = store.list(&filter, 10, None).await.unwrap();
    assert_eq!(first.runs, []);
    // The newest are examined first: the hundred oldest are left.
    assert_eq!(first.unexamined_before, Some(T0.plus_ms(101_000)));
    let second = store.list(&filter, 10, first.next.as_deref()).await.unwrap();
    let found: Vec<&str> = second.runs.iter().map(|head| head.run_id.as_str()).collect();
    assert_eq!((found, second.next, second.unexamined_before), (vec!["wanted"], None, None));
    assert_eq!(second.runs[0].subject.ticket_id.as_deref(), Some("t-1"), "read from the log");

    // Without a filter, no more is read than the page needs.
    let newest = store.list(&RunFilter { since: Some(Timestamp(0)), ..RunFilter::default() }, 0, None).await.unwrap();
    assert_eq!((newest.runs.len(), newest.unexamined_before), (0, None));
}

/// Runs that completed need nobody, so they are not examined, however many there are.
#[tokio::test]
async fn a_listing_by_urgency_says_what_it_did_not_examine() {
    let store = table::empty(MiniStack::shared()).await;
    fill_index(&store, "COMPLETED", LIST_EXAMINED_RUNS + 100).await;
    write(&store, "degraded", 2, Some(RunOutcome::Degraded)).await;
    write(&store, "failed", 2, Some(RunOutcome::Failed)).await;
    let filter = RunFilter { needs_attention: true, playbook: Some("wanted".to_owned()), ..RunFilter::default() };
    let page = store.list(&filter, 10, None).await.unwrap();
    let found: Vec<&str> = page.runs.iter().map(|head| head.run_id.as_str()).collect();
    assert_eq!((found, page.next, page.unexamined_before), (vec!["failed", "degraded"], None, None));

    fill_index(&store, "CANCELLED", LIST_EXAMINED_RUNS + 100).await;
    let page = store.list(&filter, 10, None).await.unwrap();
    assert_eq!((page.runs.len(), page.next), (2, None));
    assert_eq!(page.unexamined_before, Some(T0.plus_ms(101_000)));
}
