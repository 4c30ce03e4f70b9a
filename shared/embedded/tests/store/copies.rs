//! Backups, their restoration, and the examination of a file.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use heal_embedded::{OpenError, back_up, examine, restore};
use heal_runtime::RunId;
use heal_runtime::port::{Message, QueueName, Receiver, RunLog, RunReader, Sender};

use crate::common::{explain, new_run, open, open_exclusive, page_bytes};

async fn has_run(path: &Path, run_id: &str) -> bool {
    open(path).unwrap().head(&RunId::new(run_id)).await.unwrap().is_some()
}

fn files(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// A log with a run `elsewhere` in it.
async fn log_of_a_killed_process(folder: &Path) -> Vec<u8> {
    let other = folder.join("other.db");
    let store = open(&other).unwrap();
    store.create(&new_run("elsewhere")).await.unwrap();
    let log = fs::read(folder.join("other.db-wal")).unwrap();
    drop(store);
    fs::remove_file(other).unwrap();
    log
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_is_of_one_moment_while_a_process_writes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("heal.db");
    let store = open_exclusive(&path).unwrap();
    store.create(&new_run("before")).await.unwrap();
    let writing = tokio::spawn({
        let store = store.clone();
        async move {
            for number in 0..200 {
                store.create(&new_run(&format!("run-{number}"))).await.unwrap();
            }
        }
    });
    let copy = folder.path().join("copy.db");
    let bytes = back_up(&path, &copy).unwrap();
    writing.await.unwrap();
    assert_eq!(bytes, fs::metadata(&copy).unwrap().len());
    assert_eq!(fs::metadata(&copy).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(has_run(&copy, "before").await);
    let examined = examine(&copy).unwrap();
    assert_eq!((examined.findings, examined.version), (vec![], heal_embedded::Store::version()));
    assert!((1..=201).contains(&examined.runs), "{}", examined.runs);
    assert_eq!(examine(&path).unwrap().runs, 201, "the one in use can be examined too");
}

#[tokio::test]
async fn a_backup_replaces_nothing_and_leaves_nothing_of_a_failed_one() {
    let folder = tempfile::tempdir().unwrap();
    let (path, copy) = (folder.path().join("heal.db"), folder.path().join("copy.db"));
    drop(open(&path).unwrap());
    fs::write(&copy, "precious").unwrap();
    let error = back_up(&path, &copy).unwrap_err();
    assert!(matches!(error, OpenError::Exists { .. }), "{}", explain(&error));
    assert_eq!(fs::read_to_string(&copy).unwrap(), "precious");
    // A damaged file is not copied: a copy of it would be found useless when it is needed.
    let mut damaged = fs::read(&path).unwrap();
    let root: usize = rusqlite::Connection::open(&path)
        .unwrap()
        .query_row("SELECT rootpage FROM sqlite_schema WHERE name = 'event_commit'", [], |row| row.get::<_, u32>(0))
        .unwrap()
        .try_into()
        .unwrap();
    let page = page_bytes(&damaged);
    damaged[(root - 1) * page..root * page].fill(0);
    fs::write(&path, &damaged).unwrap();
    let text = explain(&back_up(&path, &folder.path().join("next.db")).unwrap_err());
    assert!(text.contains("damaged") || text.contains("malformed"), "{text}");
    assert_eq!(files(folder.path()), ["copy.db", "heal.db"]);
    assert_eq!(fs::read(&path).unwrap(), damaged);
}

#[tokio::test]
async fn a_restored_file_is_the_backup_and_what_was_there_is_kept_with_what_belongs_to_it() {
    let folder = tempfile::tempdir().unwrap();
    let (path, copy) = (folder.path().join("heal.db"), folder.path().join("copy.db"));
    let store = open_exclusive(&path).unwrap();
    store.create(&new_run("old")).await.unwrap();
    back_up(&path, &copy).unwrap();
    store.recover().await.unwrap();
    store.create(&new_run("new")).await.unwrap();
    let message =
        |body: &str| Message { queue: QueueName::Results, body: body.to_owned(), delay_ms: 0, traceparent: None };
    store.send(vec![message("in hand")]).await.unwrap();
    assert_eq!(store.receive(&QueueName::Results, 1, 60_000).await.unwrap().len(), 1);

    // Not while a process works on it.
    let text = explain(&restore(&copy, &path).unwrap_err());
    assert!(text.contains("another heal works on this state file"), "{text}");
    assert!(has_run(&path, "new").await);

    // The process died: its log, and its record of the message in hand, are of the file that goes.
    let hand = fs::read(folder.path().join("heal.db.hand")).unwrap();
    drop(store);
    fs::write(folder.path().join("heal.db.hand"), &hand).unwrap();
    let restored = restore(&copy, &path).unwrap();
    let kept = folder.path().canonicalize().unwrap().join("heal.db.replaced.1");
    assert_eq!(restored.replaced.as_deref(), Some(kept.as_path()));
    assert_eq!(files(folder.path()), ["copy.db", "heal.db", "heal.db.replaced.1", "heal.db.replaced.1.hand"]);
    assert!(has_run(&path, "old").await && !has_run(&path, "new").await);
    assert!(has_run(&kept, "new").await);
    // Nothing of the record counts against the backup's messages, which may have the same numbers.
    let store = open_exclusive(&path).unwrap();
    assert_eq!(store.recover().await.unwrap().messages, 0);
    drop(store);
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);

    // Once more, over a file that is damaged: that is what it is for.
    fs::write(&path, "rubbish").unwrap();
    assert!(restore(&copy, &path).unwrap().replaced.unwrap().ends_with("heal.db.replaced.2"));
    assert!(has_run(&path, "old").await);
}

#[tokio::test]
async fn a_backup_that_is_not_whole_restores_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (path, copy) = (folder.path().join("heal.db"), folder.path().join("copy.db"));
    let store = open(&path).unwrap();
    store.create(&new_run("there")).await.unwrap();
    drop(store);
    let before = fs::read(&path).unwrap();
    for content in ["", "not a database at all, but long enough to be read as the header of one"] {
        fs::write(&copy, content.repeat(100)).unwrap();
        assert!(restore(&copy, &path).is_err(), "{content:?}");
        assert_eq!(
            (fs::read(&path).unwrap(), files(folder.path())),
            (before.clone(), vec!["copy.db".to_owned(), "heal.db".to_owned()])
        );
    }
    // A file that is missing is restored as well.
    fs::remove_file(&copy).unwrap();
    back_up(&path, &copy).unwrap();
    fs::remove_file(&path).unwrap();
    // SQLite would write the log of the lost file into the backup.
    let stale = log_of_a_killed_process(folder.path()).await;
    fs::write(folder.path().join("heal.db-wal"), stale).unwrap();
    assert_eq!(restore(&copy, &path).unwrap().replaced, None);
    assert_eq!(examine(&path).unwrap().findings, Vec::<String>::new());
    assert!(has_run(&path, "there").await && !has_run(&path, "elsewhere").await);
}

#[tokio::test]
async fn an_examination_names_what_is_damaged_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("heal.db");
    let store = open(&path).unwrap();
    store.create(&new_run("run-1")).await.unwrap();
    drop(store);
    assert_eq!((examine(&path).unwrap().findings, examine(&path).unwrap().runs), (vec![], 1));
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection.execute_batch("PRAGMA foreign_keys = off; DELETE FROM run; DROP INDEX message_due").unwrap();
    drop(connection);
    let before = fs::read(&path).unwrap();
    let findings = examine(&path).unwrap().findings;
    assert_eq!(findings, ["table event_commit has rows without their row of run", "index message_due is missing"]);
    assert_eq!(fs::read(&path).unwrap(), before);
    assert_eq!(files(folder.path()), ["heal.db"]);
}
