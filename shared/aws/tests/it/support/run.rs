//! Sample runs, and the rows of a table.

use heal_aws::Store;
use heal_engine::Event;
use heal_engine::event::{RunOutcome, RunStatus};
use heal_runtime::port::{Created, NewRun, RunHead, RunLog as _, Subject};
use heal_runtime::{Commit, RunId, Timestamp};
use heal_stack::{MiniStack, table};
use heal_testkit::memory::ManualClock;
use serde_json::{Value, json};

pub(crate) const T0: Timestamp = ManualClock::START;

pub(crate) fn commit(run_id: &str, seq: u64, at: Timestamp) -> Commit {
    let events = vec![Event::IncidentJoined { incident_id: format!("INC-{seq}") }];
    Commit { run_id: RunId::new(run_id), first_seq: seq, cause_id: format!("cause-{seq}"), at, events, chain: None }
}

/// The head after `commit`; `outcome` if it ends the run.
pub(crate) fn head(commit: &Commit, outcome: Option<RunOutcome>) -> RunHead {
    RunHead {
        run_id: commit.run_id.clone(),
        incident_id: "INC-1".to_owned(),
        playbook: Some("wanted".to_owned()),
        status: outcome.map_or(RunStatus::Running, RunOutcome::status),
        outcome,
        started_at: T0,
        updated_at: commit.at,
        wake_at: None,
        last_seq: commit.first_seq,
        reason: None,
        subject: Subject { ticket_id: Some("t-1".to_owned()), ..Subject::default() },
        open_follow_ups: 0,
        held_by: None,
    }
}

/// A run of `commits` commits, the last of which ends it if there is an outcome.
pub(crate) async fn write(store: &Store, run_id: &str, commits: u64, outcome: Option<RunOutcome>) {
    for seq in 1..=commits {
        let commit = commit(run_id, seq, T0.plus_ms(seq));
        let head = head(&commit, outcome.filter(|_| seq == commits));
        if seq > 1 {
            store.append(&commit, &head, None).await.unwrap();
            continue;
        }
        let dedupe_key = format!("dedupe:{run_id}");
        let run = NewRun {
            commit,
            head,
            dedupe_key,
            dedupe_until: T0.plus_ms(1),
            concurrency_key: None,
            repeat: None,
            room: None,
        };
        assert_eq!(store.create(&run).await.unwrap(), Created::Created);
    }
}

/// The rows whose partition key begins with `prefix`.
pub(crate) async fn rows(store: &Store, prefix: &str) -> Vec<Value> {
    let mut rows = Vec::new();
    let mut from = Value::Null;
    loop {
        let mut scan = json!({"TableName": store.table()});
        if !from.is_null() {
            scan["ExclusiveStartKey"] = from;
        }
        let page = table::call(MiniStack::shared(), "DynamoDB_20120810.Scan", &scan).await;
        rows.extend(page["Items"].as_array().unwrap().iter().cloned());
        from = page["LastEvaluatedKey"].clone();
        if from.is_null() {
            break;
        }
    }
    rows.retain(|row| row["pk"]["S"].as_str().unwrap().starts_with(prefix));
    rows
}

pub(crate) async fn delete(store: &Store, pk: &str, sk: &str) {
    let delete = json!({"TableName": store.table(), "Key": {"pk": {"S": pk}, "sk": {"S": sk}}});
    table::call(MiniStack::shared(), "DynamoDB_20120810.DeleteItem", &delete).await;
}
