use heal_proto as proto;
use heal_sandbox::orchestrator::{OrchestratorConfig, UnknownWorkflow, WorkflowState};
use heal_sandbox::{Platform, PlatformConfig};
use tonic::Code;

use crate::support::{grpc, platform, start};

fn pause(workflow_id: &str, adjustment_id: &str) -> proto::PauseWorkflowRequest {
    proto::PauseWorkflowRequest {
        workflow_id: workflow_id.to_owned(),
        reason: "hot".to_owned(),
        pause_duration_seconds: None,
        adjustment_id: adjustment_id.to_owned(),
    }
}

fn resume(workflow_id: &str, adjustment_id: &str) -> proto::ResumeWorkflowRequest {
    proto::ResumeWorkflowRequest {
        workflow_id: workflow_id.to_owned(),
        reason: "stuck".to_owned(),
        adjustment_id: adjustment_id.to_owned(),
    }
}

fn status(workflow_id: &str) -> proto::GetWorkflowStatusRequest {
    proto::GetWorkflowStatusRequest {
        workflow_id: workflow_id.to_owned(),
        include_tickets: true,
        include_history: true,
    }
}

fn state(platform: &Platform, workflow_id: &str) -> WorkflowState {
    platform.workflow(workflow_id).unwrap().state
}

#[tokio::test]
async fn a_paused_workflow_is_resumed_once() {
    let platform = platform();
    let mut client = grpc(&platform);
    let answer = client.resume_workflow(resume("wf-1", "adj-1")).await.unwrap().into_inner();
    assert!(answer.success && answer.pause_duration_seconds >= 60);
    assert_eq!(state(&platform, "wf-1"), WorkflowState::Running);
    // The same adjustment is recognised; another one finds nothing to resume.
    assert_eq!(client.resume_workflow(resume("wf-1", "adj-1")).await.unwrap().into_inner(), answer);
    let refused = client.resume_workflow(resume("wf-1", "adj-2")).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    let effects = platform.effects();
    assert_eq!(effects.len(), 1);
    assert_eq!((effects[0].operation.as_str(), effects[0].target.as_str()), ("ResumeWorkflow", "wf-1"));
    assert_eq!(effects[0].key.as_deref(), Some("adj-1"));
    let statuses: Vec<_> = platform.calls().into_iter().map(|call| (call.status.unwrap(), call.replayed)).collect();
    assert_eq!(statuses[0], (heal_sandbox::Status::Grpc("OK".to_owned()), false));
    assert_eq!(statuses[1], (heal_sandbox::Status::Grpc("OK".to_owned()), true));
    assert!(statuses[2].0 == "FAILED_PRECONDITION");
}

#[tokio::test]
async fn ended_workflows_cannot_be_paused_and_paused_ones_stay_paused() {
    let platform = platform();
    let mut client = grpc(&platform);
    for ended in ["wf-completed", "wf-failed", "wf-cancelled"] {
        let refused = client.pause_workflow(pause(ended, "")).await.unwrap_err();
        assert_eq!(refused.code(), Code::FailedPrecondition, "{ended}");
    }
    assert!(client.pause_workflow(pause("wf-1", "a")).await.unwrap().into_inner().success);
    assert!(platform.effects().is_empty());
    let request = proto::PauseWorkflowRequest { pause_duration_seconds: Some(60), ..pause("wf-running", "b") };
    let answer = client.pause_workflow(request).await.unwrap().into_inner();
    assert_eq!(answer.scheduled_resume_at, Some(answer.paused_at + 60_000));
    assert_eq!(state(&platform, "wf-running"), WorkflowState::Paused);
    assert_eq!(platform.effects().len(), 1);
}

#[tokio::test]
async fn a_pause_expires() {
    let platform = platform();
    let mut seed = heal_sandbox::Seed::healthy_worker();
    seed.workflows[0].scheduled_resume_at = Some(1);
    platform.seed(seed).unwrap();
    let answer = grpc(&platform).get_workflow_status(status("wf-1")).await.unwrap().into_inner();
    assert_eq!(answer.state(), proto::WorkflowState::Running);
}

#[tokio::test]
async fn a_status_has_state_tickets_and_history() {
    let platform = platform();
    let mut client = grpc(&platform);
    client.resume_workflow(resume("wf-1", "a")).await.unwrap();
    let answer = client.get_workflow_status(status("wf-1")).await.unwrap().into_inner();
    assert_eq!((answer.state(), answer.plan_id.as_str()), (proto::WorkflowState::Running, "plan-1"));
    let tickets = answer.tickets.unwrap();
    assert_eq!((tickets.total, tickets.running, tickets.completed), (4, 3, 1));
    assert_eq!(answer.history.last().unwrap().description, "stuck");
    assert!(answer.sla_remaining_seconds.unwrap() > 3_000);
    let bare = proto::GetWorkflowStatusRequest { include_tickets: false, include_history: false, ..status("wf-1") };
    let answer = client.get_workflow_status(bare).await.unwrap().into_inner();
    assert!(answer.tickets.is_none() && answer.history.is_empty());
}

#[tokio::test]
async fn an_unknown_workflow_is_not_found_or_unspecified() {
    let platform = platform();
    let refused = grpc(&platform).get_workflow_status(status("nope")).await.unwrap_err();
    assert_eq!(refused.code(), Code::NotFound);
    assert_eq!(grpc(&platform).pause_workflow(pause("nope", "")).await.unwrap_err().code(), Code::NotFound);
    assert_eq!(grpc(&platform).pause_workflow(pause("", "")).await.unwrap_err().code(), Code::InvalidArgument);
    let orchestrator =
        OrchestratorConfig { unknown_workflow: UnknownWorkflow::Unspecified, ..OrchestratorConfig::default() };
    let platform = start(PlatformConfig { orchestrator, ..PlatformConfig::default() });
    let answer = grpc(&platform).get_workflow_status(status("nope")).await.unwrap().into_inner();
    assert_eq!(answer.state(), proto::WorkflowState::Unspecified);
}

#[tokio::test]
async fn a_plan_is_replanned_and_the_request_recorded() {
    let platform = platform();
    let mut client = grpc(&platform);
    let request = proto::TriggerReplanningRequest {
        plan_id: "plan-1".to_owned(),
        reason: "drift\u{202e}".to_owned(),
        trigger_type: proto::ReplanningTriggerType::TriggerTypeDrift.into(),
        adjustment_id: "adj".to_owned(),
        context: [("incident_id".to_owned(), "inc-1".to_owned())].into(),
        preserve_progress: true,
        priority: 7,
    };
    let answer = client.trigger_replanning(request.clone()).await.unwrap().into_inner();
    assert_eq!(client.trigger_replanning(request.clone()).await.unwrap().into_inner(), answer);
    assert_eq!(state(&platform, "wf-1"), WorkflowState::Replanning);
    let replannings = platform.replannings();
    assert_eq!(replannings.len(), 1);
    assert_eq!(replannings[0].replanning_id, answer.replanning_id);
    assert_eq!(replannings[0].trigger_type, "TRIGGER_TYPE_DRIFT");
    assert_eq!(replannings[0].reason, "drift\u{202e}");
    let body: serde_json::Value = serde_json::from_str(&platform.effects()[0].body).unwrap();
    assert_eq!(body["context"]["incident_id"], "inc-1");
    for (wrong, code) in [
        (proto::TriggerReplanningRequest { plan_id: String::new(), ..request.clone() }, Code::InvalidArgument),
        (proto::TriggerReplanningRequest { priority: 11, ..request.clone() }, Code::InvalidArgument),
        (
            proto::TriggerReplanningRequest { plan_id: "x".into(), adjustment_id: "y".into(), ..request.clone() },
            Code::NotFound,
        ),
    ] {
        assert_eq!(client.trigger_replanning(wrong).await.unwrap_err().code(), code);
    }
    assert_eq!(platform.effects().len(), 1);
}

#[tokio::test]
async fn a_priority_is_adjusted_by_workflow_or_plan() {
    let platform = platform();
    let mut client = grpc(&platform);
    let request = proto::AdjustPrioritiesRequest {
        workflow_id: "wf-running".to_owned(),
        new_priority: 9,
        adjustment_id: "a".to_owned(),
        ..Default::default()
    };
    let answer = client.adjust_priorities(request.clone()).await.unwrap().into_inner();
    assert_eq!((answer.previous_priority, answer.applied_priority), (5, 9));
    assert_eq!(platform.workflow("wf-running").unwrap().priority, 9);
    let plan = proto::AdjustPrioritiesRequest {
        workflow_id: String::new(),
        plan_id: "plan-1".to_owned(),
        adjustment_id: "b".to_owned(),
        ..request.clone()
    };
    client.adjust_priorities(plan).await.unwrap();
    assert_eq!(platform.workflow("wf-1").unwrap().priority, 9);
    for priority in [0, 11] {
        let wrong = proto::AdjustPrioritiesRequest { new_priority: priority, ..request.clone() };
        assert_eq!(client.adjust_priorities(wrong).await.unwrap_err().code(), Code::InvalidArgument);
    }
    assert_eq!(platform.effects().len(), 2);
}

#[tokio::test]
async fn resources_are_rebalanced_workflow_by_workflow() {
    let platform = platform();
    let target = proto::ResourceAllocation {
        cpu_millicores: 500,
        memory_mb: 256,
        max_parallel_tickets: 2,
        gpu_count: Some(1),
        scheduling_priority: 3,
    };
    let request = proto::RebalanceResourcesRequest {
        workflow_ids: vec!["wf-running".to_owned(), "wf-completed".to_owned(), "nope".to_owned()],
        target_allocation: [("wf-running".to_owned(), target), ("wf-completed".to_owned(), target)].into(),
        rebalance_id: "r".to_owned(),
        ..Default::default()
    };
    let answer = grpc(&platform).rebalance_resources(request).await.unwrap().into_inner();
    let success: Vec<_> = answer.results.iter().map(|result| result.success).collect();
    assert_eq!((answer.success, success), (false, vec![true, false, false]));
    assert_eq!(platform.workflow("wf-running").unwrap().allocation.gpu_count, Some(1));
    assert_eq!(platform.effects()[0].key.as_deref(), Some("r"));
}
