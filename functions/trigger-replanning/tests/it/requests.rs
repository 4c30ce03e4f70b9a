//! The requests to the orchestrator, and the calls that are refused or needless.

use heal_runtime::AttemptOutcome;
use heal_runtime::action::CallMetric;
use heal_runtime::observe::Prevented;
use heal_sandbox::PlatformConfig;
use heal_sandbox::orchestrator::{OrchestratorConfig, UnknownWorkflow, Workflow, WorkflowState};
use heal_sandbox::seed::Seed;
use heal_trigger_replanning::{COOLDOWN_MS, TriggerReplanning};
use serde_json::json;

use crate::rig::{Rig, TRACEPARENT, allow, denied, failed, no_op, of_run, output};
use crate::{logs, of_plan, of_workflow, with, worker};

#[tokio::test]
async fn the_plan_comes_from_the_workflow_where_it_is_not_named() {
    logs::collect();
    let rig = Rig::new();
    let result = rig.perform(&worker(&rig), &of_workflow(&rig, "wf-running")).await;
    assert_eq!(result.outcome, AttemptOutcome::Succeeded);
    let replanning = &rig.platform.replannings()[0];
    let expected = json!({"replanning_id": "replanning-1", "triggered_at": replanning.triggered_at, "estimated_completion_seconds": 30});
    assert_eq!(result.output, output(expected));
    assert_eq!(replanning.plan_id, "plan-running");
    assert_eq!(replanning.trigger_type, "TRIGGER_TYPE_FAILURE");
    assert_eq!((replanning.reason.as_str(), replanning.priority, replanning.preserve_progress), ("drifted", 5, true));
    for (name, value) in
        [("incident_id", "INC-1"), ("workflow_id", "wf-running"), ("playbook", "ticket_timeout_recovery")]
    {
        assert_eq!(replanning.context.get(name).map(String::as_str), Some(value));
    }
    assert_eq!(rig.platform.workflow("wf-running").unwrap().state, WorkflowState::Replanning);
    let call = &rig.calls_of("TriggerReplanning")[0];
    assert_eq!((call.key.as_deref(), call.traceparent.as_deref()), (Some("run-1/heal/1"), Some(TRACEPARENT)));
    let lines = logs::of("replanning_triggered");
    assert_eq!(lines.len(), 1);
    logs::assert_common_fields(&lines[0], "trigger_replanning");
}

#[tokio::test]
async fn everything_that_is_given_is_passed_on() {
    let rig = Rig::new();
    let worker = worker(&rig);
    for (number, text) in
        ["drift", "FAILURE", "trigger_type_strategic", "TRIGGER_TYPE_SLA_VIOLATION", "Resource_Constraint"]
            .iter()
            .enumerate()
    {
        // A plan is not replanned again within the cooldown.
        rig.clock.advance_ms(COOLDOWN_MS);
        let parameters = json!({"plan_id": "plan-1", "reason": format!("r{number}"), "trigger_type": text,
            "priority": number + 6, "preserve_progress": number % 2 == 0});
        assert_eq!(rig.perform(&worker, &with(&rig, parameters)).await.outcome, AttemptOutcome::Succeeded, "{text}");
        let replanning = rig.platform.replannings().pop().unwrap();
        let expected = text.to_uppercase();
        let expected = expected.strip_prefix("TRIGGER_TYPE_").unwrap_or(&expected);
        assert_eq!(replanning.trigger_type, format!("TRIGGER_TYPE_{expected}"));
        assert_eq!(
            (replanning.priority, replanning.preserve_progress),
            (i32::try_from(number).unwrap() + 6, number % 2 == 0)
        );
    }
    assert!(rig.calls_of("GetWorkflowStatus").is_empty(), "nobody named a workflow");
}

#[tokio::test]
async fn a_call_with_bad_parameters_touches_nothing() {
    let rig = Rig::new();
    for (parameters, named) in [
        (json!({"reason": "r"}), "anyOf"),
        (json!({"plan_id": "plan-1", "reason": ""}), "parameters/reason"),
        (json!({"plan_id": "", "reason": "r"}), "anyOf"),
        (json!({"plan_id": null, "reason": "r"}), "anyOf"),
        (json!({"plan_id": 7, "workflow_id": "wf-1"}), "parameters/plan_id"),
        (json!({"plan_id": "plan-1", "reason": "r", "trigger_type": "whim"}), "strategic"),
        (json!({"plan_id": "plan-1", "reason": "r", "trigger_type": "UNSPECIFIED"}), "strategic"),
        (json!({"plan_id": "plan-1", "reason": "r", "priority": 0}), "parameters/priority"),
        (json!({"plan_id": "plan-1", "reason": "r", "priority": 11}), "parameters/priority"),
        (json!({"plan_id": "plan-1", "reason": "r", "preserve_progress": "yes"}), "parameters/preserve_progress"),
    ] {
        let result = rig.perform(&worker(&rig), &with(&rig, parameters.clone())).await;
        let (code, message) = failed(&result);
        assert!(code == "bad_parameters" && message.contains(named), "{parameters}: {message}");
    }
    assert!(rig.platform.calls().is_empty());
}

#[tokio::test]
async fn a_workflow_in_a_terminal_state_is_not_replanned() {
    for id in ["wf-completed", "wf-failed", "wf-cancelled"] {
        logs::collect();
        let rig = Rig::new();
        let result = rig.perform(&worker(&rig), &of_workflow(&rig, id)).await;
        let (code, message) = failed(&result);
        assert!(code == "terminal_state" && message.contains("terminal state"), "{message}");
        assert_eq!(logs::of("trigger_replanning_failed").len(), 1);
        let action = TriggerReplanning::new(rig.orchestrator(), rig.clock());
        let worker = rig.worker_under(action, rig.shipped_policy());
        let parameters = json!({"plan_id": "plan-x", "workflow_id": id, "reason": "r"});
        let result = rig.perform(&worker, &with(&rig, parameters)).await;
        assert_eq!(denied(&result), ["trigger_replanning_terminal_state"], "also where the plan is named");
        assert!(rig.calls_of("TriggerReplanning").is_empty());
    }
}

#[tokio::test]
async fn the_shipped_policy_wants_a_plan_or_a_workflow_and_allows_either() {
    let rig = Rig::new();
    let worker = rig.worker_under(TriggerReplanning::new(rig.orchestrator(), rig.clock()), rig.shipped_policy());
    let result = rig.perform(&worker, &with(&rig, json!({"plan_id": " ", "reason": "r"}))).await;
    assert_eq!(denied(&result), ["trigger_replanning_missing_id"]);
    let metric = CallMetric::OrchestratorCall { operation: "trigger_replanning" };
    assert_eq!(rig.recorder.prevented().last(), Some(&(metric, Prevented::Denied)));
    rig.platform.forget_calls();
    let result = rig.perform(&worker, &of_workflow(&rig, "wf-running")).await;
    assert_eq!(result.outcome, AttemptOutcome::Succeeded);
    assert_eq!(rig.operations(), ["GetWorkflowStatus", "evaluate", "GetWorkflowStatus", "TriggerReplanning"]);
    let result = rig.perform(&worker, &of_run(&of_plan(&rig, "plan-1"), "run-2")).await;
    assert_eq!(result.outcome, AttemptOutcome::Succeeded);
}

#[tokio::test]
async fn a_workflow_that_is_being_replanned_is_left_alone() {
    let workflows = vec![Workflow::new("wf-running", "plan-running", WorkflowState::Replanning)];
    let rig = Rig::with(PlatformConfig { seed: Seed { workflows, ..Seed::default() }, ..PlatformConfig::default() });
    let result = rig.perform(&worker(&rig), &of_workflow(&rig, "wf-running")).await;
    assert!(no_op(&result).contains("being replanned already"));
    let nothing = json!({"replanning_id": null, "triggered_at": null, "estimated_completion_seconds": null});
    assert_eq!(result.output, output(nothing));
    assert!(rig.platform.replannings().is_empty());
    assert!(rig.is_free("trigger_replanning", "workflow/wf-running").await, "nothing was triggered");
}

#[tokio::test]
async fn without_a_reason_the_orchestrator_gets_playbook_and_incident() {
    let rig = Rig::new();
    for parameters in [json!({"workflow_id": "wf-running"}), json!({"plan_id": "plan-1"})] {
        let result = rig.perform(&worker(&rig), &with(&rig, parameters)).await;
        assert_eq!(result.outcome, AttemptOutcome::Succeeded);
    }
    let expected = "self-healing by playbook ticket_timeout_recovery, incident INC-1";
    assert!(rig.platform.replannings().iter().all(|replanning| replanning.reason == expected));
    assert_eq!(rig.policy.asked()[0].resource.reason, expected);
}

#[tokio::test]
async fn the_state_just_before_the_effect_decides() {
    let rig = Rig::new();
    let platform = rig.platform.clone();
    rig.policy.decide_by(move |_| {
        let workflows = vec![Workflow::new("wf-running", "plan-running", WorkflowState::Failed)];
        platform.seed(Seed { workflows, ..Seed::default() }).unwrap();
        allow()
    });
    let result = rig.perform(&worker(&rig), &of_workflow(&rig, "wf-running")).await;
    assert_eq!(rig.policy.asked()[0].context.workflow_state, "RUNNING");
    assert_eq!(failed(&result).0, "terminal_state");
    assert!(rig.platform.replannings().is_empty());
}

#[tokio::test]
async fn an_unknown_workflow_is_a_failure_even_if_the_plan_is_named() {
    for unknown_workflow in [UnknownWorkflow::NotFound, UnknownWorkflow::Unspecified, UnknownWorkflow::Pending] {
        let orchestrator = OrchestratorConfig { unknown_workflow, ..OrchestratorConfig::default() };
        let rig = Rig::with(PlatformConfig { orchestrator, ..PlatformConfig::default() });
        let worker = worker(&rig);
        assert_eq!(failed(&rig.perform(&worker, &of_workflow(&rig, "wf-9")).await).0, "not_found");
        let parameters = json!({"plan_id": "plan-1", "workflow_id": "wf-9", "reason": "r"});
        assert_eq!(failed(&rig.perform(&worker, &with(&rig, parameters)).await).0, "not_found");
        assert!(rig.calls_of("TriggerReplanning").is_empty(), "{unknown_workflow:?}");
    }
}

#[tokio::test]
async fn an_unknown_plan_is_a_failure() {
    let rig = Rig::new();
    assert_eq!(failed(&rig.perform(&worker(&rig), &of_plan(&rig, "plan-9")).await).0, "not_found");
    assert!(rig.is_free("trigger_replanning", "plan/plan-9").await, "a refusal changes nothing");
}

#[tokio::test]
async fn a_workflow_without_a_plan_has_nothing_to_replan() {
    let workflows = vec![Workflow::new("wf-bare", "", WorkflowState::Running)];
    let rig = Rig::with(PlatformConfig { seed: Seed { workflows, ..Seed::default() }, ..PlatformConfig::default() });
    let worker = worker(&rig);
    for parameters in [
        json!({"workflow_id": "wf-bare"}),
        json!({"workflow_id": "wf-bare", "plan_id": ""}),
        json!({"workflow_id": "wf-bare", "plan_id": null}),
    ] {
        let result = rig.perform(&worker, &with(&rig, parameters)).await;
        assert_eq!(failed(&result), ("no_plan", "workflow \"wf-bare\" has no plan: nothing to replan"));
    }
}

#[tokio::test]
async fn an_empty_plan_is_that_of_the_workflow() {
    let rig = Rig::new();
    let parameters = json!({"workflow_id": "wf-running", "plan_id": ""});
    assert_eq!(rig.perform(&worker(&rig), &with(&rig, parameters)).await.outcome, AttemptOutcome::Succeeded);
    assert_eq!(rig.platform.replannings()[0].plan_id, "plan-running");
}

#[tokio::test]
async fn odd_text_arrives_verbatim() {
    let odd = "{{ 7*7 }} ../ %2e%2e \r\n\u{202e}";
    let workflows = vec![Workflow::new("wf-odd", odd, WorkflowState::Running)];
    let rig = Rig::with(PlatformConfig { seed: Seed { workflows, ..Seed::default() }, ..PlatformConfig::default() });
    let result = rig.perform(&worker(&rig), &with(&rig, json!({"plan_id": odd, "reason": odd}))).await;
    assert_eq!(result.outcome, AttemptOutcome::Succeeded);
    let replanning = &rig.platform.replannings()[0];
    assert_eq!([&replanning.plan_id, &replanning.reason], [odd; 2]);
}
