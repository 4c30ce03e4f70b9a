//! Bounds of the store that the ports' contract suites do not cover.

use std::fs;
use std::sync::Arc;

use heal_embedded::{Location, Options, Store, limit};
use heal_runtime::port::{Delivery, Message, QueueName, Receiver, Sender};
use heal_testkit::memory::ManualClock;

use crate::common::open;

fn message(body: String) -> Message {
    Message { queue: QueueName::Results, body, delay_ms: 0, traceparent: None }
}

fn receipts(deliveries: Vec<Delivery>) -> Vec<String> {
    deliveries.into_iter().map(|delivery| delivery.receipt).collect()
}

#[tokio::test]
async fn deliveries_are_as_many_as_the_options_say() {
    let options = Options::new(Location::Memory, Arc::new(ManualClock::default()));
    let store = Store::open_with(Options { max_receives: 2, ..options }).unwrap();
    store.send(vec![message("a".to_owned())]).await.unwrap();
    for count in 1..=2 {
        assert_eq!(store.receive(&QueueName::Results, 10, 0).await.unwrap()[0].receive_count, count);
    }
    assert_eq!(store.receive(&QueueName::Results, 10, 0).await.unwrap(), vec![]);
    assert_eq!(store.dead_letters(10).await.unwrap()[0].reason, "delivered 2 times and never acknowledged");
}

#[tokio::test]
async fn one_receive_dead_letters_a_bounded_number_of_messages() {
    let options = Options::new(Location::Memory, Arc::new(ManualClock::default()));
    let store = Store::open_with(Options { max_receives: 1, ..options }).unwrap();
    let poison = limit::DEAD_LETTER_ROUNDS + 3;
    store.send((0..poison).map(|index| message(index.to_string())).collect()).await.unwrap();
    assert_eq!(store.receive(&QueueName::Results, poison, 0).await.unwrap().len(), poison);
    store.send(vec![message("behind them".to_owned())]).await.unwrap();
    assert_eq!(store.receive(&QueueName::Results, 1, 0).await.unwrap(), vec![]);
    assert_eq!(store.dead_letters(1_000).await.unwrap().len(), limit::DEAD_LETTER_ROUNDS);
    // A message is still due, so the waiter returns at once.
    store.wait(&QueueName::Results).await;
    assert_eq!(store.receive(&QueueName::Results, 1, 0).await.unwrap()[0].body, "behind them");
    assert_eq!(store.dead_letters(1_000).await.unwrap().len(), poison);
}

#[tokio::test]
async fn more_writes_than_fit_one_transaction_are_all_committed() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder.path().join("heal.db")).unwrap();
    let count = limit::GROUP_WRITES * 2 + 1;
    let sending: Vec<_> = (0..count)
        .map(|index| {
            let store = store.clone();
            tokio::spawn(async move { store.send(vec![message(index.to_string())]).await })
        })
        .collect();
    for sent in sending {
        sent.await.unwrap().unwrap();
    }
    assert_eq!(store.receive(&QueueName::Results, count + 1, 60_000).await.unwrap().len(), count);
}

#[tokio::test]
async fn the_log_beside_the_file_and_the_file_stay_small() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("heal.db");
    let store = open(&path).unwrap();
    let checkpoint_bytes = u64::from(limit::CHECKPOINT_PAGES) * u64::from(limit::PAGE_BYTES);
    let body = "x".repeat(1024 * 1024);
    // Three times the log's checkpoint size passes through the queue, and no message stays.
    for _ in 0..checkpoint_bytes * 3 / 1024 / 1024 {
        store.send(vec![message(body.clone())]).await.unwrap();
        let deliveries = store.receive(&QueueName::Results, 1, 60_000).await.unwrap();
        store.acknowledge(receipts(deliveries)).await.unwrap();
    }
    let log_bytes = fs::metadata(folder.path().join("heal.db-wal")).unwrap().len();
    assert!(
        log_bytes < checkpoint_bytes * 2,
        "the log has {log_bytes} bytes, a checkpoint comes at {checkpoint_bytes}"
    );
    let file_bytes = fs::metadata(&path).unwrap().len();
    assert!(file_bytes < 8 * 1024 * 1024, "the file has {file_bytes} bytes and holds nothing");
}
