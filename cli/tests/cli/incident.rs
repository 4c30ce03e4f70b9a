//! `heal incident send`, onto the queue of a stack.

use heal_runtime::port::QueueName;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::deployed::Deployed;
use crate::support::path;

/// The file of an incident.
fn file(text: &str) -> (TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let name = folder.path().join("incident.json");
    std::fs::write(&name, text).unwrap();
    let name = path(&name).to_owned();
    (folder, name)
}

fn incident(id: &str, kind: &str) -> (TempDir, String) {
    file(&json!({"incident_id": id, "incident_type": kind}).to_string())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_is_sent_verbatim() {
    let stack = Deployed::new().await;
    let name = "tests/events/ticket_timeout.json";
    let sent = stack.heal(&["incident", "send", name, "--json"]).exits(0).report();
    assert_eq!(sent["incident_id"], "inc-ticket-timeout-1");
    let found = stack.receive(&QueueName::Incidents).await;
    let expected = std::fs::read_to_string(crate::support::root().join(name)).unwrap();
    assert_eq!(found.iter().map(|delivery| &delivery.body).collect::<Vec<_>>(), [&expected]);
    assert_eq!(sent["message_id"], Value::from(found[0].message_id.as_str()));

    let said = stack.heal(&["incident", "send", name]).exits(0);
    for part in ["inc-ticket-timeout-1", &stack.name, heal_stack::REGION, "message "] {
        assert!(said.stdout.contains(part), "no {part:?} in {said:#?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_is_not_an_incident_is_refused_with_the_position_unless_raw() {
    let stack = Deployed::new().await;
    let (_folder, broken) = file("{\n  \"incident_id\": ,\n}");
    stack.heal(&["incident", "send", &broken]).exits(2).complains(&[&broken, "line 2"]);
    let wrong = json!({"incident_id": "i", "incident_type": "SHORT", "affected_tickets": ["t-1", 7]});
    let (_folder, wrong) = file(&wrong.to_string());
    stack.heal(&["incident", "send", &wrong]).exits(2).complains(&[&wrong, "affected_tickets[1]", "the number 7"]);
    assert_eq!(stack.depth(&QueueName::Incidents).await, 0);

    let sent = stack.heal(&["incident", "send", &wrong, "--raw", "--json"]).exits(0).report();
    assert_eq!((&sent["incident_id"], stack.depth(&QueueName::Incidents).await), (&"i".into(), 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_incident_is_followed_to_the_end_of_its_run_and_deduplicated_the_next_time() {
    let stack = Deployed::new().await;
    let _at_work = stack.at_work();
    let (_folder, name) = incident("inc-1", "SHORT");
    let ran = stack.heal(&["incident", "send", &name, "--watch", "--json"]).exits(0);
    assert_eq!(ran.stderr, "");
    let lines = ran.json();
    let report = lines.last().unwrap();
    assert_eq!((&lines[0]["incident_id"], &report["incident_id"]), (&"inc-1".into(), &"inc-1".into()));
    assert_eq!((&lines[1]["event"], &report["outcome"]), (&"run_started".into(), &"COMPLETED".into()), "{lines:#?}");

    let again = stack.heal(&["incident", "send", &name, "--watch"]).exits(0);
    again.complains(&["this incident has a run already", report["run_id"].as_str().unwrap()]);
    assert!(again.stdout.contains("COMPLETED  short"), "{again:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rejected_message_is_shown_with_its_reason() {
    let stack = Deployed::new().await;
    let _at_work = stack.at_work();
    let (_folder, name) = incident("inc-1", "NOBODY_S");
    let ran = stack.heal(&["incident", "send", &name, "--watch"]).exits(1);
    assert!(ran.stdout.contains("NOBODY_S") && ran.stdout.contains("FAILED"), "{ran:#?}");
    ran.complains(&["the message was rejected"]);
    let (_folder, name) = file("no incident");
    let ran = stack.heal(&["incident", "send", &name, "--raw", "--watch"]).exits(1);
    assert!(ran.stdout.contains("is not JSON"), "{ran:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_incident_that_joins_another_ones_run_is_followed_there() {
    let stack = Deployed::new().await;
    let _at_work = stack.at_work();
    let first = stack.run_of(&json!({"incident_id": "inc-1", "incident_type": "SHARED"})).await;
    let (_folder, name) = incident("inc-2", "SHARED");
    let ran = stack.heal(&["incident", "send", &name, "--watch"]).exits(0);
    ran.complains(&["this incident joined the run of another one about the same target", &first]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_is_not_received_is_reported_with_the_depths_of_the_queues() {
    let stack = Deployed::new().await;
    let (_folder, name) = incident("inc-1", "SHORT");
    let ran = stack.heal(&["incident", "send", &name, "--watch", "--within", "1"]).exits(1);
    let option = format!("heal dlq list --stack {}", stack.name);
    ran.complains(&["within 1 s", "the incidents queue has 1", "the parking queue has 0", &option]);
}
