//! Two stores on one file are what two processes are: separate connections, locks and wake-ups.

use std::sync::Arc;
use std::time::Duration;

use heal_embedded::{Location, Options, Store};
use heal_runtime::port::{Appended, BackendError, Message, QueueName, Receiver, RunFilter, RunLog, RunReader, Sender};
use heal_runtime::{RunId, RunStatus};
use heal_testkit::memory::ManualClock;
use rusqlite::Connection;
use tokio::time::Instant;

use crate::common::{commit, head, new_run, open};

fn message(body: &str) -> Message {
    Message { queue: QueueName::Results, body: body.to_owned(), delay_ms: 0, traceparent: None }
}

#[tokio::test]
async fn another_process_sees_every_acknowledged_commit() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("heal.db");
    let (writer, reader) = (open(&path).unwrap(), open(&path).unwrap());
    for index in 0..20 {
        writer.create(&new_run(&format!("run-{index}"))).await.unwrap();
        assert_eq!(reader.list(&RunFilter::default(), 100, None).await.unwrap().runs.len(), index + 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writers_of_two_processes_leave_no_gap() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("heal.db");
    let stores = [open(&path).unwrap(), open(&path).unwrap()];
    stores[0].create(&new_run("run-1")).await.unwrap();
    let writers = stores.clone().map(|store| {
        tokio::spawn(async move {
            let mut own = 0;
            while own < 40 {
                let next = store.head(&RunId::new("run-1")).await.unwrap().unwrap().last_seq + 1;
                let commit = commit("run-1", next, &format!("{own}"));
                if store.append(&commit, &head(&commit, RunStatus::Running), None).await.unwrap() == Appended::Appended
                {
                    own += 1;
                }
            }
        })
    });
    for writer in writers {
        writer.await.unwrap();
    }
    let log = stores[1].load(&RunId::new("run-1"), 0).await.unwrap();
    // The cause is named by the number alone, so a lost race that found its own number there says `AlreadyThere` and tries again.
    assert_eq!(log.iter().map(|commit| commit.first_seq).collect::<Vec<_>>(), (1..=81).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_waiter_wakes_for_a_message_of_another_process() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("heal.db");
    let (here, there) = (open(&path).unwrap(), open(&path).unwrap());
    let waiter = tokio::spawn({
        let here = here.clone();
        async move {
            here.wait(&QueueName::Results).await;
            here.receive(&QueueName::Results, 10, 1_000).await.unwrap()
        }
    });
    tokio::task::yield_now().await;
    there.send(vec![message("from there")]).await.unwrap();
    let deliveries = tokio::time::timeout(Duration::from_secs(10), waiter).await.unwrap().unwrap();
    assert_eq!(deliveries[0].body, "from there");
    // Its deliveries are leased in the owner's memory, and its acknowledgements are everybody's.
    here.acknowledge(deliveries.into_iter().map(|delivery| delivery.receipt).collect()).await.unwrap();
    assert_eq!(there.receive(&QueueName::Results, 10, 1_000).await.unwrap(), vec![]);
}

#[tokio::test]
async fn a_reader_is_not_held_up_by_a_writer() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("heal.db");
    let store = open(&path).unwrap();
    store.create(&new_run("run-1")).await.unwrap();
    let blocker = Connection::open(&path).unwrap();
    blocker.execute_batch("BEGIN IMMEDIATE; DELETE FROM run").unwrap();
    assert_eq!(store.list(&RunFilter::default(), 10, None).await.unwrap().runs.len(), 1);
    blocker.execute_batch("ROLLBACK").unwrap();
}

#[tokio::test]
async fn a_write_waits_for_another_process_and_then_gives_up() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("heal.db");
    let patience = Duration::from_millis(50);
    let options = Options::new(Location::File(path.clone()), Arc::new(ManualClock::default()));
    let store = Store::open_with(Options { busy_timeout: patience, ..options }).unwrap();
    let blocker = Connection::open(&path).unwrap();
    blocker.execute_batch("BEGIN IMMEDIATE").unwrap();
    let (begun, run) = (Instant::now(), new_run("run-1"));
    let (one, two) = tokio::join!(store.send(vec![message("a")]), store.create(&run));
    assert!(begun.elapsed() >= patience);
    let error = one.unwrap_err();
    assert!(matches!(error, BackendError::Unavailable { operation: "queue.send", .. }), "{error:?}");
    two.unwrap_err();
    blocker.execute_batch("ROLLBACK").unwrap();
    store.create(&new_run("run-1")).await.unwrap();
    assert_eq!(store.receive(&QueueName::Results, 10, 0).await.unwrap(), vec![]);
}
