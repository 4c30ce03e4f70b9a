use std::error::Error as _;
use std::fs;
use std::path::Path;

use heal_embedded::{OpenError, Store, limit};
use heal_runtime::RunId;
use heal_runtime::port::{CheckStore, RunLog, RunReader};
use rusqlite::Connection;

use crate::common::{new_run, open};

/// The error of opening `path`, with its causes.
fn refusal(path: &Path) -> String {
    let error = open(path).unwrap_err();
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        text = format!("{text}: {next}");
        cause = next.source();
    }
    text
}

/// The first version had neither budgets nor halts nor the checks' states nor the intents of claims nor what runs are about.
const TO_VERSION_1: &str = "
DROP TABLE claim;
CREATE TABLE claim (action TEXT NOT NULL, attempt TEXT NOT NULL, holder TEXT, lease_until INTEGER NOT NULL, recovered INTEGER NOT NULL,
    reserved TEXT NOT NULL, result TEXT, PRIMARY KEY (action, attempt)) STRICT, WITHOUT ROWID;
CREATE INDEX claim_lease ON claim (lease_until);
DROP TABLE cooldown;
CREATE TABLE cooldown (action TEXT NOT NULL, target TEXT NOT NULL, reserved_at INTEGER NOT NULL, until INTEGER NOT NULL, by_action TEXT,
    by_attempt TEXT, before_at INTEGER, before_until INTEGER, PRIMARY KEY (action, target)) STRICT, WITHOUT ROWID;
CREATE INDEX cooldown_until ON cooldown (until);
DROP INDEX run_room;
DROP INDEX run_waiting;
ALTER TABLE run DROP COLUMN room;
DROP TABLE budget;
DROP TABLE repeated;
DROP TABLE autonomy;
DROP TABLE check_state;
ALTER TABLE event_commit DROP COLUMN packed;
ALTER TABLE message DROP COLUMN packed;
ALTER TABLE dead_letter DROP COLUMN packed;
ALTER TABLE event_commit DROP COLUMN chain;
CREATE INDEX dedupe_until ON dedupe (until);
DROP TABLE halt;
DROP INDEX run_held;
ALTER TABLE run DROP COLUMN held_by;
DROP INDEX run_by_incident;
DROP INDEX run_by_ticket;
DROP INDEX run_by_workflow;
DROP INDEX run_by_worker;
DROP INDEX run_attention;
ALTER TABLE run DROP COLUMN ticket_id;
ALTER TABLE run DROP COLUMN workflow_id;
ALTER TABLE run DROP COLUMN worker_id;
ALTER TABLE run DROP COLUMN severity;
ALTER TABLE run DROP COLUMN escalation_required;
ALTER TABLE run DROP COLUMN urgency;
ALTER TABLE run DROP COLUMN open_follow_ups;
ALTER TABLE run DROP COLUMN attention;
PRAGMA user_version = 1;
";

fn version(path: &Path) -> u32 {
    Connection::open(path).unwrap().pragma_query_value(None, "user_version", |row| row.get(0)).unwrap()
}

#[tokio::test]
async fn a_reopened_file_has_what_was_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("heal.db");
    let run = new_run("run-1");
    open(&path).unwrap().create(&run).await.unwrap();
    let store = open(&path).unwrap();
    assert_eq!(RunReader::load(&store, &RunId::new("run-1"), 0).await.unwrap(), vec![run.commit]);
}

#[tokio::test]
async fn a_closed_store_leaves_one_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("heal.db");
    let store = open(&path).unwrap();
    store.clone().create(&new_run("run-1")).await.unwrap();
    drop(store);
    let files: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(files, ["heal.db"]);
}

#[test]
fn a_new_file_is_its_owners_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("heal.db");
    let _store = open(&path).unwrap();
    for file in ["heal.db", "heal.db-wal"] {
        let metadata = fs::metadata(folder.path().join(file)).unwrap();
        #[cfg(unix)]
        assert_eq!(std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o777, 0o600, "{file}");
        assert!(metadata.is_file());
    }
}

#[test]
fn a_log_is_synced_at_every_commit() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("heal.db");
    let _store = open(&path).unwrap();
    let mode: String =
        Connection::open(&path).unwrap().pragma_query_value(None, "journal_mode", |row| row.get(0)).unwrap();
    assert_eq!(mode, "wal");
}

#[test]
fn a_new_file_has_small_pages_and_an_earlier_one_keeps_its_own() {
    let folder = tempfile::tempdir().unwrap();
    for (name, before, expected) in [("new.db", None, limit::PAGE_BYTES), ("earlier.db", Some(4_096), 4_096)] {
        let path = folder.path().join(name);
        if let Some(bytes) = before {
            let earlier = Connection::open(&path).unwrap();
            earlier.pragma_update(None, "page_size", bytes).unwrap();
            earlier.pragma_update(None, "application_id", i32::from_be_bytes(*b"heal")).unwrap();
        }
        drop(open(&path).unwrap());
        let bytes: u32 =
            Connection::open(&path).unwrap().pragma_query_value(None, "page_size", |row| row.get(0)).unwrap();
        assert_eq!(bytes, expected, "{name}");
    }
}

#[test]
fn a_missing_folder_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("nowhere").join("heal.db");
    let text = refusal(&path);
    assert!(text.contains("nowhere/heal.db\": the operating system refused: No such file"), "{text}");
}

#[test]
fn a_file_that_is_not_a_database_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notes.txt");
    let notes = "not a database at all, but long enough to be read as the header of one".repeat(100);
    fs::write(&path, &notes).unwrap();
    let text = refusal(&path);
    assert!(text.ends_with("notes.txt\": the file is not a SQLite database"), "{text}");
    assert_eq!(fs::read_to_string(&path).unwrap(), notes);
}

#[test]
fn a_database_of_another_program_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("other.db");
    let other = Connection::open(&path).unwrap();
    other.execute_batch("CREATE TABLE theirs (x); PRAGMA application_id = 7; PRAGMA user_version = 99").unwrap();
    drop(other);
    let before = fs::read(&path).unwrap();
    let text = refusal(&path);
    assert!(
        text.contains("other.db\": the database belongs to another application (application_id 7, expected "),
        "{text}"
    );
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[test]
fn a_database_of_a_newer_version_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("heal.db");
    drop(open(&path).unwrap());
    let newer = Store::version() + 1;
    Connection::open(&path).unwrap().pragma_update(None, "user_version", newer).unwrap();
    let error = open(&path).unwrap_err();
    let OpenError::File { cause, .. } = &error else { panic!("{error:?}") };
    assert!(
        matches!(**cause, OpenError::Newer { observed, supported } if observed == newer && supported == newer - 1),
        "{error:?}"
    );
    let text = refusal(&path);
    let expected = format!("heal.db\": schema version {newer} is newer than this build's {}; upgrade heal", newer - 1);
    assert!(text.starts_with("failed to open state file \"") && text.ends_with(&expected), "{text}");
}

#[test]
fn a_new_file_may_be_opened_by_many_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("heal.db");
    let stores: Vec<_> = std::thread::scope(|scope| {
        let opening: Vec<_> = (0..8).map(|_| scope.spawn(|| open(&path))).collect();
        opening.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    for store in stores {
        store.unwrap();
    }
    assert_eq!(version(&path), Store::version());
}

#[tokio::test]
async fn a_file_of_an_earlier_version_becomes_a_current_one_and_keeps_its_runs() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("heal.db");
    let store = open(&path).unwrap();
    store.create(&new_run("run-1")).await.unwrap();
    drop(store);
    let earlier = Connection::open(&path).unwrap();
    earlier.execute_batch(TO_VERSION_1).unwrap();
    drop(earlier);
    let store = open(&path).unwrap();
    assert!(CheckStore::store(&store, "opa_health", 0, "{}").await.unwrap());
    assert_eq!(RunReader::load(&store, &RunId::new("run-1"), 0).await.unwrap().len(), 1);
    assert_eq!(version(&path), Store::version());
    // The earlier file is kept beside it, for its owner alone, and an earlier build could still use it.
    let backup = folder.path().join("heal.db.v1.bak");
    assert_eq!(version(&backup), 1);
    let runs = Connection::open(&backup).unwrap().query_row("SELECT count(*) FROM run", [], |row| row.get::<_, u32>(0));
    assert_eq!(runs.unwrap(), 1);
    #[cfg(unix)]
    {
        let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&backup).unwrap().permissions());
        assert_eq!(mode & 0o777, 0o600);
    }
}

#[tokio::test]
async fn a_file_whose_copy_cannot_be_kept_is_not_migrated() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("heal.db");
    drop(open(&path).unwrap());
    let earlier = Connection::open(&path).unwrap();
    earlier.execute_batch(TO_VERSION_1).unwrap();
    drop(earlier);
    fs::create_dir_all(folder.path().join("heal.db.v1.bak").join("in the way")).unwrap();
    let text = refusal(&path);
    assert!(text.contains("heal.db.v1.bak\" before the migration from schema version 1"), "{text}");
    assert_eq!(version(&path), 1);
}
