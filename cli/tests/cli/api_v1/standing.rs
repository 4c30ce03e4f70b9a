//! How much of the guardrails is left, as the API and the console say it.

use heal_sandbox::Seed;
use serde_json::{Value, json};

use crate::support::{Serve, env, get, http, platform, playbooks, post};

const HEAL: &str = "\
description: restarts a worker
triggers: [{incident_type: WORKER_FAILURE}]
actions:
  - {name: check, type: check_worker_health, parameters: {worker_id: \"{{ worker_id }}\"}}
  - {type: restart_pod, parameters: {pod_name: \"{{ worker_id }}\"}}
";
const GUARDRAILS: &str = "\
cooldowns: {restart_pod: {seconds: 3600}}
budgets:
  - {name: restarts, actions: [restart_pod], key: \"{{ playbook }}\", max: 3, window_seconds: 3600}
  - {name: everything, max: 9, window_seconds: 60}
  - {name: tickets, actions: [reallocate_ticket], key: \"{{ target }}\", max: 1, window_seconds: 60}
";

#[tokio::test(flavor = "multi_thread")]
async fn what_is_left_of_each_budget_and_which_targets_are_left_alone_is_shown() {
    let platform = platform(Seed::unhealthy_worker());
    let folder = playbooks(&[("heal.yaml", HEAL), ("guardrails.yaml", GUARDRAILS)]);
    let serve = Serve::start(&folder.path().join("state.db"), folder.path(), &env(&platform));
    let url = |path: &str| format!("{}{path}", serve.url);
    let (_, before) = get(&url("/api/v1/guardrails")).await;
    let everything = json!({"name": "everything", "max": 9, "max_percent": null, "window_seconds": 60,
        "counters": [{"key": "", "used": 0, "left": 9, "full_until": null}]});
    assert_eq!((&before["budgets"][1], &before["cooldowns"]), (&everything, &json!([])), "{before}");

    let incident = json!({"incident_id": "inc-1", "incident_type": "WORKER_FAILURE", "worker_id": "worker-1"});
    let (status, body) = post(&url("/api/v1/incidents"), &incident).await;
    assert_eq!(status, 202, "{body}");
    let run: Value = loop {
        let (_, listed) = get(&url("/api/v1/runs?incident=inc-1")).await;
        match listed["runs"].get(0) {
            Some(run) if !run["outcome"].is_null() => break run.clone(),
            _ => tokio::time::sleep(std::time::Duration::from_millis(50)).await,
        }
    };
    assert_eq!(run["status"], "COMPLETED", "{run}");
    let (status, after) = get(&url("/api/v1/guardrails")).await;
    assert_eq!((status, &after["runs_read"]), (200, &json!(1)));
    let counters = |name: &str| {
        let budgets = after["budgets"].as_array().unwrap();
        budgets.iter().find(|budget| budget["name"] == name).unwrap()["counters"].clone()
    };
    assert_eq!(counters("restarts"), json!([{"key": "heal", "used": 1, "left": 2, "full_until": null}]), "{after}");
    assert_eq!(counters("everything")[0]["used"], 1, "what only reads counts in nothing");
    assert_eq!(counters("tickets"), json!([]));
    let [cooldown] = after["cooldowns"].as_array().unwrap().as_slice() else { panic!("{after}") };
    assert_eq!((&cooldown["action"], &cooldown["target"]), (&json!("restart_pod"), &json!("worker-1")));
    let (since, until) = (cooldown["since"].as_u64().unwrap(), cooldown["until"].as_u64().unwrap());
    assert_eq!(until - since, 3_600_000);

    let page = http().get(url("/guardrails")).send().await.unwrap().text().await.unwrap();
    for text in ["heal: <meter", "1 of 3 used, 2 left", "No run has used it lately: all 1 are left", "worker-1"] {
        assert!(page.contains(text), "no {text:?} in {page}");
    }
}
