//! What depends on a sick service waits, by the real binary.

use std::path::Path;
use std::sync::Arc;

use heal_embedded::{Location, Store};
use heal_runtime::port::{BreakerStore as _, Clock as _, SystemClock};
use heal_sandbox::Seed;
use serde_json::{Value, json};

use crate::support::{Serve, env, eventually, heal, path, platform, playbooks, post};

const PLAYBOOK: &str = r#"
triggers: [{incident_type: SICK}]
actions:
  - {type: restart_pod, parameters: {pod_name: "worker-1", namespace: neural-hive-execution}}
"#;

const GUARDRAILS: &str = "
dependencies:
  - {name: tickets_are_away, breaker: execution-ticket-service, actions: [restart_pod]}
";

/// Opens the breaker of the ticket service for `seconds`, as the calls of another process would.
async fn open_breaker(state: &Path, seconds: u64) {
    let store = Store::open(Location::File(state.to_owned()), Arc::new(SystemClock)).unwrap();
    let now = SystemClock.now();
    store.open("execution-ticket-service", now, now.plus_ms(seconds * 1_000)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_waits_while_the_ticket_service_is_away_and_happens_once_it_is_back() {
    let platform = platform(Seed::unhealthy_worker());
    let folder = playbooks(&[("sick.yaml", PLAYBOOK), ("guardrails.yaml", GUARDRAILS)]);
    let state = folder.path().join("state.db");
    let serve = Serve::start(&state, folder.path(), &env(&platform));
    open_breaker(&state, 12).await;
    let halts = eventually("the restart is halted", || {
        let ran = heal(&["halts", "--state", path(&state)]).exits(0);
        ran.stdout.contains("tickets_are_away").then_some(ran)
    });
    assert!(halts.stdout.contains("the circuit breaker of execution-ticket-service is open"), "{halts:#?}");
    assert!(halts.stdout.contains("system:dependency"), "{halts:#?}");
    let incident = json!({"incident_id": "i", "incident_type": "SICK"});
    assert_eq!(post(&format!("{}/api/v1/incidents", serve.url), &incident).await.0, 202);
    let runs = || heal(&["runs", "list", "--json", "--state", path(&state)]).exits(0).json();
    eventually("the run is held", || runs().iter().any(|run| run["held_by"].is_string()).then_some(()));
    assert_eq!(platform.effects(), []);
    let ended = eventually("the run ends", || runs().pop().filter(|run| run["outcome"].is_string()));
    assert_eq!(ended["outcome"], json!("COMPLETED"), "{ended}");
    assert_eq!(platform.effects().len(), 1);
    assert_eq!(heal(&["halts", "--json", "--state", path(&state)]).exits(0).json(), Vec::<Value>::new());
}
