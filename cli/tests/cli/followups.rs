//! `heal followups`, and the withdrawal of runs whose alert is over.

use heal_sandbox::Seed;
use serde_json::{Value, json};

use crate::support::{Serve, env, eventually, get, heal, heal_with_input, identity, path, platform, post, root};

fn list(state: &str, options: &[&str]) -> Vec<Value> {
    heal(&[&["followups", "list", "--json", "--state", state], options].concat()).exits(0).json()
}

/// Of a run that has ended `DEGRADED`.
pub(crate) fn are_listed_and_done(run_id: &str, state: &str) {
    let open = list(state, &[]);
    assert!(!open.is_empty(), "the run left nothing");
    let first = &open[0];
    assert_eq!((&first["run_id"], &first["done_by"]), (&json!(run_id), &Value::Null));
    let id = first["id"].as_str().unwrap();
    assert!(id.starts_with(&format!("{run_id}.")), "{id}");
    let done = ["followups", "done", id, "--note", "moved it", "--state", state];
    assert!(heal(&done).exits(0).stdout.contains("COMPLETED"));
    heal(&done).exits(0).complains(&["was done by local:"]);
    assert_eq!(list(state, &["--open"]).len(), open.len() - 1);
    let all = list(state, &["--run", run_id, "--all"]);
    let first = all.iter().find(|entry| entry["id"] == id).unwrap();
    assert_eq!((&first["done_by"], &first["note"]), (&json!(identity()), &json!("moved it")));
    let shown = heal(&["runs", "show", run_id, "--state", state]).exits(0);
    for part in ["follow_up_done", &format!("by {}: moved it", identity()), &format!("(done by {})", identity())] {
        assert!(shown.stdout.contains(part), "no {part:?} in {shown:#?}");
    }
    let report = heal(&["runs", "show", run_id, "--json", "--state", state]).exits(0).report();
    assert_eq!((&report["outcome"], report["follow_up"].as_array().unwrap().len()), (&json!("DEGRADED"), all.len()));

    for wrong in ["nonsense", "run-1.", &format!("{run_id}.00000000"), "run-nobody.00000000"] {
        let ran = heal(&["followups", "done", wrong, "--state", state]).exits(2);
        ran.complains(&[&format!("`{wrong}` is not the id of a follow-up"), "heal followups list"]);
    }
    let table = heal(&["followups", "list", "--all", "--state", state]).exits(0);
    for part in ["FOLLOW-UP", "WHAT IS LEFT", id, &format!("{}: moved it", identity())] {
        assert!(table.stdout.contains(part), "no {part:?} in {table:#?}");
    }
    assert_eq!(list(state, &["--incident", "of-no-run"]), [] as [Value; 0]);
}

#[test]
fn the_most_severe_follow_up_comes_first_and_an_escalation_is_among_them() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state.db");
    let state = path(&state);
    // Denied: the workflow has ended.
    let run = |id: &str, severity: &str| {
        let incident = json!({"incident_id": id, "incident_type": "WORKFLOW_STUCK", "workflow_id": "wf-1", "severity": severity,
            "escalation_required": severity == "CRITICAL"});
        let args = ["run", "-", "--sandbox", "--workflow-state", "failed", "--json", "--state", state];
        heal_with_input(&args, incident.to_string().as_bytes()).exits(1).report()
    };
    run("low", "LOW");
    let report = run("critical", "CRITICAL");
    assert_eq!((&report["severity"], &report["escalation_required"]), (&json!("CRITICAL"), &json!(true)));
    let entries = list(state, &[]);
    let incidents: Vec<_> = entries.iter().map(|entry| entry["incident_id"].as_str().unwrap()).collect();
    assert_eq!(incidents.iter().rev().collect::<Vec<_>>()[0], &"low", "{incidents:?}");
    assert!(incidents.len() >= 3 && incidents[0] == "critical", "{incidents:?}");
    let escalate = entries.iter().filter(|entry| entry["text"].as_str().unwrap().starts_with("escalate incident"));
    assert_eq!(escalate.map(|entry| entry["incident_id"].clone()).collect::<Vec<_>>(), ["critical"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_resolved_incident_withdraws_its_run_and_a_rejected_message_is_ticked_off() {
    let platform = platform(Seed::healthy_worker());
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state.db");
    let log = folder.path().join("log");
    let serve = Serve::start_logging(&state, &root().join("playbooks"), &env(&platform), "info", &log);
    let url = format!("{}/api/v1/incidents", serve.url);
    let incident = json!({"incident_id": "inc-9", "incident_type": "WORKFLOW_STUCK", "workflow_id": "wf-1", "severity": "HIGH",
        "auto_remediation_enabled": false});
    assert_eq!(post(&url, &incident).await.0, 202);
    let runs = || heal(&["runs", "list", "--json", "--state", path(&state)]).exits(0).json();
    eventually("the run awaits approval", || runs().into_iter().find(|run| run["status"] == "AWAITING_APPROVAL"));
    let waiting = runs()[0]["run_id"].as_str().unwrap().to_owned();
    let (_, answer) = get(&format!("{}/api/v1/remediation/{waiting}/status", serve.url)).await;
    assert_eq!((&answer["severity"], &answer["follow_ups"]), (&json!("HIGH"), &json!([])), "{answer}");
    let (status, answer) = post(&url, &json!({"incident_id": "inc-9", "status": "Resolved"})).await;
    assert_eq!((status, &answer["message"]), (202, &json!("accepted: the incident \"inc-9\" was resolved")));
    let ended = eventually("the run is withdrawn", || runs().into_iter().find(|run| run["outcome"] == "CANCELLED"));
    assert_eq!(ended["reason"], "no longer needed: the incident \"inc-9\" was resolved");
    assert_eq!(list(path(&state), &[]), [] as [Value; 0], "nothing was begun");
    assert!(platform.effects().is_empty());
    let log = std::fs::read_to_string(&log).unwrap();
    let line = log.lines().find(|line| line.contains("approval.requested")).unwrap_or_else(|| panic!("{log}"));
    for part in
        ["WARN", "severity=HIGH", "until=", "heal runs approve", "incident_id=inc-9", "playbook=workflow_restart"]
    {
        assert!(line.contains(part), "no {part:?} in {line}");
    }
    assert!(log.contains("run.withdrawn") && log.contains("run.ended"), "{log}");

    assert_eq!(post(&url, &json!({"incident_id": "odd", "incident_type": "NEVER_HEARD_OF"})).await.0, 202);
    let id = eventually("its follow-up is listed", || list(path(&state), &[]).pop())["id"].as_str().unwrap().to_owned();
    heal(&["followups", "done", &id, "--state", path(&state)]).exits(0);
    assert_eq!(list(path(&state), &[]), [] as [Value; 0]);
    assert_eq!(list(path(&state), &["--incident", "odd", "--all"])[0]["done_by"], identity());
}
