//! `heal run`.

use heal_sandbox::Seed;
use serde_json::{Value, json};

use crate::support::{
    GUIDE_EXAMPLE, Ran, command, env, finish, heal, heal_with_input, path, platform, playbooks, root,
};

const TICKET_TIMEOUT: &str = "tests/events/ticket_timeout.json";
const WORKFLOW_STUCK: &str = "tests/events/workflow_stuck.json";

/// `name: status` of every step.
fn steps(report: &Value) -> Vec<String> {
    let steps = report["steps"].as_array().unwrap().iter();
    steps.map(|step| format!("{}: {}", step["name"].as_str().unwrap(), step["status"].as_str().unwrap())).collect()
}

/// The changes that the services saw: operation and target.
fn effects(platform: &heal_sandbox::Platform) -> Vec<String> {
    platform.effects().iter().map(|call| format!("{} {}", call.operation, call.target)).collect()
}

fn guide(seed: Seed) -> (Ran, heal_sandbox::Platform) {
    let platform = platform(seed);
    let folder = playbooks(&[("ticket_timeout_recovery.yaml", GUIDE_EXAMPLE)]);
    let args =
        ["run", TICKET_TIMEOUT, "--json", "--playbook", "ticket_timeout_recovery", "--playbooks", path(folder.path())];
    let ran = finish(command(&args).envs(env(&platform)));
    (ran, platform)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_guides_example_replaces_the_pod_of_an_unhealthy_worker() {
    let (ran, platform) = guide(Seed::unhealthy_worker());
    let report = ran.exits(0).report();
    assert_eq!(report["status"], "COMPLETED");
    assert_eq!(report["outcome"], "COMPLETED");
    assert_eq!(
        steps(&report),
        [
            "check_worker_health: succeeded",
            "restart_pod: succeeded",
            "reallocate_ticket: succeeded",
            "update_ticket_status: succeeded"
        ]
    );
    assert_eq!(
        effects(&platform),
        ["delete_pod neural-hive-execution/worker-1", "reallocate_ticket ticket-1", "update_ticket ticket-1"]
    );
    assert!(platform.pods().iter().all(|pod| pod.ready));
    assert_eq!(platform.ticket("ticket-1").unwrap().assigned_worker, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_guides_example_leaves_the_pod_of_a_healthy_worker_alone() {
    let (ran, platform) = guide(Seed::healthy_worker());
    let report = ran.exits(0).report();
    assert_eq!(
        steps(&report),
        [
            "check_worker_health: succeeded",
            "restart_pod: condition_false",
            "reallocate_ticket: succeeded",
            "update_ticket_status: succeeded"
        ]
    );
    assert_eq!(effects(&platform), ["reallocate_ticket ticket-1", "update_ticket ticket-1"]);
}

#[test]
fn the_shipped_ticket_timeout_heals_in_the_sandbox() {
    let ran = heal(&["run", TICKET_TIMEOUT, "--sandbox"]).exits(0);
    for part in [
        "✓ check_worker_health",
        "✓ restart_pod",
        "✓ reallocate_ticket",
        "✓ update_ticket_status",
        "✓ worker_is_back",
        "HEALED",
    ] {
        assert!(ran.stdout.contains(part), "no {part:?} in {ran:#?}");
    }
    assert!(!ran.stdout.contains('\u{1b}'), "colours where there is no terminal: {ran:#?}");
    assert_eq!(ran.stderr, "", "a run that goes well has nothing to say beside its timeline");

    let healthy = heal(&["run", TICKET_TIMEOUT, "--sandbox", "--healthy"]).exits(0);
    assert!(healthy.stdout.contains("condition_false"), "{healthy:#?}");
}

#[test]
fn every_event_file_runs_in_the_sandbox() {
    let entries = std::fs::read_dir(root().join("tests/events")).unwrap().map(|entry| entry.unwrap().path());
    for file in entries.filter(|path| path.is_file()) {
        let report = heal(&["run", path(&file), "--sandbox", "--json"]).exits(0).report();
        assert_eq!(report["status"], "COMPLETED", "{}", file.display());
        assert_eq!(report["warnings"], json!([]), "{}", file.display());
    }
}

#[test]
fn a_paused_workflow_is_resumed() {
    let report = heal(&["run", WORKFLOW_STUCK, "--sandbox", "--workflow-state", "paused", "--json"]).exits(0).report();
    assert_eq!(report["outcome"], "HEALED");
    assert_eq!(report["steps"][0]["status"], "succeeded");
    assert_eq!(report["steps"][0]["output"]["resumed"], true);
}

#[test]
fn a_running_workflow_is_left_alone() {
    let report = heal(&["run", WORKFLOW_STUCK, "--sandbox", "--workflow-state", "running", "--json"]).exits(0).report();
    assert_eq!(report["steps"][0]["status"], "no_op");
}

#[test]
fn a_completed_workflow_is_refused_for_its_terminal_state() {
    let ran = heal(&["run", WORKFLOW_STUCK, "--sandbox", "--workflow-state", "completed", "--json"]).exits(1);
    let report = ran.report();
    assert_eq!((&report["status"], &report["outcome"]), (&json!("FAILED"), &json!("DENIED")));
    assert_eq!(report["steps"][0]["status"], "denied");
    let error = report["steps"][0]["error"].as_str().unwrap();
    assert!(error.contains("terminal state") && error.contains("restart_workflow_terminal_state"), "{error}");
    assert_ne!(report["follow_up"], json!([]));
}

#[test]
fn the_json_lines_are_events_and_then_the_report() {
    let lines = heal(&["run", TICKET_TIMEOUT, "--sandbox", "--json"]).exits(0).json();
    let (report, events) = lines.split_last().unwrap();
    assert_eq!(events.first().unwrap()["event"], "run_started");
    assert_eq!(events.last().unwrap()["event"], "run_ended");
    for (event, seq) in events.iter().zip(1_u64..) {
        assert_eq!(event["seq"], seq);
        assert_eq!(event["run_id"], report["run_id"]);
        assert!(event.get("token").is_none(), "the attempt's secret: {event}");
    }
    for field in ["run_id", "incident_id", "playbook", "status", "outcome", "steps", "warnings", "follow_up"] {
        assert!(report.get(field).is_some(), "no {field} in {report}");
    }
    for field in ["name", "type", "status", "attempts", "duration_ms", "output", "warning", "error"] {
        assert!(report["steps"][0].get(field).is_some(), "no {field} in {}", report["steps"][0]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_changes_nothing_and_shows_what_is_known_and_what_would_be_done() {
    let platform = platform(Seed::unhealthy_worker());
    let ran = finish(command(&["run", TICKET_TIMEOUT, "--dry-run"]).envs(env(&platform))).exits(0);
    assert!(platform.writes().is_empty(), "{:#?}", platform.writes());
    assert!(platform.calls().iter().any(|call| call.operation == "get_pod"), "reads are real: {:#?}", platform.calls());
    let later = "{{ steps.check_worker_health.worker_unhealthy | default(false) }}";
    let known =
        ["nothing is executed", "ticket:ticket-1", &format!("{later}  known later"), "timeout_recovery", "until"];
    let would = ["shadow: nothing is changed", "would delete pod \"worker-1\"", "would reallocate ticket", "SHADOWED"];
    for part in known.into_iter().chain(would) {
        assert!(ran.stdout.contains(part), "no {part:?} in {ran:#?}");
    }
    let ran = finish(command(&["run", TICKET_TIMEOUT, "--dry-run", "--json"]).envs(env(&platform))).exits(0);
    let json = &ran.json()[0];
    assert_eq!(json["steps"][1]["condition"], json!({"later": later}));
    assert_eq!(json["steps"][2]["parameters"][1], json!(["ticket_id", {"now": "ticket-1"}]));
    let report = ran.report();
    assert_eq!((&report["mode"], &report["outcome"]), (&json!("shadow"), &json!("SHADOWED")), "{report:#}");
    assert!(platform.writes().is_empty(), "{:#?}", platform.writes());
}

#[tokio::test(flavor = "multi_thread")]
async fn steps_of_unreachable_services_are_skipped_with_a_follow_up() {
    let platform = platform(Seed::healthy_worker());
    platform
        .set_fault(heal_sandbox::Fault::new(heal_sandbox::Service::Tickets, heal_sandbox::FaultKind::Refuse))
        .unwrap();
    let state = tempfile::tempdir().unwrap();
    let state = state.path().join("state.db");
    let args = ["--log-format", "json", "run", TICKET_TIMEOUT, "--state", path(&state)];
    let ran = finish(command(&args).envs(env(&platform)).env("RUST_LOG", "warn")).exits(3);
    let logged = ran.stderr.lines().find(|line| line.contains("run.degraded")).unwrap_or_else(|| panic!("{ran:#?}"));
    for part in ["WARN", "run_id", "incident_id", "ticket_timeout_recovery", "reallocate_ticket was skipped"] {
        assert!(logged.contains(part), "no {part:?} in {logged}");
    }
    for part in ["! reallocate_ticket", "skipped", "DEGRADED", "warnings", "what is left for a person"] {
        assert!(ran.stdout.contains(part), "no {part:?} in {ran:#?}");
    }
    assert!(platform.effects().is_empty());
    let list = heal(&["runs", "list", "--state", path(&state)]).exits(0);
    assert!(list.stdout.contains("DEGRADED !"), "{list:#?}");
    let run_id = heal(&["runs", "list", "--json", "--state", path(&state)]).exits(0).report()["run_id"].clone();
    let run_id = run_id.as_str().unwrap();
    heal(&["runs", "watch", run_id, "--state", path(&state)]).exits(3);
    crate::followups::are_listed_and_done(run_id, path(&state));
    let report = heal(&["runs", "show", run_id, "--json", "--state", path(&state)]).exits(0).report();
    let flags = |step: usize| (&report["steps"][step]["success"], &report["steps"][step]["skipped"]);
    assert_eq!((flags(0), flags(2)), ((&json!(true), &json!(false)), (&json!(true), &json!(true))), "{report:#}");
    assert_eq!((&report["status"], &report["outcome"]), (&json!("COMPLETED"), &json!("DEGRADED")));
}

#[test]
fn a_run_that_awaits_approval_shows_how_to_approve_it() {
    let request = json!({"incident_id": "i", "playbook_name": "workflow_restart", "parameters": {"workflow_id": "wf-1"},
        "execution_mode": "MANUAL_APPROVAL"});
    let input = request.to_string();
    let ran = heal_with_input(&["run", "-", "--sandbox"], input.as_bytes()).exits(1);
    assert!(ran.stdout.contains("AWAITING_APPROVAL"), "{ran:#?}");
    ran.complains(&["--approve"]);
    let report = heal_with_input(&["run", "-", "--sandbox", "--approve", "--json"], input.as_bytes()).exits(0).report();
    assert_eq!(report["outcome"], "HEALED");
}

#[test]
fn the_same_incident_in_the_same_file_starts_one_run() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state.db");
    let args = ["run", TICKET_TIMEOUT, "--sandbox", "--json", "--state", path(&state)];
    let first = heal(&args).exits(0).report();
    let again = heal(&args).exits(0);
    again.complains(&["has a run already"]);
    assert_eq!(again.report(), first);
}

#[test]
fn text_from_an_incident_cannot_steer_the_terminal() {
    let incident = json!({"incident_id": "i\u{1b}[2J\u{202e}\nx", "incident_type": "WORKFLOW_STUCK", "workflow_id": "wf-1\u{1b}]0;x\u{7}"});
    let input = incident.to_string();
    for args in
        [&["run", "-", "--sandbox"][..], &["run", "-", "--sandbox", "--json"], &["run", "-", "--sandbox", "--dry-run"]]
    {
        let ran = heal_with_input(args, input.as_bytes());
        let said = format!("{}{}", ran.stdout, ran.stderr);
        assert!(!said.lines().any(|line| line.contains(heal_telemetry::text::is_risky)), "{said:?}");
    }
}

#[test]
fn a_run_is_cancelled_by_an_interrupt() {
    let folder = playbooks(&[(
        "long.yaml",
        "actions:\n  - {type: wait, parameters: {seconds: 50}}\n  - {type: restart_workflow, parameters: {workflow_id: w}}\n",
    )]);
    let incident = folder.path().join("incident.json");
    std::fs::write(&incident, r#"{"incident_id": "i", "incident_type": "X"}"#).unwrap();
    let args =
        ["run", path(&incident), "--json", "--sandbox", "--playbook", "long", "--playbooks", path(folder.path())];
    let mut child = command(&args).stdout(std::process::Stdio::piped()).spawn().unwrap();
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(child.stdout.take().unwrap()));
    while !lines.next().unwrap().unwrap().contains("wait_started") {}
    std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    let report: Value = serde_json::from_str(&lines.last().unwrap().unwrap()).unwrap();
    assert_eq!(report["outcome"], "CANCELLED");
    assert_eq!(child.wait().unwrap().code(), Some(1));
}

#[test]
fn a_second_interrupt_leaves_at_once() {
    let folder =
        playbooks(&[("slow.yaml", "actions:\n  - {type: restart_workflow, parameters: {workflow_id: wf-1}}\n")]);
    let incident = folder.path().join("incident.json");
    std::fs::write(&incident, r#"{"incident_id": "i", "incident_type": "X"}"#).unwrap();
    // This address neither answers nor refuses the connection.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port().to_string();
    let args = ["run", path(&incident), "--json", "--playbook", "slow", "--playbooks", path(folder.path())];
    let mut command = command(&args);
    command.env("ORCHESTRATOR_GRPC_HOST", "127.0.0.1").env("ORCHESTRATOR_GRPC_PORT", port);
    command.env("ORCHESTRATOR_GRPC_USE_TLS", "false").env("SPIFFE_IDENTITY_SOURCE", "none");
    let mut child = command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::null()).spawn().unwrap();
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(child.stdout.take().unwrap()));
    let mut wait_for = |text: &str| while !lines.next().unwrap().unwrap().contains(text) {};
    let interrupt = |id: u32| std::process::Command::new("kill").args(["-INT", &id.to_string()]).status().unwrap();
    let started = tokio::time::Instant::now();
    wait_for("attempt_started");
    interrupt(child.id());
    wait_for("cancel_requested");
    interrupt(child.id());
    assert_eq!(child.wait().unwrap().code(), Some(1));
    assert!(started.elapsed().as_secs() < 8, "{:?}", started.elapsed());
}

#[test]
fn a_sandbox_has_the_state_of_its_seed_alone() {
    let folder = tempfile::tempdir().unwrap();
    let seed = folder.path().join("seed.json");
    std::fs::write(&seed, r#"{"workflows": [{"workflow_id": "wf-1", "plan_id": "p", "state": "CANCELLED"}]}"#).unwrap();
    let args = ["run", WORKFLOW_STUCK, "--sandbox", "--sandbox-seed", path(&seed), "--json"];
    assert_eq!(heal(&args).exits(1).report()["outcome"], "DENIED");
    let report = heal(&["run", TICKET_TIMEOUT, "--sandbox", "--sandbox-seed", path(&seed), "--json"]).exits(1).report();
    assert_eq!(report["steps"][0]["output"]["healthy"], false, "a pod that is not there is not well: {report:#}");
}

#[test]
fn reserved_names_of_an_incident_are_left_out_with_a_note() {
    let incident =
        br#"{"incident_id": "i", "incident_type": "WORKFLOW_STUCK", "workflow_id": "wf-1", "steps": {"x": 1}}"#;
    heal_with_input(&["run", "-", "--sandbox"], incident).exits(0).complains(&["left out", "steps"]);
}
