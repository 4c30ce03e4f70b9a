//! Shadow runs, the levels of autonomy, and the proof that a shadow run writes nothing.

use std::collections::BTreeSet;
use std::path::Path;

use heal_sandbox::tickets::TicketStatus;
use heal_sandbox::{Platform, PlatformConfig, Seed, opa::OpaConfig};
use serde_json::{Value, json};

use crate::support::{Ran, command, env, finish, heal, heal_with_input, path, platform, root};

/// An incident for each shipped playbook whose actions all have something to do, and what a live run of it would execute.
fn incidents() -> Vec<(&'static str, Value, &'static [&'static str])> {
    let on_worker =
        json!({"worker_id": "worker-1", "pod_name": "worker-1", "namespace": heal_sandbox::seed::NAMESPACE});
    let with = |fields: Value| {
        let mut incident = on_worker.clone();
        incident.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        incident
    };
    let of_workflow = |kind: &str, workflow_id: &str| json!({"incident_type": kind, "workflow_id": workflow_id});
    vec![
        (
            "ticket_timeout_recovery",
            with(json!({"incident_type": "TICKET_TIMEOUT", "ticket_id": "ticket-1", "workflow_id": "wf-1"})),
            &["restart_pod", "reallocate_ticket"],
        ),
        (
            "worker_failure_recovery",
            with(json!({"incident_type": "WORKER_FAILURE", "affected_tickets": ["ticket-1", "ticket-2"]})),
            &["restart_pod", "reallocate_ticket"],
        ),
        ("sla_violation_mitigation", of_workflow("SLA_VIOLATION", "wf-running"), &["trigger_replanning"]),
        ("workflow_replanning", of_workflow("PLAN_DRIFT", "wf-running"), &["trigger_replanning"]),
        ("workflow_restart", of_workflow("WORKFLOW_STUCK", "wf-1"), &["restart_workflow"]),
        ("dependency_down", json!({"incident_type": "DEPENDENCY_DOWN", "service_name": "opa"}), &[]),
    ]
}

/// The default platform, with a ticket of the running workflow that waits for a worker: something that a plan can move.
fn seed() -> Seed {
    let mut seed = Seed::unhealthy_worker();
    let mut waiting = seed.tickets[0].clone();
    "ticket-waiting".clone_into(&mut waiting.ticket_id);
    waiting.status = TicketStatus::Pending;
    waiting.assigned_worker = None;
    "wf-running".clone_into(&mut waiting.workflow_id);
    seed.tickets.push(waiting);
    seed
}

fn run(platform: &Platform, playbook: &str, incident: &Value, flags: &[&str]) -> Ran {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("incident.json");
    let mut incident = incident.clone();
    incident["incident_id"] = json!(format!("inc-{playbook}"));
    std::fs::write(&file, incident.to_string()).unwrap();
    let args = [&["run", path(&file), "--playbook", playbook, "--json"], flags].concat();
    finish(command(&args).envs(env(platform)))
}

/// As the integration guide says, and as deployed.
fn platforms() -> [Platform; 2] {
    let base = PlatformConfig::like_deployed();
    let opa = OpaConfig { policy: Some(heal_clients::policy::BUNDLED_POLICY.to_owned()), ..base.opa };
    let deployed = seed().with_deployed_workers();
    [platform(seed()), Platform::start(PlatformConfig { seed: deployed, opa, ..base }).unwrap()]
}

/// The actions of the steps that ended `shadowed`, without verification and waits.
fn shadowed(report: &Value) -> BTreeSet<String> {
    let steps = report["steps"].as_array().unwrap().iter();
    let shadowed =
        steps.filter(|step| step["status"] == "shadowed" && step["verify"] == false && step["type"] != "wait");
    shadowed.map(|step| step["type"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_shadow_run_of_every_shipped_playbook_reads_and_writes_nothing() {
    let shipped: BTreeSet<_> = std::fs::read_dir(root().join("playbooks"))
        .unwrap()
        .map(|file| file.unwrap().path())
        .filter(|file| file.extension().is_some_and(|extension| extension == "yaml"))
        .map(|file| file.file_stem().unwrap().to_str().unwrap().to_owned())
        .filter(|name| !["guardrails", "hooks"].contains(&name.as_str()))
        .collect();
    let covered: BTreeSet<_> = incidents().iter().map(|(playbook, ..)| (*playbook).to_owned()).collect();
    assert_eq!(covered, shipped, "a shipped playbook has no incident in this test");
    for platform in platforms() {
        for (playbook, incident, would) in incidents() {
            platform.forget_calls();
            let ran = run(&platform, playbook, &incident, &["--dry-run"]);
            let report = ran.report();
            assert!(platform.writes().is_empty(), "{playbook}: {:#?}\n{report:#}", platform.writes());
            assert_eq!((ran.code, &report["outcome"]), (0, &json!("SHADOWED")), "{playbook}: {ran:#?}");
            let shadowed = shadowed(&report);
            for action in would {
                assert!(shadowed.contains(*action), "{playbook} would not execute {action}: {report:#}");
            }
            assert!(would.is_empty() || !platform.calls().is_empty(), "{playbook} has read nothing");
            assert_eq!(report["follow_up"], json!([]), "{playbook}");
        }
    }
}

/// Otherwise the test above could not fail.
#[tokio::test(flavor = "multi_thread")]
async fn the_live_runs_of_the_same_incidents_do_write() {
    for (playbook, incident, would) in incidents().into_iter().filter(|(_, _, would)| !would.is_empty()) {
        let platform = platform(seed());
        let report = run(&platform, playbook, &incident, &["--approve"]).report();
        assert!(!platform.writes().is_empty(), "{playbook} would {would:?} and wrote nothing: {report:#}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shadow_run_that_the_policy_denies_is_denied() {
    let platform = platform(Seed::unhealthy_worker());
    let incident = json!({"incident_type": "WORKFLOW_STUCK", "workflow_id": "wf-cancelled"});
    let ran = run(&platform, "workflow_restart", &incident, &["--dry-run"]).exits(1);
    let report = ran.report();
    assert_eq!((&report["outcome"], &report["steps"][0]["status"]), (&json!("DENIED"), &json!("denied")), "{report:#}");
    assert!(platform.writes().is_empty());
}

/// The same workflow may be restarted as often as the test wants.
const GUARDRAILS: &str = "cooldowns: {restart_workflow: {seconds: 0}}\nrepeats: {escalate_at: 10}\n";

/// Runs `workflow_restart` for a paused workflow over the state file.
fn stuck(state: &Path, incident_id: &str) -> Ran {
    stuck_in(state, incident_id, "paused")
}

/// As [`stuck`], for a workflow in another state.
fn stuck_in(state: &Path, incident_id: &str, workflow_state: &str) -> Ran {
    let guardrails = state.with_file_name("guardrails.yaml");
    std::fs::write(&guardrails, GUARDRAILS).unwrap();
    let incident = json!({"incident_id": incident_id, "incident_type": "WORKFLOW_STUCK", "workflow_id": "wf-1"});
    let args = ["run", "-", "--sandbox", "--workflow-state", workflow_state, "--state", path(state), "--json"];
    let args = [&args[..], &["--guardrails", path(&guardrails)]].concat();
    heal_with_input(&args, incident.to_string().as_bytes())
}

/// The identity of whoever runs the test.
fn me() -> String {
    let named = std::process::Command::new("id").arg("-un").output().unwrap();
    format!("local:{}", String::from_utf8(named.stdout).unwrap().trim())
}

fn set(state: &Path, level: &str, reason: &str) -> Ran {
    let args = ["autonomy", "set", "workflow_restart", level, "--reason", reason, "--state", path(state)];
    heal(&args)
}

#[test]
fn a_level_of_autonomy_holds_for_the_next_incident_and_the_report_says_what_would_have_been_done() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state.db");
    assert_eq!(stuck(&state, "i-auto").exits(0).report()["outcome"], "HEALED");
    heal(&["autonomy", "list", "--state", path(&state)]).exits(0).complains(&["nobody has set a level"]);

    set(&state, "shadow", "we watch it first").exits(0).complains(&["change nothing"]);
    let ran = stuck(&state, "i-shadow").exits(0);
    let report = ran.report();
    assert_eq!((&report["outcome"], &report["mode"]), (&json!("SHADOWED"), &json!("shadow")));
    let autonomy = json!({"level": "shadow", "by": me(), "reason": "we watch it first"});
    assert_eq!(report["autonomy"], autonomy);
    let listed = heal(&["autonomy", "list", "--state", path(&state)]).exits(0);
    for part in ["workflow_restart", "shadow", &me(), "we watch it first"] {
        assert!(listed.stdout.contains(part), "no {part:?} in {listed:#?}");
    }

    let json = heal(&["shadow", "report", "--json", "--state", path(&state)]).exits(0).json();
    let [tally] = &json[..] else { panic!("{json:#?}") };
    assert_eq!((&tally["action"], &tally["runs"], &tally["would"]), (&json!("restart_workflow"), &json!(1), &json!(1)));
    assert_eq!(tally["steps"][0]["run_id"], report["run_id"]);
    assert_eq!(tally["steps"][0]["would"], "would resume workflow \"wf-1\"");
    assert_eq!(tally["steps"][0]["targets"], json!(["wf-1"]));
    let text = heal(&["shadow", "report", "--since", "1h", "--state", path(&state)]).exits(0);
    for part in
        ["1 shadow run since 1h", "restart_workflow", "would resume workflow", report["run_id"].as_str().unwrap()]
    {
        assert!(text.stdout.contains(part), "no {part:?} in {text:#?}");
    }
    assert_eq!(tally["steps"][0]["afterwards"], json!([{"target": "wf-1", "seen": "unknown"}]));
    assert!(text.stdout.contains("afterwards wf-1: unknown, no later shadow run read it"), "{text:#?}");

    // A later shadow run finds the workflow as it was, and one after that in another state: somebody has ended it.
    stuck(&state, "i-later").exits(0);
    let first = |options: &[&str]| {
        let args = [&["shadow", "report", "--json", "--state", path(&state)], options].concat();
        heal(&args).exits(0).json()[0]["steps"].as_array().unwrap().last().unwrap().clone()
    };
    assert_eq!(first(&[])["afterwards"][0]["seen"], "unchanged", "{:#}", first(&[]));
    stuck_in(&state, "i-ended", "failed").exits(1);
    let seen = first(&[])["afterwards"][0].clone();
    assert_eq!((&seen["seen"], &seen["changes"]), (&json!("changed"), &json!(["workflow state: PAUSED, then FAILED"])));
    let none = heal(&["shadow", "report", "--playbook", "other", "--state", path(&state)]).exits(0);
    none.complains(&["no shadow runs"]);

    set(&state, "off", "a deployment is under way").exits(0);
    let report = stuck(&state, "i-off").exits(1).report();
    assert_eq!(report["outcome"], "CANCELLED");
    let reason = format!("playbook workflow_restart is switched off by {}: a deployment is under way", me());
    assert_eq!(report["reason"], reason);

    set(&state, "auto", "it was right").exits(0);
    // The incident of the shadow run is healed, as if nobody had seen it.
    assert_eq!(stuck(&state, "i-shadow").exits(0).report()["outcome"], "HEALED");

    set(&state, "approve", "a person looks first").exits(0);
    assert_eq!(stuck(&state, "i-approve").exits(1).report()["status"], "AWAITING_APPROVAL");
}

#[test]
fn a_level_needs_a_reason_a_known_playbook_and_a_known_word() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state.db");
    stuck(&state, "i-1");
    set(&state, "shadow", "  ").exits(2).complains(&["--reason is empty"]);
    set(&state, "shadw", "x").exits(2).complains(&["shadow"]);
    let long = "x".repeat(3_000);
    set(&state, "off", &long).exits(2).complains(&["3000 bytes", "limit is 2048 bytes"]);
    let args = ["autonomy", "set", "workflow_restrat", "off", "--reason", "x", "--state", path(&state)];
    heal(&args).exits(2).complains(&["no playbook `workflow_restrat`", "did you mean `workflow_restart`?"]);
    heal(&["autonomy", "list", "--state", path(&state)]).complains(&["nobody has set a level"]);
    heal(&["shadow", "report", "--since", "soon", "--state", path(&state)]).exits(2).complains(&["invalid --since"]);
}
