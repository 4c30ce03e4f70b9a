//! The state file as a file of the operating system.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use heal_runtime::port::RunLog;
use tempfile::TempDir;

use crate::common::{explain, new_run, open, open_exclusive, page_bytes};

/// Longer than any refusal takes on a busy machine.
const PATIENCE: Duration = Duration::from_mins(1);

/// A folder with the state file `heal.db`, on which nobody works.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    drop(open(&folder.path().join("heal.db")).unwrap());
    folder
}

/// Why the file is refused, to whoever works on it and to whoever only reads it. The answer comes at once.
fn refusal(path: &Path) -> String {
    let (answer, answered) = mpsc::channel();
    let path = path.to_owned();
    thread::spawn(move || {
        let [works, reads] = [open_exclusive, open].map(|open| explain(&open(&path).unwrap_err()));
        answer.send((works, reads)).unwrap();
    });
    let (works, reads) = answered.recv_timeout(PATIENCE).expect("the opening hangs");
    assert_eq!(works, reads);
    works
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn a_symbolic_link_is_refused_with_the_file_to_name() {
    let folder = folder();
    let (path, link) = (folder.path().join("heal.db"), folder.path().join("link.db"));
    symlink(&path, &link).unwrap();
    let text = refusal(&link);
    assert!(
        text.contains("link.db\": the file cannot be used: it is a symbolic link to \"")
            && text.contains("/heal.db\"; name that file itself"),
        "{text}"
    );
    // Nor is a file created at the end of a link.
    let dangling = folder.path().join("dangling.db");
    symlink(folder.path().join("nowhere.db"), &dangling).unwrap();
    assert!(refusal(&dangling).contains("symbolic link"));
    assert!(!folder.path().join("nowhere.db").exists());
}

#[test]
fn a_file_in_a_linked_folder_is_the_same_file() {
    let folder = folder();
    let link = folder.path().join("linked");
    symlink(folder.path(), &link).unwrap();
    let owner = open_exclusive(&folder.path().join("heal.db")).unwrap();
    let text = explain(&open_exclusive(&link.join("heal.db")).unwrap_err());
    assert!(text.contains("another heal works on this state file"), "{text}");
    drop(owner);
    open_exclusive(&link.join("heal.db")).unwrap();
}

#[test]
fn a_file_with_a_second_name_is_refused_under_both() {
    let folder = folder();
    let (path, second) = (folder.path().join("heal.db"), folder.path().join("second.db"));
    fs::hard_link(&path, &second).unwrap();
    for path in [&path, &second] {
        let text = refusal(path);
        assert!(text.contains("it has 2 names (hard links), expected 1"), "{text}");
    }
    fs::remove_file(&second).unwrap();
    open_exclusive(&path).unwrap();
}

#[test]
fn what_is_not_a_regular_file_is_refused_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let fifo = folder.path().join("fifo.db");
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    assert!(refusal(&fifo).contains("it is a FIFO, expected a regular file"));
    let socket = folder.path().join("socket.db");
    let _listener = UnixListener::bind(&socket).unwrap();
    assert!(refusal(&socket).contains("it is a socket"));
    fs::create_dir(folder.path().join("folder.db")).unwrap();
    assert!(refusal(&folder.path().join("folder.db")).contains("it is a folder"));
    assert!(refusal(Path::new("/dev/null")).contains("it is a device"));
}

#[test]
fn a_file_beside_it_that_leads_elsewhere_is_refused_and_its_target_stays() {
    let folder = folder();
    let (path, victim) = (folder.path().join("heal.db"), folder.path().join("victim"));
    fs::write(&victim, "precious").unwrap();
    for suffix in ["-wal", "-shm", "-journal", ".hand"] {
        let beside = folder.path().join(format!("heal.db{suffix}"));
        symlink(&victim, &beside).unwrap();
        let text = refusal(&path);
        assert!(text.contains(&format!("heal.db{suffix}\" beside it cannot be used: it is a symbolic link")), "{text}");
        assert_eq!(fs::read_to_string(&victim).unwrap(), "precious");
        fs::remove_file(&beside).unwrap();
    }
}

#[test]
fn what_others_could_read_is_the_owners_alone_afterwards() {
    let folder = folder();
    let (path, hand) = (folder.path().join("heal.db"), folder.path().join("heal.db.hand"));
    fs::write(&hand, "").unwrap();
    for file in [&path, &hand] {
        fs::set_permissions(file, fs::Permissions::from_mode(0o664)).unwrap();
    }
    let _store = open(&path).unwrap();
    assert_eq!((mode(&path), mode(&hand)), (0o600, 0o600));
}

#[test]
fn a_file_has_one_owner_and_any_number_of_readers() {
    let folder = folder();
    let path = folder.path().join("heal.db");
    let owner = open_exclusive(&path).unwrap();
    let text = explain(&open_exclusive(&path).unwrap_err());
    let own = std::process::id();
    assert!(text.contains(&format!("another heal works on this state file (process {own}); stop it")), "{text}");
    let reader = open(&path).unwrap();
    assert!(reader.is_owned_by_another());
    assert!(!owner.is_owned_by_another());
    drop(owner);
    assert!(!reader.is_owned_by_another());
    open_exclusive(&path).unwrap();
}

#[test]
fn a_lock_file_of_an_earlier_build_is_nothing() {
    let folder = folder();
    let (path, victim) = (folder.path().join("heal.db"), folder.path().join("victim"));
    fs::write(&victim, "precious").unwrap();
    symlink(&victim, folder.path().join("heal.db.lock")).unwrap();
    let other = fs::File::open(&victim).unwrap();
    other.lock().unwrap();
    let _store = open_exclusive(&path).unwrap();
    assert_eq!(fs::read_to_string(&victim).unwrap(), "precious");
}

#[test]
fn an_empty_file_is_no_state_file_to_work_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("heal.db");
    fs::write(&path, "").unwrap();
    let text = explain(&open_exclusive(&path).unwrap_err());
    assert!(text.contains("the file is empty, expected a state file; remove it"), "{text}");
    assert_eq!(fs::metadata(&path).unwrap().len(), 0);
    fs::remove_file(&path).unwrap();
    open_exclusive(&path).unwrap();
}

#[tokio::test]
async fn a_file_that_is_damaged_anywhere_is_refused_and_stays_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("heal.db");
    let store = open(&path).unwrap();
    for number in 0..60 {
        store.create(&new_run(&format!("run-{number}"))).await.unwrap();
    }
    drop(store);
    let whole = fs::read(&path).unwrap();
    let page = page_bytes(&whole);
    assert!(whole.len() >= 30 * page, "{} pages", whole.len() / page);
    let garbage: Vec<u8> = (0..page).map(|byte| u8::try_from(byte * 7 % 251).unwrap()).collect();
    for at in (0..whole.len()).step_by(page) {
        for (what, damaged) in [
            ("zeroed", [&whole[..at], &vec![0; page], &whole[at + page..]].concat()),
            ("overwritten", [&whole[..at], &garbage, &whole[at + page..]].concat()),
            ("cut off", whole[..=at.max(100)].to_vec()),
        ] {
            let number = at / page + 1;
            fs::write(&path, &damaged).unwrap();
            let text = match open_exclusive(&path) {
                Ok(_) => panic!("page {number} {what} is served"),
                Err(error) => explain(&error),
            };
            let is_named = ["is damaged: ", "not a SQLite database", "belongs to another application"];
            assert!(is_named.iter().any(|name| text.contains(name)), "page {number} {what}: {text}");
            assert_eq!(fs::read(&path).unwrap(), damaged, "page {number} {what}: the file was changed");
        }
    }
    fs::write(&path, &whole).unwrap();
    open_exclusive(&path).unwrap();
}

#[test]
fn a_file_without_one_of_its_tables_is_refused_by_name() {
    let folder = folder();
    let path = folder.path().join("heal.db");
    rusqlite::Connection::open(&path).unwrap().execute_batch("DROP INDEX message_due").unwrap();
    let text = explain(&open_exclusive(&path).unwrap_err());
    assert!(text.contains("the file is damaged: index message_due is missing; keep it"), "{text}");
    assert!(text.contains("`heal state restore`"), "{text}");
}
