//! Room among the live runs over one table: what several processes may exceed a bound by, what dies in between, and what it costs.

use std::sync::Arc;

use futures_util::future::join_all;
use heal_aws::Store;
use heal_runtime::port::{Admitted, Appended, Created, DueRuns as _, NewRun, Room, RoomBound, RunHead, RunLog as _};
use heal_runtime::{RunId, RunOutcome, RunStatus};
use heal_stack::meter::{Counts, Meter};
use heal_stack::proxy::{Answer, Call, Forward, Proxy, Watch};
use heal_stack::{MiniStack, table};

use crate::support::run::{T0, commit, head};
use crate::support::session_at;

fn room(max: u32) -> Room {
    Room { bounds: vec![RoomBound { playbooks: vec!["wanted".to_owned()], max }], yields: true }
}

fn run(run_id: &str, room: Option<Room>) -> NewRun {
    let commit = commit(run_id, 1, T0.plus_ms(1));
    let (head, dedupe_key) = (head(&commit, None), format!("dedupe:{run_id}"));
    NewRun { commit, head, dedupe_key, dedupe_until: T0.plus_ms(1), concurrency_key: None, repeat: None, room }
}

fn waiting(run_id: &str) -> NewRun {
    let mut run = run(run_id, None);
    (run.head.status, run.head.wake_at) = (RunStatus::Pending, None);
    run
}

async fn end(store: &Store, run_id: &str, seq: u64) {
    let end = commit(run_id, seq, T0.plus_ms(seq));
    store.append(&end, &head(&end, Some(RunOutcome::Healed)), None).await.unwrap();
}

async fn admit(store: &Store, run_id: &str) -> Admitted {
    let admitted = commit(run_id, 2, T0.plus_ms(2));
    let head = head(&admitted, None);
    store.admit(&admitted, &head, &Room { yields: false, ..room(1) }).await.unwrap()
}

/// Processes with a memory of their own over one table.
async fn processes(count: usize) -> Vec<Store> {
    let table = table::empty(MiniStack::shared()).await;
    let session = session_at(&MiniStack::shared().endpoint_url).await;
    (0..count).map(|_| Store::new(&session, table.table()).unwrap()).collect()
}

/// The slack that the adapter states: for each further process a tenth of the bound, at least one run.
#[tokio::test]
async fn several_processes_exceed_a_bound_by_no_more_than_the_slack() {
    const MAX: u32 = 20;
    let stores = processes(4).await;
    let creates = stores.iter().enumerate().flat_map(|(process, store)| {
        (0..15).map(move |number| {
            let run = run(&format!("run-{process}-{number}"), Some(room(MAX)));
            async move { store.create(&run).await.unwrap() }
        })
    });
    let answers = join_all(creates).await;
    let created = u32::try_from(answers.iter().filter(|answer| **answer == Created::Created).count()).unwrap();
    let slack = 3 * (MAX / 10).max(1);
    assert!((MAX..=MAX + slack).contains(&created), "{created} runs under a bound of {MAX}, the slack is {slack}");
    // Whoever looks now sees them all.
    let taken = processes_see(&stores[0]).await;
    assert_eq!(taken, created);
}

async fn processes_see(store: &Store) -> u32 {
    let later = T0.plus_ms(60_000);
    store.occupancy(later).await.unwrap().taken.get("wanted").copied().unwrap_or_default()
}

#[tokio::test]
async fn a_run_that_another_process_ended_leaves_its_room_within_two_seconds() {
    let stores = processes(2).await;
    assert_eq!(stores[0].create(&run("a", Some(room(1)))).await.unwrap(), Created::Created);
    assert_eq!(stores[1].create(&run("b", Some(room(1)))).await.unwrap(), Created::Full);
    end(&stores[0], "a", 2).await;
    assert_eq!(stores[1].create(&run("b", Some(room(1)))).await.unwrap(), Created::Full, "it has looked just now");
    let mut later = run("b", Some(room(1)));
    later.commit.at = T0.plus_ms(2_001);
    assert_eq!(stores[1].create(&later).await.unwrap(), Created::Created);
}

/// The row was changed, and then the process died: the sweep of any process corrects the row by the log.
#[tokio::test]
async fn a_row_that_is_ahead_of_the_log_is_corrected_by_the_sweep() {
    let stores = processes(2).await;
    stores[0].create(&waiting("a")).await.unwrap();
    let row = serde_json::json!({
        "TableName": stores[0].table(),
        "Key": live_key(&stores[0]).await,
        "UpdateExpression": "SET room = :yes REMOVE waits",
        "ExpressionAttributeValues": {":yes": {"BOOL": true}},
    });
    table::call(MiniStack::shared(), "DynamoDB_20120810.UpdateItem", &row).await;
    assert_eq!(stores[0].count_live().await.unwrap().waiting, 0);
    stores[1].due(T0.plus_ms(60_000), 10).await.unwrap();
    assert_eq!(stores[0].count_live().await.unwrap().waiting, 1);
    assert_eq!(admit(&stores[1], "a").await, Admitted::Written(Appended::Appended));
    let again: RunHead = heal_runtime::port::RunReader::head(&stores[0], &RunId::new("a")).await.unwrap().unwrap();
    assert_eq!(again.status, RunStatus::Running);
}

/// No transaction gets through.
struct NoTransactions;

impl Watch for NoTransactions {
    async fn pass(&self, call: &Call, forward: Forward<'_>) -> Answer {
        match call.operation() {
            "TransactWriteItems" => Answer::error(503, "ServiceUnavailable"),
            _ => forward.send().await,
        }
    }
}

/// The live row was written, and the first commit was not: nobody may wait for such a run, and the sweep removes its row.
#[tokio::test]
async fn a_run_that_was_not_stored_waits_for_no_room() {
    let proxy = Proxy::start(Arc::new(NoTransactions));
    proxy.forward_to(&MiniStack::shared().endpoint_url);
    let store = table::empty(MiniStack::shared()).await;
    let failing = Store::new(&session_at(&proxy.url).await, store.table()).unwrap();
    failing.create(&waiting("a")).await.unwrap_err();
    assert_eq!(crate::support::run::rows(&store, "LIVE#").await.len(), 1);
    assert_eq!(store.occupancy(T0.plus_ms(60_000)).await.unwrap().waiting, []);
    store.due(T0.plus_ms(2 * 3_600_000), 10).await.unwrap();
    assert_eq!(store.count_live().await.unwrap().active, 0);
}

async fn live_key(store: &Store) -> serde_json::Value {
    let rows = crate::support::run::rows(store, "LIVE#").await;
    serde_json::json!({"pk": rows[0]["pk"], "sk": rows[0]["sk"]})
}

async fn units(store: &Store, meter: &Meter, run: NewRun) -> Counts {
    meter.take();
    let run_id = run.commit.run_id.to_string();
    assert_eq!(store.create(&run).await.unwrap(), Created::Created);
    end(store, &run_id, 2).await;
    meter.take()
}

#[tokio::test]
async fn a_run_that_finds_room_costs_no_further_write_unit_and_one_reading() {
    let meter = Meter::start();
    meter.forward_to(&MiniStack::shared().endpoint_url);
    let table = table::empty(MiniStack::shared()).await;
    let store = Store::new(&session_at(&meter.url).await, table.table()).unwrap();
    let without = units(&store, &meter, run("a", None)).await;
    let with = units(&store, &meter, run("b", Some(room(10)))).await;
    assert_eq!(with.write_units, without.write_units, "{without:?} without room, {with:?} with room");
    // Four strongly consistent queries of next to nothing.
    assert_eq!(with.half_read_units, without.half_read_units + 8, "{without:?} without room, {with:?} with room");
}
