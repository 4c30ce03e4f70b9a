//! `heal escalations`: the same fix again and again is for a person.

use heal_sandbox::Seed;
use serde_json::{Value, json};

use crate::support::{Ran, Serve, command, env, eventually, finish, heal, path, platform, post, root};

fn run(state: &str, number: u32) -> Ran {
    let incident = json!({"incident_id": format!("inc-{number}"), "incident_type": "WORKER_FAILURE", "worker_id": "worker-1",
        "pod_name": "worker-1", "namespace": "neural-hive-execution", "severity": "CRITICAL"});
    let file = format!("{state}.incident-{number}.json");
    std::fs::write(&file, incident.to_string()).unwrap();
    // The record that notifies people is a warning.
    finish(command(&["run", &file, "--sandbox", "--json", "--state", state]).env("RUST_LOG", "warn"))
}

/// The records that notify people, in the log of one process.
fn notifications(ran: &Ran) -> usize {
    ran.stderr.lines().filter(|line| line.contains("run.escalated")).count()
}

fn list(state: &str, options: &[&str]) -> Vec<Value> {
    heal(&[&["escalations", "list", "--json", "--state", state], options].concat()).exits(0).json()
}

#[test]
fn the_third_run_for_one_worker_is_escalated_until_a_person_acknowledges_it() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state.db");
    let state = path(&state);
    // The pod that replaced a sick one is another pod, also for the cooldown: each of the first two is restarted.
    for number in 1..=2 {
        let ran = run(state, number).exits(0);
        let report = ran.report();
        assert_eq!(
            (&report["outcome"], &report["steps"][1]["status"]),
            (&json!("HEALED"), &json!("succeeded")),
            "{report:#}"
        );
        assert_eq!(notifications(&ran), 0, "{ran:#?}");
    }
    assert_eq!(list(state, &[]), [] as [Value; 0]);

    let escalated = run(state, 3).exits(3);
    assert_eq!(notifications(&escalated), 1, "{escalated:#?}");
    let report = escalated.report();
    let run_id = report["run_id"].as_str().unwrap();
    assert_eq!((&report["outcome"], &report["status"]), (&json!("ESCALATED"), &json!("FAILED")));
    let reason = report["reason"].as_str().unwrap();
    assert!(reason.starts_with("third worker_failure_recovery of worker:worker-1 within 3600 s: run run-"), "{reason}");
    assert!(
        report["follow_up"][0].as_str().unwrap().ends_with(&format!("heal escalations ack {run_id}")),
        "{report:#}"
    );
    assert!(report["steps"].as_array().unwrap().iter().all(|step| step["attempts"] == 0), "{report:#}");
    for number in 4..=6 {
        let joined = run(state, number).exits(3);
        joined.complains(&["this incident joined the run of another one", run_id]);
        assert_eq!(joined.report()["run_id"], run_id);
        assert_eq!(notifications(&joined), 0, "{joined:#?}");
    }

    let attention = ["runs", "list", "--needs-attention", "--outcome", "escalated", "--state", state];
    assert!(heal(&attention).exits(0).stdout.contains("ESCALATED !"));
    let [open] = &list(state, &[])[..] else { panic!("not one escalation") };
    assert_eq!((&open["run_id"], &open["joined"]), (&json!(run_id), &json!(["inc-4", "inc-5", "inc-6"])));

    let ack = ["escalations", "ack", run_id, "--note", "new disk", "--state", state];
    assert!(heal(&ack).exits(0).stdout.contains("is acknowledged"), "{ack:?}");
    heal(&ack).exits(0).complains(&["was acknowledged by local:"]);
    assert_eq!(list(state, &[]), [] as [Value; 0]);
    assert!(!heal(&attention).exits(0).stdout.contains(run_id));
    let [done] = &list(state, &["--all"])[..] else { panic!("not one escalation") };
    assert_eq!(done["note"], "new disk");
    assert!(done["acknowledged_by"].as_str().unwrap().starts_with("local:"), "{done}");
    let table = heal(&["escalations", "list", "--all", "--state", state]).exits(0);
    for part in ["ACKNOWLEDGED", run_id, "new disk", "third worker_failure_recovery"] {
        assert!(table.stdout.contains(part), "no {part:?} in {table:#?}");
    }
    let shown = heal(&["runs", "show", run_id, "--state", state]).exits(0);
    for part in ["incident_joined", "new disk", "(done by local:"] {
        assert!(shown.stdout.contains(part), "no {part:?} in {shown:#?}");
    }
    assert_ne!(run(state, 7).report()["outcome"], "ESCALATED");
}

#[tokio::test(flavor = "multi_thread")]
async fn six_incidents_about_one_worker_notify_people_once() {
    let platform = platform(Seed::unhealthy_worker());
    let folder = tempfile::tempdir().unwrap();
    let (state, log) = (folder.path().join("state.db"), folder.path().join("log"));
    let serve = Serve::start_logging(&state, &root().join("playbooks"), &env(&platform), "info", &log);
    let url = format!("{}/api/v1/incidents", serve.url);
    let state = path(&state);
    for number in 1..=6 {
        let incident = json!({"incident_id": format!("inc-{number}"), "incident_type": "WORKER_FAILURE", "worker_id": "worker-1",
            "pod_name": "worker-1", "namespace": "neural-hive-execution"});
        assert_eq!(post(&url, &incident).await.0, 202);
        eventually("the incident is taken, and its run has ended", || {
            let runs = heal(&["runs", "list", "--json", "--state", state]).exits(0).json();
            let joined: usize = list(state, &[]).iter().map(|run| run["joined"].as_array().unwrap().len()).sum();
            let ended = runs.iter().filter(|run| run["outcome"].is_string()).count();
            (ended == runs.len() && ended + joined == number).then_some(())
        });
    }
    let restarts = platform.effects().iter().filter(|call| call.operation == "delete_pod").count();
    assert!((1..=2).contains(&restarts), "{restarts} restarts");
    let log = std::fs::read_to_string(&log).unwrap();
    let told: Vec<_> = log.lines().filter(|line| line.contains("run.escalated")).collect();
    let [line] = &told[..] else { panic!("{told:#?}") };
    for part in ["WARN", "third worker_failure_recovery of worker:worker-1", "heal escalations ack run-"] {
        assert!(line.contains(part), "no {part:?} in {line}");
    }
}

#[test]
fn only_an_escalated_run_is_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state.db");
    let state = path(&state);
    let healed = run(state, 1).exits(0).report();
    let run_id = healed["run_id"].as_str().unwrap();
    let ran = heal(&["escalations", "ack", run_id, "--state", state]).exits(2);
    ran.complains(&[&format!("run {run_id}: it is HEALED, expected ESCALATED"), "heal escalations list"]);
    heal(&["escalations", "ack", "nobody", "--state", state]).exits(2).complains(&["run nobody does not exist in"]);
    heal(&["escalations", "list", "--state", state]).exits(0).complains(&["no escalated run waits for a person"]);
}
