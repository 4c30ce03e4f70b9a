//! `workflow_replanning` over the orchestrator as it is deployed: it never reports REPLANNING.

use heal_sandbox::opa::OpaConfig;
use heal_sandbox::orchestrator::{OrchestratorConfig, UnknownWorkflow, Workflow, WorkflowState};
use heal_sandbox::{Fault, FaultKind, Platform, PlatformConfig, Seed, Service};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{Ran, command, env, finish, path};

fn deployed(plan_id: &str) -> Platform {
    let workflows = vec![Workflow::new("wf-1", plan_id, WorkflowState::Running)];
    let opa = OpaConfig { policy: Some(heal_clients::policy::BUNDLED_POLICY.to_owned()), ..OpaConfig::default() };
    let orchestrator = OrchestratorConfig {
        hides_replanning: true,
        unknown_workflow: UnknownWorkflow::Pending,
        ..OrchestratorConfig::default()
    };
    let seed = Seed { workflows, ..Seed::default() };
    Platform::start(PlatformConfig { seed, opa, orchestrator, ..PlatformConfig::default() }).unwrap()
}

/// Runs the incident `id` about `workflow_id`; the runs of one test share a state file.
fn replan(platform: &Platform, state: &TempDir, id: &str, workflow_id: &str) -> Ran {
    let incident = json!({"incident_id": id, "incident_type": "PLAN_DRIFT", "workflow_id": workflow_id});
    let file = state.path().join(format!("{id}.json"));
    std::fs::write(&file, incident.to_string()).unwrap();
    let db = state.path().join("heal.db");
    finish(command(&["run", path(&file), "--state", path(&db), "--json"]).envs(env(platform)))
}

fn step<'r>(report: &'r Value, name: &str) -> &'r Value {
    let steps = report["steps"].as_array().unwrap();
    steps.iter().find(|step| step["name"] == name).unwrap_or_else(|| panic!("no {name} in {report:#}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_incident_about_the_same_workflow_replans_nothing_and_claims_nothing() {
    let (platform, state) = (deployed("plan-1"), tempfile::tempdir().unwrap());
    let report = replan(&platform, &state, "first", "wf-1").exits(0).report();
    assert_eq!(report["outcome"], "HEALED", "{report:#}");
    let report = replan(&platform, &state, "second", "wf-1").exits(1).report();
    assert_eq!((&report["outcome"], &step(&report, "replan")["status"]), (&json!("DENIED"), &json!("cooling_down")));
    assert_eq!(platform.replannings().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_orchestrator_that_aborts_after_the_effect_leaves_one_replanning_and_a_follow_up() {
    let (platform, state) = (deployed("plan-1"), tempfile::tempdir().unwrap());
    let abort = FaultKind::AbortAfterEffect { code: "UNKNOWN".to_owned(), message: "aborted".to_owned() };
    platform.set_fault(Fault::new(Service::Orchestrator, abort).on("TriggerReplanning")).unwrap();
    let report = replan(&platform, &state, "first", "wf-1").exits(1).report();
    assert_eq!((&report["outcome"], &step(&report, "replan")["status"]), (&json!("FAILED"), &json!("unknown")));
    let follow_up = report["follow_up"].to_string();
    assert!(follow_up.contains("check whether workflow"), "{follow_up}");
    assert_eq!(platform.replannings().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_workflow_without_a_plan_or_without_a_record_says_so() {
    let (platform, state) = (deployed(""), tempfile::tempdir().unwrap());
    let report = replan(&platform, &state, "bare", "wf-1").exits(1).report();
    let replan_step = step(&report, "replan").to_string();
    assert!(replan_step.contains("no_plan: workflow") && replan_step.contains("nothing to replan"), "{replan_step}");
    let report = replan(&platform, &state, "unknown", "wf-9").exits(1).report();
    assert!(step(&report, "status").to_string().contains("not_found"), "{report:#}");
    assert!(platform.replannings().is_empty() && platform.effects().is_empty());
}
