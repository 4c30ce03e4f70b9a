use heal_embedded::limit;
use heal_engine::chain;
use heal_runtime::port::{
    BackendError, ClaimKey, ClaimRequest, ClaimStore, LeaseOwner, Message, QueueName, Receiver, RunFilter, RunLog,
    RunReader, Sender,
};
use heal_runtime::{Digest, RunId, RunStatus};
use rusqlite::Connection;
use tempfile::TempDir;

use crate::common::{T0, commit, head, new_run, open};

/// A store with a run of three commits, after `sql` was done to its file.
async fn damaged(sql: &str) -> (TempDir, heal_embedded::Store) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("heal.db");
    let store = open(&path).unwrap();
    store.create(&new_run("run-1")).await.unwrap();
    for seq in 2..=3 {
        let next = commit("run-1", seq, "next");
        store.append(&next, &head(&next, RunStatus::Running), None).await.unwrap();
    }
    let key = ClaimKey { action: "restart_pod".to_owned(), attempt: "run-1/step/1".to_owned() };
    let claim = ClaimRequest::new(key, LeaseOwner("a".to_owned()), T0, T0.plus_ms(9));
    store.reserve(&claim).await.unwrap();
    Connection::open(&path).unwrap().execute_batch(sql).unwrap();
    (folder, store)
}

fn corrupt(error: BackendError) -> String {
    let BackendError::Corrupt { operation, detail } = error else { panic!("{error:?}") };
    format!("{operation}: {detail}")
}

#[tokio::test]
async fn a_commit_that_is_no_json_is_named_by_run_and_sequence_number() {
    let (_folder, store) = damaged("UPDATE event_commit SET events = '[{' WHERE first_seq = 2").await;
    let text = corrupt(store.load(&RunId::new("run-1"), 0).await.unwrap_err());
    assert!(
        text.starts_with(
            "runs.load: run run-1, commit at sequence number 2: failed to read run events: the text is malformed: EOF"
        ),
        "{text}"
    );
    // The commits after it can still be read.
    assert_eq!(store.load(&RunId::new("run-1"), 2).await.unwrap().len(), 1);
}

/// A long command is stored packed, and is the same to consumers and people.
#[tokio::test]
async fn a_command_that_cannot_be_unpacked_is_delivered_as_damage_and_holds_up_none_behind_it() {
    let (folder, sender) = damaged("").await;
    let file = Connection::open(folder.path().join("heal.db")).unwrap();
    let queue = QueueName::Action("restart_pod".to_owned());
    let bodies = ["a", "b"].map(|letter| letter.repeat(limit::PACKED_BYTES));
    let message = |body: &String| Message { queue: queue.clone(), body: body.clone(), delay_ms: 0, traceparent: None };
    sender.send(bodies.iter().map(message).collect()).await.unwrap();
    let plain = "SELECT count(*) FROM message WHERE body != '' OR packed IS NULL";
    assert_eq!(file.query_row(plain, [], |row| row.get::<_, u32>(0)).unwrap(), 0);
    file.execute("UPDATE message SET packed = x'01ff' WHERE id = 1", []).unwrap();

    let store = open(&folder.path().join("heal.db")).unwrap();
    let found = store.receive(&queue, 9, 1_000).await.unwrap();
    let damage = "message 1: failed to unpack: Src size is incorrect";
    assert_eq!(found.iter().map(|delivery| delivery.body.as_str()).collect::<Vec<_>>(), [damage, &bodies[1]]);
    for delivery in &found {
        store.dead_letter(&delivery.receipt, "nobody can read it").await.unwrap();
    }
    let dead = store.dead_letters(9).await.unwrap();
    assert_eq!(dead.iter().map(|letter| letter.body.as_str()).collect::<Vec<_>>(), [damage, &bodies[1]]);
    // What is left of it is kept, and the other one goes back whole.
    let kept = "SELECT packed FROM dead_letter WHERE message_id = 1";
    assert_eq!(file.query_row(kept, [], |row| row.get::<_, Vec<u8>>(0)).unwrap(), [1, 0xff]);
    assert!(store.redrive(&found[1].message_id).await.unwrap());
    assert_eq!(store.receive(&queue, 9, 1_000).await.unwrap()[0].body, bodies[1]);
}

#[tokio::test]
async fn a_commit_that_cannot_be_unpacked_is_named_by_run_and_sequence_number() {
    for (packed, why) in
        [("x'01ff'", "Src size is incorrect"), ("x'09'", "packed in a way that this build does not know")]
    {
        let (_folder, store) = damaged(&format!("UPDATE event_commit SET packed = {packed} WHERE first_seq = 2")).await;
        let text = corrupt(store.load(&RunId::new("run-1"), 0).await.unwrap_err());
        assert_eq!(text, format!("runs.load: run run-1, commit at sequence number 2: failed to unpack: {why}"));
        assert_eq!(store.load(&RunId::new("run-1"), 2).await.unwrap().len(), 1);
    }
}

#[tokio::test]
async fn an_event_that_nobody_knows_is_named_by_run_and_sequence_number() {
    let (_folder, store) =
        damaged(r#"UPDATE event_commit SET events = '[{"event":"dreamt"}]' WHERE first_seq = 3"#).await;
    let text = corrupt(store.load(&RunId::new("run-1"), 0).await.unwrap_err());
    assert!(text.starts_with("runs.load: run run-1, commit at sequence number 3: failed to read run events: event `dreamt` (format 1) is unknown to this build"), "{text}");
}

#[tokio::test]
async fn a_gap_in_the_log_is_named_by_run_and_sequence_number() {
    let (_folder, store) = damaged("DELETE FROM event_commit WHERE first_seq = 2").await;
    let text = corrupt(store.load(&RunId::new("run-1"), 0).await.unwrap_err());
    assert_eq!(text, "runs.load: run run-1, commit at sequence number 3: expected sequence number 2");
    let (_folder, store) = damaged("DELETE FROM event_commit WHERE first_seq = 1").await;
    let text = corrupt(store.load(&RunId::new("run-1"), 0).await.unwrap_err());
    assert_eq!(text, "runs.load: run run-1, commit at sequence number 2: expected sequence number 1");
}

#[tokio::test]
async fn a_status_that_nobody_knows_is_named_by_its_run() {
    let (_folder, store) = damaged("UPDATE run SET status = 'DREAMING'").await;
    let text = corrupt(store.head(&RunId::new("run-1")).await.unwrap_err());
    assert!(text.starts_with("runs.head: run run-1, status: unknown variant `DREAMING`"), "{text}");
    let text = corrupt(store.list(&RunFilter::default(), 10, None).await.unwrap_err());
    assert!(text.starts_with("runs.list: run run-1, status:"), "{text}");
}

#[tokio::test]
async fn a_result_that_is_no_json_is_named_by_its_attempt() {
    let (_folder, store) = damaged("UPDATE claim SET result = 'done'").await;
    let key = ClaimKey { action: "restart_pod".to_owned(), attempt: "run-1/step/1".to_owned() };
    let claim = ClaimRequest::new(key, LeaseOwner("b".to_owned()), T0, T0);
    let text = corrupt(store.reserve(&claim).await.unwrap_err());
    assert!(text.starts_with("claims.reserve: claim of run-1/step/1 on restart_pod: failed to read"), "{text}");
}

#[tokio::test]
async fn a_text_over_the_limit_is_refused_with_its_size() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder.path().join("heal.db")).unwrap();
    let too_much = "x".repeat(limit::TEXT_BYTES + 1);
    let body = too_much.clone();
    let message = Message { queue: QueueName::Incidents, body, delay_ms: 0, traceparent: None };
    let sizes = format!("has {} bytes, the limit is {} bytes", limit::TEXT_BYTES + 1, limit::TEXT_BYTES);
    let error = store.send(vec![message.clone()]).await.unwrap_err();
    assert_eq!(error.to_string(), format!("queue.send: message {sizes}"));
    let error = store.put_plan(&Digest::of(b""), &too_much, T0).await.unwrap_err();
    assert_eq!(error.to_string(), format!("runs.put_plan: plan {sizes}"));
    let mut run = new_run("run-1");
    run.commit = commit("run-1", 1, &too_much);
    let error = store.create(&run).await.unwrap_err();
    assert!(matches!(error, BackendError::TooLarge { what: "commit", .. }), "{error}");
    let fits = Message { body: "x".repeat(limit::TEXT_BYTES), ..message };
    store.send(vec![fits]).await.unwrap();
}

#[tokio::test]
async fn a_table_that_is_gone_fails_its_own_calls_alone() {
    let (_folder, store) = damaged("DROP TABLE plan").await;
    let error = store.plan(&Digest::of(b"")).await.unwrap_err();
    assert!(matches!(error, BackendError::Unavailable { operation: "runs.plan", .. }), "{error:?}");
    store.create(&new_run("run-2")).await.unwrap();
}

/// A file with one run of three chained commits, after the SQL; and what the audit of the run says.
async fn audited(sql: &str) -> Result<chain::Verified, chain::Broken> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("heal.db");
    let store = open(&path).unwrap();
    let mut new = new_run("run-1");
    new.commit = new.commit.chained(None);
    store.create(&new).await.unwrap();
    let mut before = new.commit.chain.clone();
    for seq in 2..=3 {
        let next = commit("run-1", seq, "next").chained(before.as_ref());
        store.append(&next, &head(&next, RunStatus::Running), None).await.unwrap();
        before.clone_from(&next.chain);
    }
    let changed = Connection::open(&path).unwrap().execute(sql, []).unwrap();
    assert_eq!(changed, 1, "{sql}");
    chain::verify(&store.stored(&RunId::new("run-1")).await.unwrap())
}

#[tokio::test]
async fn one_changed_byte_of_a_stored_commit_is_found_with_its_place() {
    assert_eq!(
        audited("UPDATE run SET reason = 'touched'").await.map(|whole| (whole.commits, whole.unchained)),
        Ok((3, 0))
    );
    for byte in 1..=20 {
        // The byte becomes another printable one.
        let sql = format!(
            "UPDATE event_commit SET events = substr(events, 1, {byte} - 1)
                || char((unicode(substr(events, {byte}, 1)) - 32 + 1) % 95 + 32) || substr(events, {byte} + 1)
             WHERE first_seq = 2"
        );
        let broken = audited(&sql).await.unwrap_err();
        assert!(broken.to_string().starts_with("run run-1, commit at sequence number 2: its chain is "), "{broken}");
    }
    for (sql, seq) in [
        ("UPDATE event_commit SET cause_id = cause_id || 'x' WHERE first_seq = 3", 3),
        ("UPDATE event_commit SET at = at + 1 WHERE first_seq = 1", 1),
        ("UPDATE event_commit SET chain = replace(chain, substr(chain, 1, 1), 'x') WHERE first_seq = 2", 2),
        ("DELETE FROM event_commit WHERE first_seq = 2", 3),
    ] {
        let chain::Broken::Link { seq: found, .. } = audited(sql).await.unwrap_err() else { panic!("{sql}") };
        assert_eq!(found, seq, "{sql}");
    }
}
