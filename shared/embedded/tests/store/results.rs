use heal_embedded::Store;
use heal_engine::{Event, format};
use heal_runtime::port::{
    Admitted, Append, Appended, AttemptSettlement, BackendError, ClaimEnd, ClaimKey, ClaimRequest, ClaimStore,
    LeaseOwner, Reservation, RunLog, SettleOutcome, Settles,
};
use heal_runtime::{AttemptResult, Commit, RunStatus};
use rusqlite::Connection;
use tempfile::TempDir;

use crate::common::{T0, commit, head, new_run, open};

const RESULT: &str = r#"{"ending":"succeeded","output":{"ready":true}}"#;

fn result() -> AttemptResult {
    format::decode(RESULT).unwrap()
}

fn key(attempt: &str) -> ClaimKey {
    ClaimKey { action: "restart_pod".to_owned(), attempt: attempt.to_owned() }
}

fn request(attempt: &str) -> ClaimRequest {
    ClaimRequest::new(key(attempt), LeaseOwner("a".to_owned()), T0, T0.plus_ms(9))
}

/// The run's next commit: something else, then the end of an attempt.
fn end_of_attempt() -> Commit {
    let text = format!(r#"[{{"event":"attempt_ended","step":0,"attempt":1,"result":{RESULT}}}]"#);
    let mut next = commit("run-1", 2, "joined");
    next.events.extend(format::decode::<Vec<Event>>(&text).unwrap());
    next
}

/// A store whose run took the result of an attempt.
async fn settled() -> (TempDir, Store, Connection) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("heal.db");
    let store = open(&path).unwrap();
    store.create(&new_run("run-1")).await.unwrap();
    store.reserve(&request("run-1/step/1")).await.unwrap();
    let (next, holder) = (end_of_attempt(), LeaseOwner("a".to_owned()));
    let end = ClaimEnd { key: key("run-1/step/1"), holder, now: T0, result: result(), proven_not_applied: vec![] };
    let append = Append { commit: &next, head: &head(&next, RunStatus::Running), concurrency_key: None, room: None };
    let outcome = AttemptSettlement::append(&store, append, Some(&end), Settles::default()).await.unwrap();
    let SettleOutcome::Written(written) = outcome else { panic!("the claim is lost") };
    assert_eq!(written.outcome, Admitted::Written(Appended::Appended));
    let file = Connection::open(&path).unwrap();
    (folder, store, file)
}

#[tokio::test]
async fn a_result_that_the_runs_log_has_is_stored_once() {
    let (_folder, store, file) = settled().await;
    let stored: (Option<String>, Option<i64>) =
        file.query_row("SELECT result, result_seq FROM claim", [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    assert_eq!(stored, (None, Some(3)));
    assert_eq!(store.reserve(&request("run-1/step/1")).await.unwrap(), Reservation::Finished(Box::new(result())));
    // A worker that did not hear of its success ends the attempt again.
    let again = store.finish(&key("run-1/step/1"), &LeaseOwner("a".to_owned()), T0, &result(), &[]).await.unwrap();
    assert_eq!(again, heal_runtime::port::Finish::Stored);
    assert_eq!(store.recover().await.unwrap().claims, 0);
}

#[tokio::test]
async fn a_result_that_is_missing_in_the_log_is_named_by_its_attempt() {
    let (_folder, store, file) = settled().await;
    file.execute("DELETE FROM event_commit WHERE first_seq = 2", []).unwrap();
    let BackendError::Corrupt { detail, .. } = store.reserve(&request("run-1/step/1")).await.unwrap_err() else {
        panic!("expected a damaged store");
    };
    let expected = "claim of run-1/step/1 on restart_pod: expected its result at sequence number 3 of its run's log";
    assert_eq!(detail, expected);
}

#[tokio::test]
async fn runs_with_steps_of_the_same_name_have_claims_of_their_own() {
    let (_folder, store, _file) = settled().await;
    store.create(&new_run("run-2")).await.unwrap();
    for attempt in ["run-2/step/1", "run-1/step/2", "run-3/step/1", "step/1"] {
        let held = Reservation::Held { recovered: false, cooling: vec![], budgets: vec![] };
        assert_eq!(store.reserve(&request(attempt)).await.unwrap(), held, "{attempt}");
    }
}
