//! `heal approvals`: a step that asks two people, over a state file that `heal run` left behind.

use heal_runtime::RunId;
use heal_runtime::message::Inbound;
use heal_sandbox::Seed;
use serde_json::{Value, json};

use crate::support::{
    Ran, Serve, answer, command, env, eventually, finish, heal, heal_with_input, http, identity, path, platform,
    playbooks, post, receive_as,
};

const ASKS: &str = "\
description: d
triggers: [{incident_type: STUCK}]
actions:
  - {type: restart_workflow, parameters: {workflow_id: \"{{ workflow_id }}\"}, approval: {min: 2, expires_seconds: 3600}}
";

/// The command line of a run that waits for its step's approval.
fn waiting(folder: &std::path::Path, state: &std::path::Path) -> (String, Value) {
    let args = ["run", "-", "--sandbox", "--json", "--playbooks", path(folder), "--state", path(state)];
    let incident = json!({"incident_id": "i", "incident_type": "STUCK", "workflow_id": "wf-1"}).to_string();
    let ran = heal_with_input(&args, incident.as_bytes()).exits(1);
    ran.complains(&["awaits the approval of another person", "heal approvals show"]);
    let report = ran.report();
    assert_eq!(report["steps"][0]["status"], "awaiting_approval", "{report:#}");
    (report["run_id"].as_str().unwrap().to_owned(), report)
}

fn answer_of(run_id: &str, digest: &Value, by: &str) -> Inbound {
    Inbound::ApprovalAnswer {
        run_id: RunId::new(run_id),
        step: Some("restart_workflow".to_owned()),
        item: None,
        digest: serde_json::from_value(digest.clone()).unwrap(),
        by: by.to_owned(),
        rejection: None,
    }
}

#[test]
fn a_step_does_what_two_others_have_approved_and_its_requester_has_no_say() {
    let folder = playbooks(&[("asks.yaml", ASKS)]);
    let state = folder.path().join("state.db");
    let (run_id, report) = waiting(folder.path(), &state);
    let on = |args: &[&str]| heal(&[args, &["--state", path(&state)]].concat());
    let listed = on(&["approvals", "list", "--json"]).exits(0).json();
    assert_eq!(listed.len(), 1, "{listed:#?}");
    let asked = &listed[0];
    assert_eq!(
        (&asked["run_id"], &asked["step"], &asked["min"]),
        (&json!(run_id), &json!("restart_workflow"), &json!(2))
    );
    assert_eq!(asked["requested_by"], identity());
    assert_eq!(asked["parameters"]["workflow_id"], "wf-1");
    assert_eq!(report["approvals"][0]["digest"], asked["digest"]);

    let shown = on(&["approvals", "show", &run_id]).exits(0);
    for part in [
        "would perform restart_workflow",
        "wf-1",
        "step restart_workflow asks for an approval",
        "2 needed",
        "started this run",
    ] {
        assert!(shown.stdout.contains(part), "no {part:?} in {shown:#?}");
    }
    let own: Ran = on(&["approvals", "approve", &run_id]).exits(1);
    own.complains(&["started this run; another person has to approve it"]);
    on(&["approvals", "approve", &run_id, "nonsense"]).exits(2).complains(&["these do: restart_workflow"]);

    let approve = |by: &str| receive_as(&state, answer_of(&run_id, &asked["digest"], by));
    assert_eq!(approve("local:ann").events, 1);
    assert_eq!(approve("local:ann").events, 0, "one person counts once");
    let other = receive_as(&state, answer_of(&run_id, &json!("00"), "local:bob"));
    assert!(other.events == 0 && other.refused.unwrap().contains("other parameters"));
    assert!(on(&["approvals", "list"]).exits(0).stdout.contains("1 of 2"));
    assert_eq!(approve("local:bob").events, 2);
    on(&["approvals", "list"]).exits(0).complains(&["nothing waits for an approval"]);
    on(&["approvals", "show", &run_id]).exits(2).complains(&["asks for no approval"]);

    let incident = json!({"incident_id": "i", "incident_type": "STUCK", "workflow_id": "wf-1"}).to_string();
    let again = ["run", "-", "--sandbox", "--json", "--playbooks", path(folder.path()), "--state", path(&state)];
    let done = heal_with_input(&again, incident.as_bytes()).exits(0).report();
    assert_eq!((&done["outcome"], &done["steps"][0]["attempts"]), (&json!("COMPLETED"), &json!(1)), "{done:#}");
}

#[test]
fn the_time_to_approve_a_held_run_stands_still_and_is_shown_so() {
    let folder = playbooks(&[("asks.yaml", ASKS)]);
    let state = folder.path().join("state.db");
    let (run_id, _) = waiting(folder.path(), &state);
    let on = |args: &[&str]| heal(&[args, &["--state", path(&state)]].concat()).exits(0);
    let asked = on(&["approvals", "list", "--json"]).json().remove(0);
    assert_eq!(asked["held_since"], Value::Null);
    on(&["runs", "hold", &run_id, "--reason", "let me look"]);
    let shown = on(&["approvals", "show", &run_id]);
    let until = shown.stdout.lines().find(|line| line.starts_with("until")).unwrap();
    for part in ["59 min", " after the release; the run is held by local:", "then the answer is no"] {
        assert!(until.contains(part), "no {part:?} in {until:?}");
    }
    let listed = on(&["approvals", "list"]);
    assert!(listed.stdout.contains("held, 59 min "), "{listed:#?}");
    let held = on(&["approvals", "show", &run_id, "--json"]).json().remove(0);
    assert_eq!(held["until"], asked["until"]);
    assert!(held["held_since"].is_u64(), "{held:#}");
    on(&["runs", "release", &run_id, "--reason", "it is fine"]);
    let released = on(&["approvals", "show", &run_id, "--json"]).json().remove(0);
    assert!(released["until"].as_u64() > asked["until"].as_u64() && released["held_since"].is_null(), "{released:#}");
}

#[test]
fn a_rejection_denies_the_step_with_its_reason() {
    let folder = playbooks(&[("asks.yaml", ASKS)]);
    let state = folder.path().join("state.db");
    let (run_id, _) = waiting(folder.path(), &state);
    let reject =
        ["approvals", "reject", &run_id, "restart_workflow", "--reason", "it runs well", "--state", path(&state)];
    heal(&reject).exits(0);
    let report = heal(&["runs", "show", &run_id, "--json", "--state", path(&state)]).exits(0).report();
    assert_eq!((&report["outcome"], &report["steps"][0]["status"]), (&json!("DENIED"), &json!("denied")));
    let error = report["steps"][0]["error"].as_str().unwrap();
    assert_eq!(error, format!("rejected by {}: it runs well", identity()));
    heal(&reject).exits(2).complains(&["asks for no approval"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_whom_nobody_attests_starts_no_run_that_needs_a_known_person() {
    let platform = platform(Seed::healthy_worker());
    let asks = "approval: {approvers: [\"local:ann\"]}\nactions: [{type: wait, parameters: {seconds: 1}}]\n";
    let folder = playbooks(&[("asks.yaml", asks)]);
    let state = folder.path().join("state.db");
    let serve = Serve::start(&state, folder.path(), &env(&platform));
    let request = json!({"remediation_id": "rem-1", "incident_id": "i", "playbook_name": "asks", "parameters": {}});
    assert_eq!(post(&format!("{}/api/v1/remediation/execute", serve.url), &request).await.0, 202);
    let url = format!("{}/api/v1/remediation/rem-1/approve", serve.url);
    let (status, body) = answer(http().post(url).json(&json!({})).send().await.unwrap()).await;
    assert_eq!(status, 403, "{body}");
    assert!(body.to_string().contains("needs a known person"), "{body}");
    let message = Inbound::Approve { run_id: RunId::new("rem-1"), by: "local:ann".to_owned() };
    let at = state.clone();
    let turn = tokio::task::spawn_blocking(move || receive_as(&at, message)).await.unwrap();
    assert_eq!(turn.refused, None);
    let ended = || heal(&["runs", "list", "--json", "--state", path(&state)]).exits(0).json().pop();
    eventually("the run has ended", || ended().filter(|run| run["outcome"] == "COMPLETED"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_of_the_guardrails_approves_on_a_state_file_too() {
    let platform = platform(Seed::healthy_worker());
    let asks = "approval: {approvers: [oncall]}\nactions: [{type: wait, parameters: {seconds: 1}}]\n";
    let oncall = format!("approvals: {{groups: {{oncall: [\"{}\"]}}}}\n", identity());
    let folder = playbooks(&[("asks.yaml", asks), ("guardrails.yaml", &oncall)]);
    let state = folder.path().join("state.db");
    let serve = Serve::start(&state, folder.path(), &env(&platform));
    let request = json!({"remediation_id": "rem-1", "incident_id": "i", "playbook_name": "asks", "parameters": {}});
    assert_eq!(post(&format!("{}/api/v1/remediation/execute", serve.url), &request).await.0, 202);
    let approve = |name: &str, value: &str| {
        let args = ["approvals", "approve", "rem-1", "--state", path(&state)];
        finish(command(&args).env(name, value))
    };
    let not_a_member = approve("HEAL_PLAYBOOKS", "playbooks").exits(1);
    not_a_member.complains(&["may not approve this; those who may are oncall"]);
    let faulty = approve("HEAL_GUARDRAILS", "nowhere.yaml").exits(1);
    faulty.complains(&["no group of approvers is known: nowhere.yaml", "those who may are oncall"]);
    approve("HEAL_PLAYBOOKS", path(folder.path())).exits(0);
}

#[test]
fn the_lint_finds_approvers_of_a_group_that_the_guardrails_do_not_have() {
    let asks = "triggers: [{incident_type: STUCK}]\ndescription: d\napproval: {approvers: [oncal]}\n\
                actions: [{type: wait, parameters: {seconds: 1}}]\n";
    let oncall = "approvals: {groups: {oncall: [\"local:ann\"]}}\n";
    let folder = playbooks(&[("asks.yaml", asks), ("guardrails.yaml", oncall)]);
    let lint = |file: &std::path::Path| heal(&["playbook", "lint", path(file)]);
    let found = lint(folder.path()).exits(1).stdout;
    for part in ["asks.yaml:3:24", "there is no group `oncal`", "did you mean `oncall`?"] {
        assert!(found.contains(part), "no {part:?} in {found}");
    }
    lint(&folder.path().join("asks.yaml")).exits(0);
    std::fs::write(folder.path().join("asks.yaml"), asks.replace("oncal]", "oncall]")).unwrap();
    lint(folder.path()).exits(0);
    std::fs::remove_file(folder.path().join("guardrails.yaml")).unwrap();
    assert!(lint(folder.path()).exits(1).stdout.contains("there is no group `oncall`"));
}
