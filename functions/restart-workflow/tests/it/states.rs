//! What a restart does in each state of the workflow.

use heal_restart_workflow::{RestartWorkflow, spec};
use heal_runtime::AttemptOutcome;
use heal_runtime::action::CallMetric;
use heal_runtime::observe::Prevented;
use heal_sandbox::PlatformConfig;
use heal_sandbox::orchestrator::{OrchestratorConfig, UnknownWorkflow, Workflow, WorkflowState};
use heal_sandbox::seed::Seed;
use serde_json::{Value, json};

use crate::rig::{Rig, TRACEPARENT, allow, denied, failed, no_op, of_run, output};
use crate::{logs, of, worker};

fn seed(state: WorkflowState) -> Seed {
    Seed { workflows: vec![Workflow::new("wf-1", "plan-1", state)], ..Seed::default() }
}

#[tokio::test]
async fn a_paused_workflow_is_resumed() {
    logs::collect();
    let rig = Rig::new();
    let result = rig.perform(&worker(&rig), &of(&rig, "wf-1")).await;
    assert_eq!(result.outcome, AttemptOutcome::Succeeded);
    assert_eq!((&result.output["resumed"], &result.output["state"]), (&json!(true), &json!("RUNNING")));
    assert!(result.output["pause_duration_seconds"].as_i64().unwrap() >= 59, "{:?}", result.output);
    let workflow = rig.platform.workflow("wf-1").unwrap();
    assert_eq!(workflow.state, WorkflowState::Running);
    assert_eq!(result.output["resumed_at"], workflow.updated_at);
    assert_eq!(rig.policy.asked()[0].context.workflow_state, "PAUSED");
    let resume = &rig.calls_of("ResumeWorkflow")[0];
    assert_eq!((resume.key.as_deref(), resume.traceparent.as_deref()), (Some("run-1/heal/1"), Some(TRACEPARENT)));
    let body: Value = serde_json::from_str(&resume.body).unwrap();
    assert_eq!(body["reason"], "workflow stuck");
    let lines = logs::of("workflow_resumed");
    assert_eq!(lines.len(), 1);
    logs::assert_common_fields(&lines[0], "restart_workflow");
}

#[tokio::test]
async fn the_calls_come_in_the_order_of_the_guide() {
    let rig = Rig::new();
    let action = RestartWorkflow::new(rig.orchestrator(), rig.clock());
    let result = rig.perform(&rig.worker_under(action, rig.shipped_policy()), &of(&rig, "wf-1")).await;
    assert_eq!(result.outcome, AttemptOutcome::Succeeded);
    // The first read is for the policy.
    assert_eq!(rig.operations(), ["GetWorkflowStatus", "evaluate", "GetWorkflowStatus", "ResumeWorkflow"]);
    let question: Value = serde_json::from_str(&rig.calls_of("evaluate")[0].body).unwrap();
    assert_eq!(question["input"]["context"]["workflow_state"], "PAUSED");
}

#[tokio::test]
async fn a_workflow_that_is_not_paused_needs_nothing() {
    for state in [WorkflowState::Running, WorkflowState::Pending, WorkflowState::Replanning] {
        let rig = Rig::with(PlatformConfig { seed: seed(state), ..PlatformConfig::default() });
        let result = rig.perform(&worker(&rig), &of(&rig, "wf-1")).await;
        assert!(no_op(&result).contains(state.name()), "{result:?}");
        let expected =
            json!({"resumed": false, "state": state.name(), "pause_duration_seconds": null, "resumed_at": null});
        assert_eq!(result.output, output(expected));
        assert!(rig.calls_of("ResumeWorkflow").is_empty());
    }
}

#[tokio::test]
async fn a_workflow_in_a_terminal_state_is_not_resumed() {
    for id in ["wf-completed", "wf-failed", "wf-cancelled"] {
        logs::collect();
        let rig = Rig::new();
        let result = rig.perform(&worker(&rig), &of(&rig, id)).await;
        let (code, message) = failed(&result);
        assert_eq!(code, "terminal_state");
        assert!(message.contains("terminal state"), "{message}");
        assert!(result.follow_up[0].contains("create a new workflow"), "{:?}", result.follow_up);
        assert_eq!(logs::of("restart_workflow_failed").len(), 1);
        let action = RestartWorkflow::new(rig.orchestrator(), rig.clock());
        let worker = rig.worker_under(action, rig.shipped_policy());
        let result = rig.perform(&worker, &of_run(&of(&rig, id), "run-2")).await;
        assert_eq!(denied(&result), ["restart_workflow_terminal_state"]);
        assert_eq!(logs::of("opa_validation_denied").len(), 1);
        let lines = logs::of("restart_workflow_failed");
        assert!(lines.len() == 2 && lines[1]["error"].contains("in a terminal state"), "{lines:?}");
        assert!(rig.calls_of("ResumeWorkflow").is_empty());
    }
}

#[tokio::test]
async fn an_unknown_workflow_is_a_failure_in_every_form_of_the_answer() {
    for unknown_workflow in [UnknownWorkflow::NotFound, UnknownWorkflow::Unspecified, UnknownWorkflow::Pending] {
        let orchestrator = OrchestratorConfig { unknown_workflow, ..OrchestratorConfig::default() };
        let rig = Rig::with(PlatformConfig { orchestrator, ..PlatformConfig::default() });
        let result = rig.perform(&worker(&rig), &of(&rig, "wf-9")).await;
        assert_eq!(failed(&result).0, "not_found", "{unknown_workflow:?}");
        assert!(rig.policy.asked().is_empty());
    }
}

#[tokio::test]
async fn the_state_just_before_the_effect_decides() {
    for (state, is_over) in [(WorkflowState::Running, false), (WorkflowState::Cancelled, true)] {
        let rig = Rig::new();
        let platform = rig.platform.clone();
        rig.policy.decide_by(move |_| {
            platform.seed(seed(state)).unwrap();
            allow()
        });
        let result = rig.perform(&worker(&rig), &of(&rig, "wf-1")).await;
        assert_eq!(rig.policy.asked()[0].context.workflow_state, "PAUSED");
        if is_over {
            assert_eq!(failed(&result).0, "terminal_state");
        } else {
            no_op(&result);
        }
        assert!(rig.calls_of("ResumeWorkflow").is_empty());
    }
}

#[tokio::test]
async fn a_denied_restart_touches_nothing() {
    let rig = Rig::new();
    rig.policy.decide_by(|_| crate::rig::deny("hands_off"));
    let result = rig.perform(&worker(&rig), &of(&rig, "wf-1")).await;
    assert_eq!(denied(&result), ["hands_off"]);
    let metric = CallMetric::OrchestratorCall { operation: "resume_workflow" };
    assert_eq!(rig.recorder.prevented(), [(metric, Prevented::Denied)]);
    assert!(rig.platform.effects().is_empty());
}

#[tokio::test]
async fn a_call_without_a_workflow_touches_nothing() {
    let rig = Rig::new();
    for (parameters, named) in [
        (json!({}), "workflow_id"),
        (json!({"workflow_id": ""}), "parameters/workflow_id"),
        (json!({"workflow_id": null}), "parameters/workflow_id"),
        (json!({"workflow_id": "wf-1", "force": true}), "force"),
    ] {
        let command = of_run(&rig.command(&spec(), parameters), named);
        let result = rig.perform(&worker(&rig), &command).await;
        let (code, message) = failed(&result);
        assert!(code == "bad_parameters" && message.contains(named), "{message}");
    }
    assert!(rig.platform.calls().is_empty());
}

#[tokio::test]
async fn without_a_reason_the_history_says_which_incident_it_was() {
    let rig = Rig::new();
    rig.perform(&worker(&rig), &rig.command(&spec(), json!({"workflow_id": "wf-1"}))).await;
    let history = rig.platform.workflow("wf-1").unwrap().history;
    assert!(history.last().unwrap().description.contains("INC-1"), "{history:?}");
}

#[tokio::test]
async fn odd_text_arrives_verbatim() {
    let odd = "{{ 7*7 }} ../ %2e%2e \r\n\u{202e}";
    let workflows = vec![Workflow::new(odd, "plan-1", WorkflowState::Paused)];
    let rig = Rig::with(PlatformConfig { seed: Seed { workflows, ..Seed::default() }, ..PlatformConfig::default() });
    let command = rig.command(&spec(), json!({"workflow_id": odd, "reason": odd}));
    let result = rig.perform(&worker(&rig), &command).await;
    assert_eq!(result.outcome, AttemptOutcome::Succeeded, "an id is data on this wire, and no path");
    assert_eq!(rig.platform.workflow(odd).unwrap().history.last().unwrap().description, odd);
}
