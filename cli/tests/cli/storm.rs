//! A storm, by the real binary: what fifty sick workers lead to.

use std::time::Duration;

use heal_sandbox::{Platform, Seed};
use serde_json::{Value, json};

use crate::receiver::Receiver;
use crate::support::{Serve, env, eventually, heal, path, platform, playbooks, post};

const WORKERS: u32 = 50;
const BUDGET: usize = 10;

const PLAYBOOK: &str = r#"
timeout_seconds: 60
triggers: [{incident_type: SICK}]
actions:
  - {type: restart_pod, parameters: {pod_name: "{{ worker_id }}", namespace: neural-hive-execution}}
"#;

/// Short times, so that the test sees the end of the storm.
const GUARDRAILS: &str = "
storms:
  kubernetes: {targets: 5, window_seconds: 10, quiet_seconds: 10, trickle: 1}
budgets:
  - {name: restarts_of_a_day, actions: [restart_pod], max: 10, window_seconds: 86400}
";

fn fleet() -> Seed {
    let owner = json!({"kind": "StatefulSet", "name": "worker"});
    let pods = (0..WORKERS).map(|worker| {
        json!({"namespace": "neural-hive-execution", "name": format!("worker-{worker}"), "owner": owner, "ready": false,
            "waiting_reason": "CrashLoopBackOff"})
    });
    Seed::from_json(&json!({"pods": pods.collect::<Vec<_>>()}).to_string()).unwrap()
}

fn restarts(platform: &Platform) -> Vec<String> {
    let mut targets: Vec<_> = platform.effects().into_iter().map(|call| call.target).collect();
    targets.sort();
    targets
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_sick_workers_are_one_group_incident_and_at_most_the_budgets_restarts() {
    let receiver = Receiver::start(Duration::ZERO).await;
    let platform = platform(fleet());
    let folder = playbooks(&[("sick.yaml", PLAYBOOK), ("guardrails.yaml", GUARDRAILS)]);
    std::fs::write(folder.path().join("notify.yaml"), receiver.is_told_of_everything()).unwrap();
    let state = folder.path().join("state.db");
    let serve = Serve::start(&state, folder.path(), &env(&platform));
    for worker in 0..WORKERS {
        let incident = json!({"incident_id": format!("inc-{worker}"), "incident_type": "SICK",
            "worker_id": format!("worker-{worker}")});
        assert_eq!(post(&format!("{}/api/v1/incidents", serve.url), &incident).await.0, 202);
    }
    let runs = || heal(&["runs", "list", "--json", "--limit", "200", "--state", path(&state)]).exits(0).json();
    let halts = heal(&["halts", "--state", path(&state)]).exits(0);
    assert!(halts.stdout.contains("service kubernetes") && halts.stdout.contains("system:storm"), "{halts:#?}");
    let held = eventually("a run is held by the storm", || {
        runs().into_iter().find(|run| run["held_by"].as_str().is_some_and(|by| by.starts_with("halt-storm")))
    });
    let explained = heal(&["runs", "explain", held["run_id"].as_str().unwrap(), "--state", path(&state)]).exits(0);
    assert!(explained.stdout.contains("storm"), "{explained:#?}");

    let ended = eventually("every run ends", || {
        let runs = runs();
        runs.iter().all(|run| run["outcome"].is_string()).then_some(runs)
    });
    let groups: Vec<_> = ended.iter().filter(|run| run["outcome"] == "ESCALATED").collect();
    assert_eq!((groups.len(), ended.len()), (1, WORKERS as usize + 1), "{groups:#?}");
    let restarts = restarts(&platform);
    assert_eq!(restarts.len(), BUDGET, "{restarts:?}");
    assert!(restarts.windows(2).all(|pair| pair[0] != pair[1]), "a worker was restarted twice: {restarts:?}");
    eventually("the notices of the storm arrive", || {
        let told = receiver.told();
        let ends_with =
            |event: &str| told.keys().filter(|id| id.starts_with("halt-storm") && id.ends_with(event)).count();
        ((ends_with(":storm_began"), ends_with(":storm_over")) == (1, 1)).then_some(())
    });
    let listed = heal(&["escalations", "list", "--json", "--state", path(&state)]).exits(0).json();
    assert_eq!(listed.iter().map(|one| &one["run_id"]).collect::<Vec<_>>(), [&groups[0]["run_id"]], "{listed:?}");
    let none: Vec<Value> = heal(&["halts", "--json", "--state", path(&state)]).exits(0).json();
    assert_eq!(none, Vec::<Value>::new());
}
