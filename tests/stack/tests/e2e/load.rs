//! Many incidents at once, large batches, duplicates, and long runs.

use std::collections::BTreeMap;

use serde_json::json;

use crate::rig::{Rig, incident, until};

/// The number of reallocations per ticket.
fn reallocations(rig: &Rig, group: &str) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for call in rig.platform().effects() {
        if call.path.ends_with("/reallocate") && call.target.starts_with(&format!("{group}-")) {
            *counts.entry(call.target).or_default() += 1;
        }
    }
    counts
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_of_fifty_tickets_is_reallocated_ticket_by_ticket() {
    let rig = Rig::shared().await;
    let tickets: Vec<String> = (0..50).map(|number| format!("batch-{number}")).collect();
    rig.send([incident("inc-batch", "BATCH_GIVE_BACK", json!({"affected_tickets": tickets}))]).await;
    rig.completed("inc-batch").await;
    let counts = reallocations(&rig, "batch");
    assert!(counts.len() == 50 && counts.values().all(|count| *count == 1), "{counts:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_incidents_at_once_are_healed_once_each() {
    let rig = Rig::shared().await;
    let one =
        |number| incident(&format!("inc-load-{number}"), "GIVE_BACK", json!({"ticket_id": format!("load-{number}")}));
    rig.send((0..200).map(one)).await;
    until("200 tickets are reallocated", || async { reallocations(&rig, "load").len() == 200 }).await;
    for number in [0, 99, 199] {
        rig.completed(&format!("inc-load-{number}")).await;
    }
    let counts = reallocations(&rig, "load");
    assert!(counts.values().all(|count| *count == 1), "{counts:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_copies_of_one_incident_make_one_run() {
    let rig = Rig::shared().await;
    let copy = incident("inc-twice", "GIVE_BACK", json!({"ticket_id": "twice-0"}));
    rig.send((0..20).map(|_| copy.clone())).await;
    rig.completed("inc-twice").await;
    rig.send([copy]).await;
    // Once a later incident has been healed, the remaining copies have been received as well.
    rig.send([incident("inc-after-twice", "GIVE_BACK", json!({"ticket_id": "twice-1"}))]).await;
    rig.completed("inc-after-twice").await;
    assert_eq!(rig.runs_of("inc-twice").await.len(), 1);
    assert_eq!(reallocations(&rig, "twice").get("twice-0"), Some(&1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_goes_through_forty_steps() {
    let rig = Rig::shared().await;
    rig.send([incident("inc-forty", "FORTY_LOOKS", json!({"workflow_id": "wf-running"}))]).await;
    let head = rig.completed("inc-forty").await;
    let probes = rig
        .log(&head)
        .await
        .iter()
        .flat_map(|commit| &commit.events)
        .filter(|event| event.name() == "attempt_ended")
        .count();
    assert_eq!(probes, 40);
}
