//! Services that are down, and workers that die.

use std::time::Duration;

use heal_runtime::RunOutcome;
use heal_sandbox::{Fault, FaultKind, Service};
use serde_json::json;
use tokio::time::Instant;

use crate::rig::{Rig, incident, until};

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_is_down_is_skipped_with_a_follow_up_and_used_again_when_it_is_back() {
    let rig = Rig::alone().await;
    rig.platform().set_fault(Fault::new(Service::Tickets, FaultKind::Refuse)).unwrap();
    rig.send([incident("inc-down", "GIVE_BACK", json!({"ticket_id": "down-0"}))]).await;
    let head = rig.completed("inc-down").await;
    let report = rig.report(&head).await;
    assert_eq!(head.outcome, Some(RunOutcome::Degraded));
    assert!(
        !report.warnings.is_empty() && report.follow_up.iter().any(|entry| entry.contains("down-0")),
        "{report:#?}"
    );
    assert!(rig.effects("down-0").is_empty());

    rig.platform().clear_faults();
    // The breaker lets a trial call through after a second; until then the step is skipped.
    let started = Instant::now();
    for number in 1.. {
        let incident_id = format!("inc-back-{number}");
        let ticket = format!("down-{number}");
        rig.send([incident(&incident_id, "GIVE_BACK", json!({"ticket_id": ticket}))]).await;
        rig.completed(&incident_id).await;
        if rig.effects(&ticket).len() == 1 {
            break;
        }
        assert!(started.elapsed() < Duration::from_mins(1), "the ticket service is not used again");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_action_function_that_dies_in_mid_step_costs_no_attempt_and_no_second_effect() {
    let rig = Rig::alone().await;
    // The queue delivers the command again after its visibility timeout: here not much longer than the dead worker's claim holds.
    rig.set_visibility("update_ticket_status", 35).await;
    rig.platform().set_fault(Fault::new(Service::Tickets, FaultKind::Hang).on("update_ticket")).unwrap();
    rig.send([incident("inc-dies", "SET_STATUS_SOON", json!({"ticket_id": "dies-0"}))]).await;
    let is_at_work = || {
        let calls = rig.platform().calls();
        calls.iter().any(|call| call.target == "dies-0" && call.operation == "update_ticket")
    };
    until("the function is at work on the ticket", || async { is_at_work() }).await;
    kill_function("update-ticket-status");
    rig.platform().clear_faults();
    let head = rig.completed("inc-dies").await;
    assert_eq!(rig.effects("dies-0").len(), 1);
    let events: Vec<_> =
        rig.log(&head).await.iter().flat_map(|commit| commit.events.clone()).map(|event| event.name()).collect();
    let attempts = events.iter().filter(|name| matches!(**name, "attempt_started" | "retry_scheduled")).count();
    assert_eq!(attempts, 1, "{events:?}");
}

/// Kills the processes of the function, as if AWS lost their host.
fn kill_function(name: &str) {
    let variable = format!("AWS_LAMBDA_FUNCTION_NAME={}-{name}", heal_stack::STACK);
    let mut killed = 0;
    for process in std::fs::read_dir("/proc").unwrap().flatten() {
        let environment = std::fs::read(process.path().join("environ")).unwrap_or_default();
        if environment.split(|byte| *byte == 0).any(|entry| entry == variable.as_bytes()) {
            let id = process.file_name().into_string().unwrap();
            killed += u32::from(std::process::Command::new("kill").args(["-9", &id]).status().unwrap().success());
        }
    }
    assert!(killed > 0, "there is no process of {name}");
}
