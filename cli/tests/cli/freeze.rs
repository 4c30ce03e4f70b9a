//! A service that is stopped in the middle of a call, for longer than every timeout, does not take its own absence for an outage.

use std::time::Duration;

use heal_sandbox::{Fault, FaultKind, Platform, Seed, Service};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::support::{PATIENCE, Serve, env, get, http, platform, playbooks};

/// Longer than the calls' timeouts, than the steps' and than the run's.
const FREEZE: Duration = Duration::from_secs(6);
/// Each response is that late, so that the process is stopped while it waits for one.
const SLOW_MS: u64 = 1_500;

/// No step has a second attempt, and an outage would be skipped.
const PLAYBOOK: &str = r#"
timeout_seconds: 5
triggers: [{incident_type: FREEZE}]
actions:
  - {type: reallocate_ticket, timeout_seconds: 4, parameters: {ticket_id: "{{ ticket_id }}", reason: frozen}}
  - {type: pause_workflow, timeout_seconds: 4, parameters: {workflow_id: "{{ workflow_id }}", reason: frozen}}
"#;

fn effects(platform: &Platform) -> Vec<String> {
    platform.effects().into_iter().map(|call| call.operation).collect()
}

/// Waits until the platform has received a call of `operation`, which it answers late.
async fn received(platform: &Platform, operation: &str) {
    let give_up = Instant::now() + PATIENCE;
    while !platform.calls().iter().any(|call| call.operation == operation) {
        assert!(Instant::now() < give_up, "no {operation} in {:#?}", platform.calls());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn ended(url: &str, id: &str) -> Value {
    let give_up = Instant::now() + PATIENCE;
    loop {
        let (status, body) = get(&format!("{url}/api/v1/remediation/{id}/status")).await;
        assert_eq!(status, 200, "{body}");
        if body["result"].is_object() {
            return body;
        }
        assert!(Instant::now() < give_up, "{id} did not end: {body:#}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_was_frozen_in_mid_call_heals_its_run_with_each_effect_once() {
    let seed = json!({
        "tickets": [{"ticket_id": "ticket-1", "status": "RUNNING", "assigned_worker": "worker-1"}],
        "workflows": [{"workflow_id": "wf-1", "state": "RUNNING"}],
    });
    let seed: Seed = serde_json::from_value(seed).unwrap();
    let platform = platform(seed);
    for (service, operation) in [(Service::Tickets, "reallocate_ticket"), (Service::Orchestrator, "PauseWorkflow")] {
        platform.set_fault(Fault::new(service, FaultKind::Slow { by_ms: SLOW_MS }).on(operation)).unwrap();
    }
    let folder = playbooks(&[("freeze.yaml", PLAYBOOK)]);
    let timeouts = [
        ("EXECUTION_TICKET_SERVICE_TIMEOUT", "3"),
        ("ORCHESTRATOR_GRPC_TIMEOUT_SECONDS", "3"),
        // One counted failure would open them.
        ("EXECUTION_TICKET_CIRCUIT_BREAKER_THRESHOLD", "1"),
        ("ORCHESTRATOR_CIRCUIT_BREAKER_THRESHOLD", "1"),
    ];
    let timeouts = timeouts.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let env: Vec<_> = env(&platform).into_iter().chain(timeouts).collect();
    let serve = Serve::start(&folder.path().join("state.db"), folder.path(), &env);
    let request = json!({"remediation_id": "run-1", "incident_id": "incident-1", "playbook_name": "freeze",
        "parameters": {"ticket_id": "ticket-1", "workflow_id": "wf-1"}});
    let url = format!("{}/api/v1/remediation/execute", serve.url);
    assert_eq!(http().post(url).json(&request).send().await.unwrap().status(), 202);

    received(&platform, "reallocate_ticket").await;
    serve.freeze(FREEZE).await;
    received(&platform, "PauseWorkflow").await;
    serve.freeze(FREEZE).await;

    let ended = ended(&serve.url, "run-1").await;
    assert_eq!(ended["status"], "COMPLETED", "{ended:#}");
    assert_eq!(ended["result"]["outcome"], "COMPLETED", "{ended:#}");
    assert_eq!(effects(&platform), ["reallocate_ticket", "PauseWorkflow"]);
    let metrics = http().get(format!("{}/metrics", serve.url)).send().await.unwrap().text().await.unwrap();
    let open: Vec<_> = metrics.lines().filter(|line| line.starts_with("self_healing_circuit_breaker_state{")).collect();
    assert!(!open.is_empty() && open.iter().all(|line| line.ends_with(" 0")), "{open:#?}");
}
