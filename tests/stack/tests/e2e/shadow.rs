//! A playbook that is watched first: the functions read and decide, and write nothing.

use heal_guard::{AutonomyLevel, AutonomySetting};
use heal_runtime::port::AutonomyStore as _;
use heal_runtime::{RunOutcome, Timestamp};
use serde_json::json;

use crate::rig::{Rig, incident};

async fn set(rig: &Rig, level: AutonomyLevel) {
    let (playbook, by, reason) = ("give_back".to_owned(), "local:ann".to_owned(), "we watch it first".to_owned());
    rig.store
        .set(&AutonomySetting { playbook, level, by, reason, since: Timestamp(1), history: Vec::new() })
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_playbook_in_shadow_says_what_it_would_do_and_acts_once_it_may() {
    let rig = Rig::alone().await;
    set(&rig, AutonomyLevel::Shadow).await;
    rig.platform().forget_calls();
    rig.send([incident("inc-shadow", "GIVE_BACK", json!({"ticket_id": "shadow-0"}))]).await;
    let head = rig.completed("inc-shadow").await;
    let report = rig.report(&head).await;
    let writes = rig.platform().writes();
    set(&rig, AutonomyLevel::Auto).await;
    assert_eq!(head.outcome, Some(RunOutcome::Shadowed), "{report:#?}");
    assert!(writes.is_empty(), "{writes:#?}");
    assert!(report.steps[0].reason.as_ref().unwrap().contains("would reallocate ticket \"shadow-0\""), "{report:#?}");

    rig.send([incident("inc-live", "GIVE_BACK", json!({"ticket_id": "shadow-0"}))]).await;
    rig.completed("inc-live").await;
    assert_eq!(rig.effects("shadow-0").len(), 1, "the shadow run left the ticket no cooldown");
}
