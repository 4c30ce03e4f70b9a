//! Waiting, and cancellation by a person.

use heal_runtime::message::Inbound;
use heal_runtime::{RunOutcome, RunStatus};
use serde_json::json;

use crate::rig::{Rig, incident};

#[tokio::test(flavor = "multi_thread")]
async fn a_wait_of_five_seconds_takes_five_seconds() {
    let rig = Rig::shared().await;
    rig.send([incident("inc-waits", "WAIT_AND_PAUSE", json!({"workflow_id": "wf-waits", "seconds": 5}))]).await;
    let head = rig.completed("inc-waits").await;
    let took_ms = head.updated_at.since_ms(head.started_at);
    assert!((5_000..60_000).contains(&took_ms), "{took_ms} ms");
    assert_eq!(rig.effects("wf-waits").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_run_touches_nothing_more() {
    let rig = Rig::shared().await;
    rig.send([incident("inc-cancels", "WAIT_AND_PAUSE", json!({"workflow_id": "wf-cancels", "seconds": 120}))]).await;
    let head = rig.wait("inc-cancels", |head| head.status == RunStatus::Running).await;
    rig.tell(Inbound::Cancel { run_id: head.run_id.clone(), by: "the test".to_owned() }).await;
    let head = rig.ended("inc-cancels").await;
    assert_eq!(head.outcome, Some(RunOutcome::Cancelled), "{head:#?}");
    assert!(rig.effects("wf-cancels").is_empty());
}
