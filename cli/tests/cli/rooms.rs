//! Room among the live runs of a service: who waits, in which order, and that a crash loses nobody.

use std::path::Path;

use heal_sandbox::Seed;
use serde_json::{Value, json};

use crate::support::{Serve, env, eventually, heal, path, platform, playbooks, post};

/// The timeout is shorter than the last run waits for room.
const PLAYBOOK: &str = "
timeout_seconds: 15
triggers: [{incident_type: SLOW}]
actions:
  - {type: wait, name: pause, parameters: {seconds: \"{{ pause }}\"}}
";
/// Incidents in their order, with the seconds that their runs take. While the first one takes its time, a dozen processes of `heal` look at the others.
const INCIDENTS: [(&str, &str, u32); 3] = [("first", "LOW", 12), ("low", "LOW", 1), ("high", "HIGH", 5)];
const GUARDRAILS: &str = "admission: {live: {playbooks: {slow: 1}}}\n";

fn runs(state: &Path) -> Vec<Value> {
    heal(&["runs", "list", "--json", "--state", path(state)]).exits(0).json()
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_over_the_bound_wait_in_order_and_outlive_the_process() {
    let platform = platform(Seed::from_json("{}").unwrap());
    let folder = playbooks(&[("slow.yaml", PLAYBOOK), ("guardrails.yaml", GUARDRAILS)]);
    let state = folder.path().join("state.db");
    let serve = Serve::start(&state, folder.path(), &env(&platform));
    let begin = async |id: &str, severity: &str, pause: u32| {
        let incident = json!({"incident_id": id, "incident_type": "SLOW", "severity": severity, "pause": pause});
        assert_eq!(post(&format!("{}/api/v1/incidents", serve.url), &incident).await.0, 202);
        eventually("the run exists", || runs(&state).iter().any(|run| run["incident_id"] == id).then_some(()));
    };
    for (id, severity, pause) in INCIDENTS {
        begin(id, severity, pause).await;
    }
    let queued = |id: &str| runs(&state).into_iter().find(|run| run["incident_id"] == id).unwrap();
    let (high, low) = (queued("high"), queued("low"));
    assert_eq!((&high["status"], &high["queue"]), (&json!("PENDING"), &json!({"number": 1, "of": 2})), "{high}");
    assert_eq!(low["queue"], json!({"number": 2, "of": 2}), "{low}");
    let listed = heal(&["runs", "list", "--state", path(&state)]).exits(0);
    assert!(listed.stdout.contains("PENDING, 1 of 2"), "{listed:#?}");
    for command in ["show", "explain"] {
        let shown = heal(&["runs", command, low["run_id"].as_str().unwrap(), "--state", path(&state)]).exits(0);
        assert!(shown.stdout.contains("number 2 of 2"), "{shown:#?}");
    }
    serve.kill();
    let _serve = Serve::start(&state, folder.path(), &env(&platform));
    eventually("every run is done", || runs(&state).iter().all(|run| run["outcome"] == "COMPLETED").then_some(()));
    let ended = |id: &str| queued(id)["updated_at"].as_u64().unwrap();
    assert!(ended("first") < ended("high") && ended("high") < ended("low"), "{:#?}", runs(&state));
}
