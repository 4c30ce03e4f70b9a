//! Scheduled checks.

use crate::rig::{RUN_TIMEOUT, Rig, until};

#[tokio::test(flavor = "multi_thread")]
async fn a_scheduled_check_raises_an_incident_that_is_healed() {
    let rig = Rig::alone().await;
    // The shipped check finds the overdue ticket of the seed after as many failures in a row as it requires.
    let started = tokio::time::Instant::now();
    until("an overdue ticket is reallocated", || async {
        assert!(started.elapsed() < RUN_TIMEOUT.mul_f32(0.9), "no ticket was reallocated\n{}", rig.deployment.log());
        let said = rig.tick().await;
        assert!(said["checked"].as_u64() >= Some(5), "{said}\n{}", rig.deployment.log());
        rig.effects("check-0").iter().any(|call| call.path.ends_with("/reallocate"))
    })
    .await;
    assert_eq!(rig.effects("check-0").iter().filter(|call| call.path.ends_with("/reallocate")).count(), 1);
    until("its status is updated", || async {
        rig.effects("check-0").iter().any(|call| call.path == "/tickets/check-0")
    })
    .await;
    let update = rig.effects("check-0").into_iter().find(|call| call.path == "/tickets/check-0").unwrap();
    let update: serde_json::Value = serde_json::from_str(&update.body).unwrap();
    rig.completed(update["metadata"]["incident_id"].as_str().unwrap()).await;
}
