//! A service that has no descriptor left does not take its own trouble for an outage.

use std::net::TcpStream;
use std::time::Duration;

use heal_sandbox::{Fault, FaultKind, Platform, Seed, Service};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::support::{PATIENCE, Serve, env, finish, get, http, limited_command, platform, playbooks};

const TICKETS: usize = 60;
/// Fewer than the calls of all runs take, and its own files with them.
const DESCRIPTORS: usize = 40;
/// Clients that connect and say nothing.
const IDLE: usize = 200;
/// Each call holds its connection that long.
const SLOW_MS: u64 = 300;

/// No step has a second attempt, and an outage would be skipped.
const PLAYBOOK: &str = r#"
timeout_seconds: 120
triggers: [{incident_type: DESCRIPTORS}]
actions:
  - {type: get_workflow_status, timeout_seconds: 30, parameters: {workflow_id: "{{ workflow_id }}"}}
  - {type: reallocate_ticket, timeout_seconds: 30, parameters: {ticket_id: "{{ ticket_id }}", reason: timeout_recovery}}
"#;

fn seed() -> Seed {
    let tickets: Vec<_> = (0..TICKETS)
        .map(|number| json!({"ticket_id": format!("ticket-{number}"), "status": "RUNNING", "assigned_worker": "w-1"}))
        .collect();
    serde_json::from_value(json!({"tickets": tickets, "workflows": [{"workflow_id": "wf-1", "state": "RUNNING"}]}))
        .unwrap()
}

/// The reading of tickets and workflows takes its time.
fn slow_platform() -> Platform {
    let platform = platform(seed());
    for service in [Service::Tickets, Service::Orchestrator] {
        platform.set_fault(Fault::new(service, FaultKind::Slow { by_ms: SLOW_MS })).unwrap();
    }
    platform
}

/// Takes every descriptor that is left, until the process has none.
fn connect_idly(url: &str) -> Vec<TcpStream> {
    let address = url.trim_start_matches("http://");
    (0..IDLE).filter_map(|_| TcpStream::connect(address).ok()).collect()
}

async fn ended(url: &str, id: &str) -> Value {
    let give_up = Instant::now() + 2 * PATIENCE;
    loop {
        if let (200, body) = get(&format!("{url}/api/v1/remediation/{id}/status")).await
            && body["result"].is_object()
        {
            return body;
        }
        assert!(Instant::now() < give_up, "{id} did not end");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_of_a_process_without_descriptors_heal_every_ticket_and_open_no_breaker() {
    let platform = slow_platform();
    let folder = playbooks(&[("descriptors.yaml", PLAYBOOK)]);
    let mut env = env(&platform);
    // One counted failure would open them.
    for name in ["EXECUTION_TICKET_CIRCUIT_BREAKER_THRESHOLD", "ORCHESTRATOR_CIRCUIT_BREAKER_THRESHOLD"] {
        env.push((name.to_owned(), "1".to_owned()));
    }
    let log = folder.path().join("log");
    let serve = Serve::start_limited(&folder.path().join("state.db"), folder.path(), &env, DESCRIPTORS, &log);
    let execute = format!("{}/api/v1/remediation/execute", serve.url);
    let client = http();
    for number in 0..TICKETS {
        let request = json!({"remediation_id": format!("run-{number}"), "incident_id": format!("incident-{number}"),
            "playbook_name": "descriptors",
            "parameters": {"ticket_id": format!("ticket-{number}"), "workflow_id": "wf-1"}});
        assert_eq!(client.post(&execute).json(&request).send().await.unwrap().status(), 202);
    }
    let idle = connect_idly(&serve.url);
    tokio::time::sleep(Duration::from_secs(5)).await;
    drop(idle);
    for number in 0..TICKETS {
        let ended = ended(&serve.url, &format!("run-{number}")).await;
        assert_eq!(ended["result"]["outcome"], "COMPLETED", "{ended:#}");
        assert_eq!(ended["result"]["warnings"], json!([]), "{ended:#}");
    }
    assert_eq!(platform.effects().len(), TICKETS);
    let metrics = http().get(format!("{}/metrics", serve.url)).send().await.unwrap().text().await.unwrap();
    let states: Vec<_> =
        metrics.lines().filter(|line| line.starts_with("self_healing_circuit_breaker_state{")).collect();
    assert!(!states.is_empty() && states.iter().all(|line| line.ends_with(" 0")), "{states:#?}");
    let log = std::fs::read_to_string(&log).unwrap();
    assert!(log.contains("attempt.own_trouble"), "the process never lacked a descriptor:\n{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn doctor_says_what_a_limit_of_open_files_leaves_and_what_to_do() {
    let platform = platform(Seed::healthy_worker());
    let open_files = |descriptors: usize, code: i32| {
        let mut doctor = limited_command(descriptors, &["doctor", "--json", "--state", "heal.db"]);
        let findings = finish(doctor.envs(env(&platform))).exits(code).report();
        let checks = findings["checks"].as_array().unwrap();
        checks.iter().find(|check| check["what"] == "open files").unwrap().clone()
    };
    let enough = open_files(1_024, 0);
    assert_eq!((enough["well"].as_bool(), enough["subject"].as_str()), (Some(true), Some("1024")), "{enough}");
    let few = open_files(64, 1).to_string();
    for part in ["48 for the engine's own work", "at most 16 for connections", "raise the limit"] {
        assert!(few.contains(part), "no {part:?} in {few}");
    }
}
