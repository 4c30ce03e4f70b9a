//! `get_workflow_status` over real sockets, through the attempt that every action goes through.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    missing_debug_implementations
)]

use heal_get_workflow_status::{GetWorkflowStatus, spec};
use heal_rig::rig::{Rig, TRACEPARENT, failed, of_run, short, unavailable};
use heal_rig::{logs, rig};
use heal_runtime::attempt::Worker;
use heal_runtime::{ActionCommand, AttemptOutcome, OutputType};
use heal_sandbox::orchestrator::{OrchestratorConfig, UnknownWorkflow, Workflow, WorkflowState};
use heal_sandbox::seed::Seed;
use heal_sandbox::{Fault, FaultKind, PlatformConfig, Service};
use serde_json::{Value, json};
use tokio::time::Instant;

fn worker(rig: &Rig) -> Worker {
    rig.worker(GetWorkflowStatus::new(rig.orchestrator(), rig.clock()))
}

fn of(rig: &Rig, workflow_id: &str) -> ActionCommand {
    rig.command(&spec(), json!({"workflow_id": workflow_id}))
}

#[tokio::test]
async fn the_outputs_give_the_workflows_state() {
    logs::collect();
    let rig = Rig::new();
    let result = rig.perform(&worker(&rig), &of(&rig, "wf-1")).await;
    assert_eq!(result.outcome, AttemptOutcome::Succeeded);
    assert!(result.warnings.is_empty());
    for (name, value) in [
        ("state", json!("PAUSED")),
        ("plan_id", json!("plan-1")),
        ("progress_percent", json!(40.0)),
        ("current_priority", json!(5)),
        ("is_terminal", json!(false)),
        ("is_paused", json!(true)),
        ("tickets_total", json!(4)),
        ("tickets_completed", json!(1)),
        ("tickets_pending", json!(0)),
        ("tickets_running", json!(3)),
        ("tickets_failed", json!(0)),
    ] {
        assert_eq!(result.output[name], value, "{name}");
    }
    assert!((3_500..=3_600).contains(&result.output["sla_remaining_seconds"].as_i64().unwrap()));
    let workflow = rig.platform.workflow("wf-1").unwrap();
    assert_eq!(
        [&result.output["started_at"], &result.output["updated_at"]],
        [&json!(workflow.started_at), &json!(workflow.updated_at)]
    );
    let call = &rig.platform.calls()[0];
    assert_eq!(call.traceparent.as_deref(), Some(TRACEPARENT));
    let lines = logs::of("workflow_status_retrieved");
    assert_eq!(lines.len(), 1);
    logs::assert_common_fields(&lines[0], "get_workflow_status");
}

#[tokio::test]
async fn every_output_is_declared_and_has_the_declared_type() {
    let rig = Rig::new();
    let result = rig.perform(&worker(&rig), &of(&rig, "wf-1")).await;
    let spec = spec();
    assert_eq!(result.output.len(), spec.outputs.len());
    for (name, kind) in spec.outputs {
        let value = &result.output[*name];
        let is_right = match kind {
            OutputType::Boolean => value.is_boolean(),
            OutputType::Integer => value.is_i64(),
            OutputType::Number => value.is_number(),
            OutputType::String => value.is_string(),
            OutputType::Array => value.is_array(),
            OutputType::Object => value.is_object(),
            OutputType::Any => true,
        };
        assert!(is_right, "{name}: {value}");
    }
}

#[tokio::test]
async fn an_ended_workflow_is_terminal() {
    for (id, state) in [("wf-completed", "COMPLETED"), ("wf-failed", "FAILED"), ("wf-cancelled", "CANCELLED")] {
        let rig = Rig::new();
        let result = rig.perform(&worker(&rig), &of(&rig, id)).await;
        let output = &result.output;
        assert_eq!(
            [&output["state"], &output["is_terminal"], &output["is_paused"]],
            [&json!(state), &json!(true), &json!(false)]
        );
    }
}

#[tokio::test]
async fn what_is_not_known_is_null_or_left_out() {
    let workflow = Workflow {
        sla_deadline: None,
        started_at: 0,
        updated_at: 0,
        ..Workflow::new("wf-1", "plan-1", WorkflowState::Running)
    };
    let seed = Seed { workflows: vec![workflow], ..Seed::default() };
    let rig = Rig::with(PlatformConfig { seed, ..PlatformConfig::default() });
    let command = rig.command(&spec(), json!({"workflow_id": "wf-1", "include_tickets": false}));
    let result = rig.perform(&worker(&rig), &command).await;
    assert_eq!(result.output["sla_remaining_seconds"], Value::Null);
    for name in ["tickets_total", "started_at", "updated_at"] {
        assert!(!result.output.contains_key(name), "{name}: {:?}", result.output);
    }
    assert!(result.warnings.is_empty());
}

#[tokio::test]
async fn an_unknown_workflow_is_a_failure_in_every_form_of_the_answer() {
    for unknown_workflow in [UnknownWorkflow::NotFound, UnknownWorkflow::Unspecified, UnknownWorkflow::Pending] {
        logs::collect();
        let orchestrator = OrchestratorConfig { unknown_workflow, ..OrchestratorConfig::default() };
        let rig = Rig::with(PlatformConfig { orchestrator, ..PlatformConfig::default() });
        assert_eq!(failed(&rig.perform(&worker(&rig), &of(&rig, "wf-9")).await).0, "not_found");
        assert_eq!(logs::of("get_workflow_status_failed").len(), 1);
    }
}

#[tokio::test]
async fn an_orchestrator_out_of_reach_gives_no_state() {
    let unavailable_status = FaultKind::GrpcStatus { code: "UNAVAILABLE".to_owned(), message: String::new() };
    for fault in [
        FaultKind::Refuse,
        FaultKind::Hang,
        FaultKind::DropAnswer,
        unavailable_status,
        FaultKind::Status { code: 500, retry_after_seconds: None },
    ] {
        logs::collect();
        let rig = Rig::new();
        rig.platform.set_fault(Fault::new(Service::Orchestrator, fault.clone())).unwrap();
        let started = Instant::now();
        let result = rig.perform(&worker(&rig), &short(&rig, of(&rig, "wf-1"))).await;
        assert!(started.elapsed() < rig::SHORTLY, "{fault:?}");
        assert_eq!(unavailable(&result).0, "orchestrator");
        assert!(result.output.is_empty());
        assert!(result.follow_up[0].contains("\"wf-1\""), "{:?}", result.follow_up);
        assert_eq!(logs::of("orchestrator_client_unavailable").len(), 1);
    }
}

#[tokio::test]
async fn an_answer_that_cannot_be_read_is_a_failure() {
    let rig = Rig::new();
    rig.fault(Service::Orchestrator, "GetWorkflowStatus", FaultKind::HugeBody { bytes: 100 << 20 });
    let result = rig.perform(&worker(&rig), &of(&rig, "wf-1")).await;
    assert_eq!(failed(&result).0, "bad_answer", "{result:?}");
}

#[tokio::test]
async fn a_second_delivery_reads_again_without_a_claim() {
    let rig = Rig::new();
    let (worker, command) = (worker(&rig), of(&rig, "wf-1"));
    for _ in 0..2 {
        assert_eq!(rig.perform(&worker, &command).await.output["state"], "PAUSED");
    }
    assert_eq!(rig.platform.calls().len(), 2);
    rig.lose_worker(&command, &[]).await;
}

#[tokio::test]
async fn a_call_with_bad_parameters_calls_no_service() {
    let rig = Rig::new();
    for parameters in [json!({}), json!({"workflow_id": ""}), json!({"workflow_id": "wf-1", "include_tickets": "yes"})]
    {
        let command = of_run(&rig.command(&spec(), parameters.clone()), &parameters.to_string());
        assert_eq!(failed(&rig.perform(&worker(&rig), &command).await).0, "bad_parameters");
    }
    assert!(rig.platform.calls().is_empty());
}

#[tokio::test]
async fn an_odd_id_arrives_verbatim() {
    let odd = "{{ 7*7 }} ../ %2e%2e \r\n\u{202e}";
    let rig = Rig::new();
    failed(&rig.perform(&worker(&rig), &of(&rig, odd)).await);
    assert_eq!(rig.platform.calls()[0].target, odd);
}
