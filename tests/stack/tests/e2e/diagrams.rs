//! The two sequence diagrams of the integration guide.

use heal_runtime::RunOutcome;
use heal_sandbox::{Call, Service};

use crate::rig::Rig;

fn event(name: &str) -> String {
    std::fs::read_to_string(heal_stack::root().join("tests/events").join(name)).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_timeout_is_healed_in_the_guides_order() {
    let rig = Rig::alone().await;
    rig.platform().forget_calls();
    rig.send([event("ticket_timeout.json")]).await;
    let head = rig.completed("inc-ticket-timeout-1").await;
    let report = rig.report(&head).await;
    // Another test may have had the worker's pod replaced before; then there is nothing to verify.
    let is_done = matches!(head.outcome, Some(RunOutcome::Healed | RunOutcome::Completed));
    assert!(is_done, "{report:#?}\n{}", rig.deployment.log());
    let calls = rig.platform().calls();
    let at = |what: &dyn Fn(&heal_sandbox::Call) -> bool| calls.iter().position(what);
    // The plan gate asks about both changes before; what counts is the question just before the effect.
    let last = |what: &dyn Fn(&heal_sandbox::Call) -> bool| calls.iter().rposition(what);
    let probed = at(&|call| call.service == Service::Kubernetes);
    let asked = last(&|call| call.service == Service::Opa && call.body.contains("\"reallocate_ticket\""));
    let reallocated = at(&|call| call.path.ends_with("/tickets/ticket-1/reallocate"));
    let asked_again = last(&|call| call.service == Service::Opa && call.body.contains("\"update_ticket_status\""));
    let updated =
        at(&|call| call.service == Service::Tickets && call.effect && call.path.ends_with("/tickets/ticket-1"));
    let places = [probed, asked, reallocated, asked_again, updated];
    assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{places:?} {calls:#?}");
    let effects: Vec<String> = rig.effects("ticket-1").into_iter().map(|call| call.path).collect();
    assert_eq!(effects.len(), 2, "{effects:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stuck_workflow_is_resumed_in_the_guides_order() {
    let rig = Rig::alone().await;
    rig.platform().forget_calls();
    rig.send([event("workflow_stuck.json")]).await;
    let incident_id = serde_json::from_str::<serde_json::Value>(&event("workflow_stuck.json")).unwrap()["incident_id"]
        .as_str()
        .unwrap()
        .to_owned();
    let head = rig.completed(&incident_id).await;
    let report = rig.report(&head).await;
    assert!(report.warnings.is_empty(), "{report:#?}");
    let calls = rig.platform().calls();
    let asked = calls.iter().position(|call| call.service == Service::Opa && call.body.contains("\"PAUSED\""));
    let resumed = calls.iter().position(|call| call.service == Service::Orchestrator && call.effect);
    assert!(asked.is_some() && asked < resumed, "{calls:#?}");
    // A run that another test started may still be executing.
    let is_own = |call: &&Call| call.key.as_deref().is_some_and(|key| key.starts_with(head.run_id.as_str()));
    let effects: Vec<_> = calls.iter().filter(|call| call.effect).filter(is_own).collect();
    assert_eq!(effects.len(), 1, "{effects:#?}");
}
