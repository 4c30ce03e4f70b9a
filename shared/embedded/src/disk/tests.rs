use std::sync::Arc;
use std::time::Duration;

use heal_runtime::port::{BackendError, Clock, DueRuns as _, Message, QueueName, Receiver as _, Sender as _};
use heal_testkit::memory::ManualClock;
use rusqlite::Connection;

use crate::limit;
use crate::store::{Location, Store};

/// Longer than a disk is asked again after.
const PATIENCE: Duration = Duration::from_secs(30);

fn store() -> Store {
    Store::open(Location::Memory, Arc::new(ManualClock::default()) as Arc<dyn Clock>).unwrap()
}

fn message(body: String) -> Message {
    Message { queue: QueueName::Results, body, delay_ms: 0, traceparent: None }
}

/// More than what is left of the file's last pages.
fn large() -> Message {
    message("x".repeat(64 * 1024))
}

/// From now on the file has no further page.
async fn fill(store: &Store) {
    let fill = |connection: &Connection| {
        let pages: u32 = connection.pragma_query_value(None, "page_count", |row| row.get(0))?;
        connection.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(()))?;
        Ok(())
    };
    store.write_now("test.fill", fill).await.unwrap();
}

async fn make_room(store: &Store) {
    let make_room = |connection: &Connection| {
        connection.pragma_update_and_check(None, "max_page_count", 1_000_000, |_| Ok(()))?;
        Ok(())
    };
    store.write_now("test.make_room", make_room).await.unwrap();
}

/// The disk refuses a write that it has no room for.
async fn refuse(store: &Store) -> BackendError {
    fill(store).await;
    store.send(vec![large()]).await.unwrap_err()
}

#[tokio::test]
async fn a_full_disk_refuses_all_new_work_until_it_has_room() {
    let store = store();
    store.takes_writes("test").await.unwrap();
    let error = refuse(&store).await;
    assert!(matches!(error, BackendError::Unavailable { .. }), "a caller may try again: {error:?}");
    // A small write would fit, and what follows from it would not.
    let error = store.send(vec![message("small".to_owned())]).await.unwrap_err();
    let text = heal_engine::text::chain(&error);
    assert!(text.contains("the disk takes no writes: ") && text.contains("is full"), "{text}");
    assert!(text.ends_with("; make room, and the work goes on"), "{text}");
    store.takes_writes("test").await.unwrap_err();
    make_room(&store).await;
    let asked = tokio::time::timeout(PATIENCE, async {
        while store.takes_writes("test").await.is_err() {
            tokio::time::sleep(limit::DISK_PROBE / 4).await;
        }
    });
    asked.await.expect("it takes writes again");
    store.send(vec![large()]).await.unwrap();
    let probes = |connection: &Connection| {
        Ok(connection.query_row("SELECT count(*) FROM plan", [], |row| row.get::<_, u32>(0))?)
    };
    assert_eq!(store.read("test.probes", probes).await.unwrap(), 0, "a probe leaves nothing");
}

#[tokio::test]
async fn what_ends_work_in_hand_waits_and_comes_before_what_begins_next() {
    let store = store();
    store.send(vec![message("first".to_owned()), message("second".to_owned())]).await.unwrap();
    let mut deliveries = store.receive(&QueueName::Results, 2, 60_000).await.unwrap();
    let (second, first) = (deliveries.pop().unwrap(), deliveries.pop().unwrap());
    refuse(&store).await;
    let ends = tokio::spawn({
        let store = store.clone();
        async move {
            let (receipts, receipt) = (vec![first.receipt], second.receipt);
            let (acknowledged, nacked) = tokio::join!(store.acknowledge(receipts), store.nack(&receipt, 0));
            acknowledged.and(nacked).unwrap();
        }
    });
    assert_eq!(store.receive(&QueueName::Results, 2, 60_000).await.unwrap(), vec![], "nothing begins");
    assert_eq!(store.due(ManualClock::START, 10).await.unwrap(), vec![], "no run is taken for overdue");
    assert!(!ends.is_finished());
    make_room(&store).await;
    let again = tokio::time::timeout(PATIENCE, store.receive(&QueueName::Results, 2, 60_000)).await.unwrap().unwrap();
    assert_eq!(
        again.iter().map(|delivery| (delivery.body.as_str(), delivery.receive_count)).collect::<Vec<_>>(),
        [("second", 1)],
        "the delivery that the disk failed does not count"
    );
    assert!(tokio::time::timeout(PATIENCE, ends).await.unwrap().is_ok());
    assert!(!store.has_caught_up(), "results that waited are still on their way to their runs");
}
