//! A file over [`limit::CHECK_FIRST_BYTES`], which is checked while it is used.

use std::fs;
use std::path::Path;
use std::time::Duration;

use heal_embedded::{Store, limit};
use heal_runtime::port::{BackendError, DueRuns as _, Message, QueueName, Receiver as _, Sender as _};
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

use crate::common::{open, open_exclusive};

/// Far longer than the check takes.
const PATIENCE: Duration = Duration::from_mins(1);

fn message(bytes: usize) -> Message {
    Message { queue: QueueName::Results, body: "x".repeat(bytes), delay_ms: 0, traceparent: None }
}

/// A file with messages that are larger than it may be to be checked first.
async fn large() -> (TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("heal.db");
    let store = open(&path).unwrap();
    for _ in 0..3 {
        store.send(vec![message(limit::TEXT_BYTES)]).await.unwrap();
    }
    drop(store);
    assert!(fs::metadata(&path).unwrap().len() > limit::CHECK_FIRST_BYTES);
    (folder, path)
}

/// Zeroes a page in the middle of the file, which belongs to a message.
fn damage(path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    let page = usize::try_from(limit::PAGE_BYTES).unwrap();
    let at = bytes.len() / page / 2 * page;
    bytes[at..at + page].fill(0);
    fs::write(path, bytes).unwrap();
}

/// The first refusal, once the check has found the damage.
async fn refusal(store: &Store) -> BackendError {
    let give_up = Instant::now() + PATIENCE;
    loop {
        match store.send(vec![message(1)]).await {
            Err(error) => return error,
            Ok(()) => assert!(Instant::now() < give_up, "the damage was not found"),
        }
        sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn damage_in_a_large_file_is_found_while_it_is_used_and_ends_all_writing() {
    let (_folder, path) = large().await;
    damage(&path);
    let store = open_exclusive(&path).unwrap();
    let error = refusal(&store).await;
    let BackendError::Corrupt { operation: "queue.send", detail } = &error else { panic!("{error:?}") };
    assert!(detail.starts_with("the file is damaged: ") && detail.contains("`heal state restore`"), "{detail}");
    let degraded = store.takes_writes().await.unwrap_err();
    assert!(degraded.to_string().contains("the file is damaged: "), "{degraded}");
    assert_eq!(store.receive(&QueueName::Results, 9, 1_000).await.unwrap(), [], "nothing begins");
    assert_eq!(store.due(heal_runtime::Timestamp(u64::MAX), 9).await.unwrap(), [], "nothing goes on");
    assert!(store.next_due().await.unwrap().is_none(), "what is whole can be read");
}

#[tokio::test]
async fn a_large_file_that_is_whole_is_used_at_once_and_closed_while_it_is_checked() {
    let (folder, path) = large().await;
    for _ in 0..3 {
        let store = open_exclusive(&path).unwrap();
        store.send(vec![message(1)]).await.unwrap();
        store.takes_writes().await.unwrap();
    }
    let mut files: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|file| file.unwrap().file_name()).collect();
    files.sort();
    assert_eq!(files, ["heal.db"], "whoever closes it last takes its log away");
}

#[tokio::test]
async fn a_large_file_without_one_of_its_tables_is_refused_at_once() {
    let (_folder, path) = large().await;
    rusqlite::Connection::open(&path).unwrap().execute_batch("DROP INDEX message_due").unwrap();
    let text = crate::common::explain(&open_exclusive(&path).unwrap_err());
    assert!(text.contains("the file is damaged: index message_due is missing"), "{text}");
}
