//! The platform as deployed, where it differs from the guide.

use heal_proto as proto;
use heal_sandbox::opa::{Decision, OpaConfig, PLAYBOOK_VALIDATION, ViolationsForm};
use heal_sandbox::orchestrator::{Workflow, WorkflowState};
use heal_sandbox::seed::{NAMESPACE, WORKER_LABEL};
use heal_sandbox::tickets::{Ticket, TicketStatus};
use heal_sandbox::{Fault, FaultKind, Platform, PlatformConfig, Seed, Service};
use reqwest::Method;
use serde_json::{Map, Value, json};
use tonic::Code;

use crate::support::{answer, change, get, grpc, http, start};

fn platform() -> Platform {
    start(PlatformConfig::like_deployed())
}

fn tickets(platform: &Platform, path: &str) -> String {
    format!("{}/{path}", platform.endpoints().tickets_url)
}

fn status_of(workflow_id: &str) -> proto::GetWorkflowStatusRequest {
    proto::GetWorkflowStatusRequest { workflow_id: workflow_id.to_owned(), ..Default::default() }
}

fn pause(workflow_id: &str, adjustment_id: &str) -> proto::PauseWorkflowRequest {
    proto::PauseWorkflowRequest {
        workflow_id: workflow_id.to_owned(),
        adjustment_id: adjustment_id.to_owned(),
        ..Default::default()
    }
}

#[tokio::test]
async fn tickets_are_listed_with_a_slash_and_redirected_without() {
    let platform = platform();
    let without_slash = tickets(&platform, "tickets?status=RUNNING&limit=2");
    let response = http().get(&without_slash).send().await.unwrap();
    assert_eq!(response.status(), 307);
    let location = response.headers()["location"].to_str().unwrap().to_owned();
    assert_eq!(location, tickets(&platform, "tickets/?status=RUNNING&limit=2"));
    let (status, list) = get(&location).await;
    assert_eq!((status, &list["total"], &list["limit"]), (200, &json!(3), &json!(2)));
}

#[tokio::test]
async fn health_is_at_the_root_of_the_host_and_routes_are_under_the_prefix() {
    let platform = platform();
    let base = platform.endpoints().tickets_url;
    let host = base.strip_suffix("/api/v1").unwrap();
    assert_eq!(get(&format!("{host}/health")).await.0, 200);
    assert_eq!(get(&format!("{base}/health")).await.0, 404);
    assert_eq!(get(&format!("{base}/tickets/ticket-1")).await.0, 200);
    assert_eq!(get(&format!("{host}/tickets/ticket-1")).await.0, 404);
}

#[tokio::test]
async fn a_ticket_has_no_worker_no_workflow_and_no_metadata() {
    let metadata = Map::from_iter([("incident_id".to_owned(), json!("inc-1"))]);
    let ticket = Ticket {
        metadata,
        assigned_worker: Some("w".to_owned()),
        workflow_id: "wf-1".to_owned(),
        ..Ticket::new("t", TicketStatus::Running)
    };
    let seed = Seed { tickets: vec![ticket], ..Seed::default() };
    let platform = start(PlatformConfig { seed, ..PlatformConfig::like_deployed() });
    let (_, read) = get(&tickets(&platform, "tickets/t")).await;
    let (_, list) = get(&tickets(&platform, "tickets/?assigned_worker=nobody&workflow_id=none")).await;
    let url = tickets(&platform, "tickets/t/status");
    let patched = answer(change(Method::PATCH, &url, "k", &json!({"status": "FAILED"})).await).await.1;
    // The filters by the missing fields are ignored.
    assert_eq!(list["total"], 1);
    for ticket in [&read, &list["tickets"][0], &patched] {
        assert_eq!((ticket.get("assigned_worker"), ticket.get("workflow_id")), (None, None));
        assert_eq!(ticket["metadata"], json!({}));
    }
}

#[tokio::test]
async fn a_repeated_change_is_a_second_effect_and_completed_tickets_become_pending() {
    let platform = platform();
    let url = tickets(&platform, "tickets/ticket-4/status");
    assert_eq!(platform.ticket("ticket-4").unwrap().status, TicketStatus::Completed);
    for _ in 0..2 {
        assert_eq!(change(Method::PATCH, &url, "same-key", &json!({"status": "PENDING"})).await.status(), 200);
    }
    assert_eq!(platform.ticket("ticket-4").unwrap().status, TicketStatus::Pending);
    assert_eq!(platform.effects().len(), 2);
    assert!(platform.calls().iter().all(|call| !call.replayed));
}

#[tokio::test]
async fn an_unknown_workflow_is_reported_as_pending_and_can_be_paused() {
    let platform = platform();
    let mut client = grpc(&platform);
    let answer = client.get_workflow_status(status_of("nope")).await.unwrap().into_inner();
    assert_eq!((answer.state(), answer.plan_id.as_str()), (proto::WorkflowState::Pending, ""));
    assert_eq!((answer.started_at, answer.updated_at), (0, 0));
    let resume = proto::ResumeWorkflowRequest { workflow_id: "nope".to_owned(), ..Default::default() };
    assert_eq!(client.resume_workflow(resume).await.unwrap_err().code(), Code::FailedPrecondition);
    assert!(platform.workflow("nope").is_none());
    assert!(client.pause_workflow(pause("nope", "a")).await.unwrap().into_inner().success);
    assert_eq!(platform.workflow("nope").unwrap().state, WorkflowState::Paused);
    assert_eq!(platform.effects().len(), 1);
}

#[tokio::test]
async fn a_replanning_never_shows_in_the_state() {
    let seed = Seed {
        workflows: vec![
            Workflow::new("wf-1", "plan-1", WorkflowState::Paused),
            Workflow::new("wf-2", "plan-2", WorkflowState::Replanning),
        ],
        ..Seed::default()
    };
    let platform = start(PlatformConfig { seed, ..PlatformConfig::like_deployed() });
    let mut client = grpc(&platform);
    let request = proto::TriggerReplanningRequest { plan_id: "plan-1".to_owned(), ..Default::default() };
    client.trigger_replanning(request).await.unwrap();
    assert_eq!(platform.replannings().len(), 1);
    for (id, expected) in [("wf-1", proto::WorkflowState::Paused), ("wf-2", proto::WorkflowState::Running)] {
        assert_eq!(client.get_workflow_status(status_of(id)).await.unwrap().into_inner().state(), expected, "{id}");
    }
}

#[tokio::test]
async fn an_abort_after_the_effect_is_an_error_with_the_effect_made() {
    let platform = platform();
    for code in ["UNKNOWN", "UNAVAILABLE"] {
        let kind = FaultKind::AbortAfterEffect { code: code.to_owned(), message: String::new() };
        platform.set_fault(Fault::new(Service::Orchestrator, kind).on("PauseWorkflow").times(1)).unwrap();
        let mut client = grpc(&platform);
        assert!(client.pause_workflow(pause("wf-running", "adj")).await.is_err());
        assert_eq!(platform.workflow("wf-running").unwrap().state, WorkflowState::Paused);
        // The same adjustment id gets the response of the first call.
        assert!(client.pause_workflow(pause("wf-running", "adj")).await.unwrap().into_inner().success);
    }
    assert_eq!(platform.effects().len(), 1);
}

#[tokio::test]
async fn violations_are_an_object_keyed_by_their_json_texts() {
    let rego = r#"
package neuralhive.self_healing.playbook_validation

default allow := false

allow if count(violations) == 0

violations contains {"rule": "no_reason", "severity": "medium"} if input.reason == ""
"#;
    let opa = OpaConfig { policy: Some(rego.to_owned()), violations: ViolationsForm::Object, ..OpaConfig::default() };
    let platform = start(PlatformConfig { opa, ..PlatformConfig::like_deployed() });
    let url = format!("{}/v1/data/{PLAYBOOK_VALIDATION}", platform.endpoints().url(Service::Opa));
    let ask = |reason: &str| http().post(&url).json(&json!({"input": {"reason": reason}})).send();
    assert_eq!(answer(ask("r").await.unwrap()).await.1, json!({"result": {"allow": true, "violations": {}}}));
    let denied = answer(ask("").await.unwrap()).await.1;
    let violations = denied["result"]["violations"].as_object().unwrap();
    assert_eq!(violations.values().collect::<Vec<_>>(), [&json!(true)]);
    let violation: Value = serde_json::from_str(violations.keys().next().unwrap()).unwrap();
    assert_eq!(violation, json!({"rule": "no_reason", "severity": "medium"}));
    platform.set_policy(Decision::Allow, None).unwrap();
    assert_eq!(answer(ask("").await.unwrap()).await.1, json!({"result": {"allow": true, "violations": {}}}));
}

#[tokio::test]
async fn a_worker_is_found_by_label_and_comes_back_under_another_name() {
    let platform = platform();
    let pods = format!("{}/api/v1/namespaces/{NAMESPACE}/pods", platform.endpoints().kubernetes_url);
    let find = || async {
        let list = get(&format!("{pods}?labelSelector={WORKER_LABEL}%3Dworker-1")).await.1;
        let found = list["items"].as_array().unwrap().clone();
        assert_eq!(found.len(), 1, "{list}");
        found[0]["metadata"]["name"].as_str().unwrap().to_owned()
    };
    assert_eq!(get(&format!("{pods}/worker-1")).await.0, 404);
    let sick = find().await;
    assert_eq!(http().delete(format!("{pods}/{sick}")).send().await.unwrap().status(), 200);
    assert_eq!(get(&format!("{pods}/{sick}")).await.0, 404);
    let healthy = find().await;
    assert_ne!(healthy, sick);
    assert!(platform.pods().iter().any(|pod| pod.name == healthy && pod.ready));
}
