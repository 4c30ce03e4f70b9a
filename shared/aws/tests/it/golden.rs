//! Rows and parked messages of an earlier build: this build reads them, continues the live runs to their end, and writes the same forms.
//!
//! `golden/rows-vN.json` is a scan of a table with ended and live runs; `golden/parked-vN.json` is a message of the queue for messages
//! that cannot be processed. Version 1 has the forms of release 0.1; from version 2 on, a row
//! says what its run is about, and an attempt has its time from when a worker takes it; from version 3 on, there are budgets and the counts of runs for a target, and a
//! cooldown names the owner of the lease that reserved it; from version 4 on, a live row says whether its run takes room or waits for it; from version 5 on, a packed text refers
//! to a dictionary, and a claim that reserved nothing lists nothing. A change of a form adds files, and keeps the older
//! ones: they are what an installation has stored.
//!
//! `HEAL_GOLDEN=add cargo test -p heal-aws --test it golden` writes the files that are missing, and writes the reports anew; call it
//! twice, because the reports come from the files. Read the difference before you commit it.

mod engine;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use engine::{ACTIONS, Engine};
use heal_aws::Store;
use heal_aws::queue::dead::Unworkable;
use heal_runtime::Timestamp;
use heal_runtime::port::{
    BreakerStore, BudgetKey, BudgetRequest, CheckStore, ClaimKey, ClaimRequest, ClaimStore, CooldownKey,
    CooldownRequest, LeaseOwner, QueueName, Reservation,
};
use heal_stack::{MiniStack, table};
use heal_testkit::memory::ManualClock;
use serde_json::{Value, json};

/// A field of the event `incident_rejected` that was null in every log of release 0.1; this build ignores it.
const NO_LONGER_WRITTEN: &str = r#"\"playbook\":null,"#;
const T0: Timestamp = ManualClock::START;
/// The versions of the rows; the last one is what this build writes.
const VERSIONS: [&str; 5] = ["v1", "v2", "v3", "v4", "v5"];

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

fn read(name: &str) -> Value {
    serde_json::from_str(&text(name)).unwrap()
}

fn text(name: &str) -> String {
    std::fs::read_to_string(golden(name)).unwrap()
}

#[expect(clippy::disallowed_methods, reason = "a switch of the test, not configuration")]
fn is_adding() -> bool {
    std::env::var("HEAL_GOLDEN").is_ok_and(|value| value == "add")
}

/// Whether the test has to write this file.
fn is_missing(name: &str) -> bool {
    is_adding() && !golden(name).exists()
}

fn write(name: &str, value: &Value) {
    std::fs::write(golden(name), format!("{}\n", serde_json::to_string_pretty(value).unwrap())).unwrap();
}

/// An incident whose first commit is stored compressed.
fn many_tickets() -> Value {
    let tickets: Vec<String> = (0..30).map(|number| format!("ticket-with-a-long-name-{number}")).collect();
    json!({"incident_type": "FAN", "worker_id": "w", "affected_tickets": tickets})
}

fn claim(attempt: &str, holder: &str, now_ms: u64) -> ClaimRequest {
    let key = CooldownKey { action: "reallocate_ticket".to_owned(), target: "t-claimed".to_owned() };
    let claim = ClaimKey { action: "reallocate_ticket".to_owned(), attempt: attempt.to_owned() };
    let (now, lease_until) = (T0.plus_ms(now_ms), T0.plus_ms(now_ms + 30_000));
    let budget = BudgetKey { name: "reallocations".to_owned(), key: "execution-ticket-service".to_owned() };
    ClaimRequest {
        budgets: vec![BudgetRequest { target: key.clone(), key: budget, max: 3, window_ms: 3_600_000 }],
        cooldowns: vec![CooldownRequest { key, cooldown_ms: 60_000 }],
        ..ClaimRequest::new(claim, LeaseOwner(holder.to_owned()), now, lease_until)
    }
}

/// Writes rows of every kind: runs that ended, runs that wait, a run that waits for a result, claims, a circuit breaker, a check.
async fn fill(store: &Store) {
    let engine = Engine::new(store, T0);
    engine.incident("ended", json!({"incident_type": "PLAIN", "worker_id": "worker-1"})).await;
    engine.incident("rejected", json!({"recommended_playbook": "nowhere"})).await;
    engine.incident("waiting", json!({"incident_type": "WAIT", "worker_id": "worker-1"})).await;
    engine
        .incident("without_room", json!({"incident_type": "WAIT", "worker_id": "worker-2", "severity": "HIGH"}))
        .await;
    engine.incident("fanned", json!({"incident_type": "FAN", "worker_id": "w", "affected_tickets": ["t-1"]})).await;
    engine.work(&ACTIONS).await;
    engine.incident("fanning", many_tickets()).await;
    engine.work(&["check_worker_health"]).await;
    // A claim that was recovered and released, a claim that is held, and a cooldown that both reserved.
    store.reserve(&claim("r/recovered/1", "dead", 0)).await.unwrap();
    store.reserve(&claim("r/recovered/1", "next", 70_000)).await.unwrap();
    store.release(&claim("r/recovered/1", "next", 70_000).key, &LeaseOwner("next".to_owned())).await.unwrap();
    store.reserve(&claim("r/held/1", "busy", 200_000)).await.unwrap();
    store.open("ticket_service", T0, T0.plus_ms(60_000)).await.unwrap();
    assert!(store.take_trial("ticket_service", "busy", T0.plus_ms(60_000), T0.plus_ms(90_000)).await.unwrap());
    assert!(CheckStore::store(store, "ticket_service_health", 0, r#"{"looked_at":1800000000000}"#).await.unwrap());
}

async fn rows(store: &Store) -> Value {
    let page = table::call(MiniStack::shared(), "DynamoDB_20120810.Scan", &json!({"TableName": store.table()})).await;
    let mut rows = page["Items"].as_array().unwrap().clone();
    rows.sort_by_key(|row| format!("{} {}", row["pk"]["S"], row["sk"]["S"]));
    Value::Array(rows)
}

#[tokio::test]
async fn rows_of_an_earlier_build_are_continued() {
    for version in VERSIONS {
        continued(version).await;
    }
}

async fn continued(version: &str) {
    let store = table::empty(MiniStack::shared()).await;
    for row in read(&format!("rows-{version}.json")).as_array().unwrap() {
        let mut row = row.clone();
        // A later build may add attributes that this one does not know.
        row["of_a_later_build"] = json!({"S": "unknown"});
        let put = json!({"TableName": store.table(), "Item": row});
        table::call(MiniStack::shared(), "DynamoDB_20120810.PutItem", &put).await;
    }
    assert!(BreakerStore::read(&store, "ticket_service").await.unwrap().unwrap().trial.is_some());
    let memory = CheckStore::load(&store, "ticket_service_health").await.unwrap();
    assert_eq!(memory, Some((1, r#"{"looked_at":1800000000000}"#.to_owned())));
    let held = store.reserve(&claim("r/held/1", "other", 210_000)).await.unwrap();
    assert_eq!(held, Reservation::Busy { until: T0.plus_ms(230_000) });
    let recovered = store.reserve(&claim("r/recovered/1", "third", 220_000)).await.unwrap();
    let Reservation::Held { recovered: true, cooling, .. } = recovered else { panic!("{recovered:?}") };
    assert_eq!(cooling.len(), 1, "the claim that is held reserved the same target");

    let engine = Engine::new(&store, T0.plus_ms(1_000));
    // The incident arrives again: the commands of its run are sent again.
    engine.incident("fanning", many_tickets()).await;
    engine.work(&ACTIONS).await;
    for _ in 0..100 {
        if engine.heads().await.iter().all(|head| head.status.is_terminal()) {
            break;
        }
        engine.clock.advance_ms(60_000);
        engine.sweep().await;
        engine.work(&ACTIONS).await;
    }
    let reports = engine.reports().await;
    let expected = format!("reports-{version}.json");
    if is_adding() {
        write(&expected, &reports);
    }
    assert!(reports == read(&expected), "the reports are not those of {expected}: {reports:#}");
}

/// A change of a row's form fails here: it needs a new version, and new golden files.
#[tokio::test]
async fn rows_are_written_as_the_golden_file_has_them() {
    let store = table::empty(MiniStack::shared()).await;
    fill(&store).await;
    let rows = rows(&store).await;
    let newest = format!("rows-{}.json", VERSIONS[VERSIONS.len() - 1]);
    if is_missing(&newest) {
        write(&newest, &rows);
    }
    let expected = serde_json::from_str(&text(&newest).replace(NO_LONGER_WRITTEN, "")).unwrap();
    let kinds = |rows: &Value| -> BTreeMap<String, BTreeSet<String>> {
        let mut kinds: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for row in rows.as_array().unwrap() {
            let kind = row["pk"]["S"].as_str().unwrap().split('#').next().unwrap().to_owned();
            kinds.entry(kind).or_default().extend(row.as_object().unwrap().keys().cloned());
        }
        kinds
    };
    assert_eq!(kinds(&rows), kinds(&expected));
    assert_eq!(rows, expected);
}

#[tokio::test]
async fn parked_messages_of_an_earlier_build_are_listed() {
    let queues = table::queues(MiniStack::shared(), &["incidents", "dead"]).await;
    let url = queues.urls().parked();
    if is_missing("parked-v1.json") {
        let message = Unworkable {
            queue: &QueueName::Action("restart_pod".to_owned()),
            message_id: "m-1",
            body: "not JSON",
            receive_count: 5,
            traceparent: Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
            reason: "the message is not JSON",
        };
        queues.park(&message).await.unwrap();
        let receive = json!({"QueueUrl": url, "MessageAttributeNames": ["All"]});
        let answer = table::call(MiniStack::shared(), "AmazonSQS.ReceiveMessage", &receive).await;
        let message = &answer["Messages"][0];
        write(
            "parked-v1.json",
            &json!({"MessageBody": message["Body"], "MessageAttributes": message["MessageAttributes"]}),
        );
    }
    let mut message = read("parked-v1.json");
    message["QueueUrl"] = json!(url);
    message["MessageAttributes"]["of_a_later_build"] = json!({"DataType": "String", "StringValue": "unknown"});
    table::call(MiniStack::shared(), "AmazonSQS.SendMessage", &message).await;
    let letters = queues.parked(10).await.unwrap();
    let letter = letters.last().unwrap();
    assert_eq!(letter.queue, QueueName::Action("restart_pod".to_owned()));
    assert_eq!((letter.message_id.as_str(), letter.receive_count), ("m-1", 5));
    assert_eq!((letter.body.as_str(), letter.reason.as_str()), ("not JSON", "the message is not JSON"));
}
