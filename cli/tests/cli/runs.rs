//! `heal runs`, over files that `heal run` left behind and beside a `heal serve`.

use heal_sandbox::Seed;
use serde_json::json;

use crate::support::{Serve, approve_as, env, eventually, heal, heal_with_input, path, platform, playbooks, post};

#[test]
fn finished_runs_are_listed_and_shown_with_every_decision() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state.db");
    let state = path(&state);
    let healed =
        heal(&["run", "tests/events/ticket_timeout.json", "--sandbox", "--json", "--state", state]).exits(0).report();
    let denied_args = [
        "run",
        "tests/events/workflow_stuck.json",
        "--sandbox",
        "--workflow-state",
        "failed",
        "--json",
        "--state",
        state,
    ];
    let denied = heal(&denied_args).exits(1).report();

    let list = heal(&["runs", "list", "--state", state]).exits(0);
    for part in ["RUN", "COMPLETED", "HEALED", "FAILED", "DENIED", "inc-ticket-timeout-1", "workflow_restart"] {
        assert!(list.stdout.contains(part), "no {part:?} in {list:#?}");
    }
    let failed = heal(&["runs", "list", "--state", state, "--status", "FAILED", "--json"]).exits(0).json();
    assert_eq!(failed.len(), 1);
    assert_eq!(failed[0]["run_id"], denied["run_id"]);
    assert_eq!(heal(&["runs", "list", "--state", state, "--playbook", "nobody's"]).exits(0).stdout, "");
    assert_eq!(
        heal(&["runs", "list", "--state", state, "--since", "1h", "--limit", "1", "--json"]).exits(0).json().len(),
        1
    );
    heal(&["runs", "list", "--state", state, "--since", "soon"]).exits(2).complains(&["invalid --since: `soon`"]);

    let run_id = denied["run_id"].as_str().unwrap();
    let show = heal(&["runs", "show", run_id, "--state", state]).exits(0);
    for part in [
        "run_started",
        &format!("trace {}", denied["traceparent"].as_str().unwrap().split('-').nth(1).unwrap()),
        "attempt_started",
        "parameters",
        "violation restart_workflow_terminal_state",
        "step_ended",
        "DENIED",
    ] {
        assert!(show.stdout.contains(part), "no {part:?} in {show:#?}");
    }
    let shown =
        heal(&["runs", "show", healed["run_id"].as_str().unwrap(), "--state", state, "--json"]).exits(0).report();
    assert_eq!(shown, healed);
    assert_eq!(heal(&["runs", "watch", run_id, "--state", state]).exits(1).stderr, "");
    heal(&["runs", "cancel", run_id, "--state", state]).exits(1).complains(&["has ended already"]);
    heal(&["runs", "show", "run-nobody", "--state", state])
        .exits(2)
        .complains(&["run run-nobody is not in", "heal runs list"]);
    heal(&["runs", "cancel", "../x", "--state", state]).exits(2).complains(&["cannot name a run"]);
}

#[test]
fn runs_are_found_by_what_they_are_about_and_by_what_they_need() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state.db");
    let state = path(&state);
    let args = ["run", "tests/events/ticket_timeout.json", "--sandbox", "--state", state];
    heal(&args).exits(0);
    let args = ["run", "tests/events/workflow_stuck.json", "--sandbox", "--workflow-state", "failed", "--state", state];
    heal(&args).exits(1);
    let critical = json!({"incident_id": "waits", "incident_type": "WORKFLOW_STUCK", "workflow_id": "wf-2", "severity": "critical",
        "escalation_required": true, "auto_remediation_enabled": false});
    heal_with_input(&["run", "-", "--sandbox", "--state", state], critical.to_string().as_bytes()).exits(1);

    let list = |options: &[&str]| heal(&[&["runs", "list", "--state", state], options].concat());
    let found = |options: &[&str]| -> Vec<String> {
        let lines = list(&[options, &["--json"]].concat()).exits(0).json();
        lines.iter().map(|line| line["incident_id"].as_str().unwrap().to_owned()).collect()
    };
    let newest_first = ["waits", "inc-workflow-stuck-1", "inc-ticket-timeout-1"];
    assert_eq!(found(&[]), newest_first);
    assert_eq!(found(&["--needs-attention"]), newest_first[..2]);
    for (options, expected) in [
        (["--ticket", "ticket-1"], &newest_first[2..]),
        (["--workflow", "wf-1"], &newest_first[1..]),
        (["--worker", "worker-1"], &newest_first[2..]),
        (["--incident", "waits"], &newest_first[..1]),
        (["--severity", "MEDIUM"], &newest_first[1..2]),
        (["--outcome", "denied"], &newest_first[1..2]),
        (["--outcome", "HEALED"], &newest_first[2..]),
        (["--status", "awaiting_approval"], &newest_first[..1]),
    ] {
        assert_eq!(found(&options), expected, "{options:?}");
    }
    assert_eq!(found(&["--workflow", "wf-1", "--outcome", "denied"]), newest_first[1..2]);
    assert_eq!(found(&["--ticket", "ticket-1", "--worker", "worker-2"]), [] as [&str; 0]);

    let line = list(&["--incident", "waits", "--json"]).exits(0).json().remove(0);
    let fields = ["workflow_id", "severity", "escalation_required", "open_follow_ups", "needs_attention", "ticket_id"];
    let values = fields.map(|field| line.get(field).unwrap_or_else(|| panic!("no {field} in {line}")).clone());
    assert_eq!(json!(values), json!(["wf-2", "CRITICAL", true, 0, true, null]));
    let table = list(&[]).exits(0).stdout;
    for part in ["AWAITING_APPROVAL !", "DENIED !", "CRITICAL", "SEVERITY", "ticket-1"] {
        assert!(table.contains(part), "no {part:?} in {table}");
    }
    assert!(!table.contains("HEALED !"), "{table}");
    let limited = list(&["--needs-attention", "--limit", "1"]).exits(0);
    limited.complains(&["there are more than 1"]);
    assert!(limited.stdout.contains("waits") && !limited.stdout.contains("inc-workflow-stuck-1"), "{limited:#?}");
    // A misspelled word has a suggestion.
    list(&["--outcome", "heald"]).exits(2).complains(&["invalid value 'heald' for '--outcome", "'healed'"]);
    list(&["--status", "runing"]).exits(2).complains(&["invalid value 'runing' for '--status", "'running'"]);
    list(&["--severity", "hight"]).exits(2).complains(&["invalid value 'hight' for '--severity", "'high'"]);
}

#[test]
fn a_run_is_approved_from_another_process_and_then_executed() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state.db");
    let input = json!({"incident_id": "i", "incident_type": "WORKFLOW_STUCK", "workflow_id": "wf-1", "auto_remediation_enabled": false});
    let input = input.to_string();
    let args = ["run", "-", "--sandbox", "--json", "--state", path(&state)];
    let waiting = heal_with_input(&args, input.as_bytes()).exits(1);
    waiting.complains(&["heal runs approve"]);
    let run_id = waiting.report()["run_id"].as_str().unwrap().to_owned();
    // Whoever started the run may not approve it, whatever name they give.
    let own = heal(&["runs", "approve", &run_id, "--by", "Ada", "--state", path(&state)]).exits(1);
    own.complains(&["--by is ignored", "started this run; another person has to approve it"]);
    approve_as(&state, &run_id, "local:ada");
    heal(&["runs", "approve", &run_id, "--state", path(&state)]).exits(1).complains(&["nothing to change"]);
    let done = heal_with_input(&args, input.as_bytes()).exits(0);
    assert!(done.stdout.contains("\"by\":\"local:ada\""), "{done:#?}");
    assert_eq!(done.report()["outcome"], "HEALED");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_of_a_service_is_watched_and_cancelled_from_beside_it() {
    let platform = platform(Seed::healthy_worker());
    let folder = playbooks(&[(
        "long.yaml",
        "actions:\n  - {type: wait, parameters: {seconds: 50}}\n  - {type: restart_workflow, parameters: {workflow_id: wf-1}}\n",
    )]);
    let state = folder.path().join("state.db");
    let serve = Serve::start(&state, folder.path(), &env(&platform));
    let request = json!({"remediation_id": "rem-1", "incident_id": "i", "playbook_name": "long", "parameters": {}});
    assert_eq!(post(&format!("{}/api/v1/remediation/execute", serve.url), &request).await.0, 202);

    let listed = || heal(&["runs", "list", "--state", path(&state), "--status", "running", "--json"]).exits(0).json();
    let running = eventually("the run is listed", || listed().pop());
    assert_eq!(running["run_id"], "rem-1");
    let watch = std::thread::spawn({
        let state = state.clone();
        move || heal(&["runs", "watch", "rem-1", "--state", path(&state)])
    });
    heal(&["runs", "cancel", "rem-1", "--state", path(&state)]).exits(0);
    let watched = watch.join().unwrap().exits(1);
    for part in ["cancelled by local:", "CANCELLED"] {
        assert!(watched.stdout.contains(part), "no {part:?} in {watched:#?}");
    }
    assert!(platform.effects().is_empty());
}
