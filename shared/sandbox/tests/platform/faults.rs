use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use heal_proto as proto;
use heal_sandbox::orchestrator::WorkflowState;
use heal_sandbox::tickets::TicketStatus;
use heal_sandbox::{Fault, FaultKind, Platform, Service, Status};
use reqwest::Method;
use serde_json::json;
use tokio::time::Instant;
use tonic::Code;

use crate::support::{answer, change, get, grpc, http, platform};

fn health(platform: &Platform, service: Service) -> String {
    let path = match service {
        Service::Kubernetes => "version",
        _ => "health",
    };
    format!("{}/{path}", platform.endpoints().url(service))
}

fn reallocation(platform: &Platform) -> String {
    format!("{}/tickets/ticket-1/reallocate", platform.endpoints().tickets_url)
}

fn resume() -> proto::ResumeWorkflowRequest {
    proto::ResumeWorkflowRequest {
        workflow_id: "wf-1".to_owned(),
        reason: "stuck".to_owned(),
        adjustment_id: "adj".to_owned(),
    }
}

fn status(code: u16) -> FaultKind {
    FaultKind::Status { code, retry_after_seconds: None }
}

#[tokio::test]
async fn a_refusing_service_refuses_connections_until_cleared() {
    let platform = platform();
    for service in [Service::Tickets, Service::Kubernetes, Service::Opa] {
        let url = health(&platform, service);
        // A client with an open connection gets a reset.
        let warm = http();
        warm.get(&url).send().await.unwrap();
        for _ in 0..3 {
            platform.set_fault(Fault::new(service, FaultKind::Refuse)).unwrap();
            assert!(warm.get(&url).send().await.is_err(), "{service}");
            let error = http().get(&url).send().await.unwrap_err();
            assert!(error.is_connect() || error.is_request(), "{service}: {error:?}");
            platform.clear_faults();
            assert_eq!(http().get(&url).send().await.unwrap().status(), 200, "{service}");
        }
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_refused_connection_is_not_made_at_all() {
    let platform = platform();
    platform.set_fault(Fault::new(Service::Opa, FaultKind::Refuse)).unwrap();
    let error = TcpStream::connect(platform.endpoints().opa).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionRefused);
    platform.clear_faults();
    TcpStream::connect(platform.endpoints().opa).unwrap();
}

#[tokio::test]
async fn with_a_number_of_calls_the_next_connections_are_reset() {
    let platform = platform();
    platform.set_fault(Fault::new(Service::Tickets, FaultKind::Refuse).times(2)).unwrap();
    let url = health(&platform, Service::Tickets);
    assert!(http().get(&url).send().await.is_err());
    assert!(http().get(&url).send().await.is_err());
    assert_eq!(http().get(&url).send().await.unwrap().status(), 200);
    let calls = platform.calls();
    assert_eq!(calls.iter().filter(|call| call.operation == "connect").count(), 2);
}

#[tokio::test]
async fn one_operation_can_refuse_while_the_others_answer() {
    let platform = platform();
    platform.set_fault(Fault::new(Service::Tickets, FaultKind::Refuse).on("reallocate_ticket")).unwrap();
    let url = reallocation(&platform);
    assert!(http().post(&url).json(&json!({"reason": "r"})).send().await.is_err());
    assert_eq!(get(&health(&platform, Service::Tickets)).await.0, 200);
    assert!(platform.effects().is_empty());
    assert_eq!(platform.calls()[0].fault.as_deref(), Some("refuse"));
}

#[tokio::test]
async fn the_orchestrator_refuses_and_recovers() {
    let platform = platform();
    let mut client = grpc(&platform);
    platform.set_fault(Fault::new(Service::Orchestrator, FaultKind::Refuse)).unwrap();
    let refused = client.resume_workflow(resume()).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unavailable);
    platform.clear_faults();
    client.resume_workflow(resume()).await.unwrap();
    assert_eq!(platform.effects().len(), 1);
}

#[tokio::test]
async fn a_hanging_call_is_recorded_and_never_performed() {
    let platform = platform();
    platform.set_fault(Fault::new(Service::Tickets, FaultKind::Hang).times(1)).unwrap();
    let late = http().post(reallocation(&platform)).timeout(Duration::from_millis(200)).json(&json!({"reason": "r"}));
    assert!(late.send().await.unwrap_err().is_timeout());
    platform.set_fault(Fault::new(Service::Orchestrator, FaultKind::Hang).on("ResumeWorkflow")).unwrap();
    let mut request = tonic::Request::new(resume());
    request.set_timeout(Duration::from_millis(200));
    assert!(grpc(&platform).resume_workflow(request).await.is_err());
    let calls = platform.calls();
    assert_eq!(calls.len(), 2);
    for call in &calls {
        assert_eq!((call.fault.as_deref(), &call.status, call.effect), (Some("hang"), &None, false));
    }
    assert_eq!(calls[1].target, "wf-1");
    // The fault was for one call only.
    assert_eq!(change(Method::POST, &reallocation(&platform), "k", &json!({"reason": "r"})).await.status(), 200);
}

#[tokio::test]
async fn a_status_is_answered_instead_of_performing_the_call() {
    let platform = platform();
    let kind = FaultKind::Status { code: 429, retry_after_seconds: Some(7) };
    platform.set_fault(Fault::new(Service::Tickets, kind).on("reallocate_ticket").times(2)).unwrap();
    for _ in 0..2 {
        let response = change(Method::POST, &reallocation(&platform), "k", &json!({"reason": "r"})).await;
        assert_eq!(response.status(), 429);
        assert_eq!(response.headers()["retry-after"], "7");
    }
    assert!(platform.effects().is_empty());
    assert_eq!(change(Method::POST, &reallocation(&platform), "k", &json!({"reason": "r"})).await.status(), 200);
    for code in [400, 404, 408, 500, 503] {
        platform.set_fault(Fault::new(Service::Opa, status(code))).unwrap();
        assert_eq!(get(&health(&platform, Service::Opa)).await.0, code);
    }
    assert_eq!(platform.calls().last().unwrap().status, Some(Status::Http(503)));
}

#[tokio::test]
async fn every_grpc_code_can_be_answered() {
    let platform = platform();
    let mut client = grpc(&platform);
    for (name, code) in [
        ("UNAVAILABLE", Code::Unavailable),
        ("DEADLINE_EXCEEDED", Code::DeadlineExceeded),
        ("RESOURCE_EXHAUSTED", Code::ResourceExhausted),
        ("ABORTED", Code::Aborted),
        ("INTERNAL", Code::Internal),
        ("INVALID_ARGUMENT", Code::InvalidArgument),
        ("PERMISSION_DENIED", Code::PermissionDenied),
        ("FAILED_PRECONDITION", Code::FailedPrecondition),
        ("NOT_FOUND", Code::NotFound),
        ("UNAUTHENTICATED", Code::Unauthenticated),
    ] {
        let kind = FaultKind::GrpcStatus { code: name.to_owned(), message: "as told".to_owned() };
        platform.set_fault(Fault::new(Service::Orchestrator, kind)).unwrap();
        let refused = client.resume_workflow(resume()).await.unwrap_err();
        assert_eq!((refused.code(), refused.message()), (code, "as told"));
        assert!(platform.calls().last().unwrap().status.clone().unwrap() == name);
    }
    // A proxy answers without a gRPC status; tonic may fail on the text of the body.
    platform.set_fault(Fault::new(Service::Orchestrator, status(503))).unwrap();
    let refused = client.resume_workflow(resume()).await.unwrap_err();
    assert!(matches!(refused.code(), Code::Unavailable | Code::Internal));
    assert_eq!(platform.calls().last().unwrap().status, Some(Status::Http(503)));
    assert!(platform.effects().is_empty());
}

#[tokio::test]
async fn a_call_with_a_dropped_response_has_its_effect() {
    let platform = platform();
    platform.set_fault(Fault::new(Service::Tickets, FaultKind::DropAnswer).times(1)).unwrap();
    let url = reallocation(&platform);
    let dropped = http().post(&url).header("idempotency-key", "k").json(&json!({"reason": "r"})).send().await;
    assert!(dropped.is_err());
    assert_eq!(platform.ticket("ticket-1").unwrap().status, TicketStatus::Pending);
    // The retry is recognised by its key.
    assert_eq!(change(Method::POST, &url, "k", &json!({"reason": "r"})).await.status(), 200);
    assert_eq!(platform.effects().len(), 1);
    assert_eq!(platform.effects()[0].status, None);

    platform.set_fault(Fault::new(Service::Orchestrator, FaultKind::DropAnswer).on("ResumeWorkflow").times(1)).unwrap();
    let mut client = grpc(&platform);
    assert!(client.resume_workflow(resume()).await.is_err());
    assert_eq!(platform.workflow("wf-1").unwrap().state, WorkflowState::Running);
    assert!(client.resume_workflow(resume()).await.unwrap().into_inner().success);
    assert_eq!(platform.effects().len(), 2);
}

#[tokio::test]
async fn a_slow_call_is_performed_at_once_and_answered_late() {
    let platform = platform();
    platform.set_fault(Fault::new(Service::Tickets, FaultKind::Slow { by_ms: 300 })).unwrap();
    let started = Instant::now();
    assert_eq!(change(Method::POST, &reallocation(&platform), "a", &json!({"reason": "r"})).await.status(), 200);
    assert!(started.elapsed() >= Duration::from_millis(300));
    platform.set_fault(Fault::new(Service::Tickets, FaultKind::Slow { by_ms: 60_000 })).unwrap();
    let impatient =
        http().post(reallocation(&platform)).timeout(Duration::from_millis(200)).json(&json!({"reason": "r"}));
    assert!(impatient.send().await.unwrap_err().is_timeout());
    assert_eq!(platform.effects().len(), 2);
}

#[tokio::test]
async fn a_response_can_claim_another_content_type() {
    let platform = platform();
    let kind = |body: Option<&str>| FaultKind::WrongContentType {
        content_type: "text/html".to_owned(),
        body: body.map(str::to_owned),
    };
    platform.set_fault(Fault::new(Service::Tickets, kind(None)).times(1)).unwrap();
    let response = change(Method::POST, &reallocation(&platform), "a", &json!({"reason": "r"})).await;
    assert_eq!(response.headers()["content-type"], "text/html");
    assert_eq!(answer(response).await.1["status"], "PENDING");
    platform.set_fault(Fault::new(Service::Tickets, kind(Some("<html>log in</html>"))).times(1)).unwrap();
    let response = change(Method::POST, &reallocation(&platform), "b", &json!({"reason": "r"})).await;
    assert_eq!((response.status().as_u16(), response.text().await.unwrap()), (200, "<html>log in</html>".to_owned()));
    assert_eq!(platform.effects().len(), 1);
}

#[tokio::test]
async fn a_huge_body_is_streamed_to_its_last_byte() {
    const BYTES: u64 = 100_000_000;
    let platform = platform();
    platform.set_fault(Fault::new(Service::Tickets, FaultKind::HugeBody { bytes: BYTES })).unwrap();
    let mut response = http().get(health(&platform, Service::Tickets)).send().await.unwrap();
    assert_eq!(
        (response.status().as_u16(), &response.headers()["content-type"]),
        (200, &"application/json".parse().unwrap())
    );
    let mut read = 0;
    while let Some(chunk) = response.chunk().await.unwrap() {
        read += chunk.len() as u64;
    }
    assert_eq!(read, BYTES);
    platform.set_fault(Fault::new(Service::Orchestrator, FaultKind::HugeBody { bytes: BYTES })).unwrap();
    let refused = grpc(&platform).resume_workflow(resume()).await.unwrap_err();
    assert_eq!(refused.code(), Code::OutOfRange);
    assert_eq!(platform.effects().len(), 1);
}

#[tokio::test]
async fn a_dripping_response_is_sent_byte_by_byte() {
    let platform = platform();
    platform.set_fault(Fault::new(Service::Kubernetes, FaultKind::Drip { interval_ms: 1 })).unwrap();
    let mut response = http().get(health(&platform, Service::Kubernetes)).send().await.unwrap();
    let mut body = Vec::new();
    let started = Instant::now();
    while let Some(chunk) = response.chunk().await.unwrap() {
        body.extend_from_slice(&chunk);
    }
    assert!(started.elapsed() >= Duration::from_millis(body.len() as u64 / 2));
    assert_eq!(serde_json::from_slice::<serde_json::Value>(&body).unwrap()["major"], "1");
    platform.set_fault(Fault::new(Service::Orchestrator, FaultKind::Drip { interval_ms: 1 })).unwrap();
    assert!(grpc(&platform).resume_workflow(resume()).await.unwrap().into_inner().success);
}

#[tokio::test]
async fn a_redirect_leads_to_a_loopback_address() {
    let platform = platform();
    let location = health(&platform, Service::Kubernetes);
    platform
        .set_fault(Fault::new(Service::Tickets, FaultKind::Redirect { location: location.clone(), status: 307 }))
        .unwrap();
    let response = change(Method::POST, &reallocation(&platform), "k", &json!({"reason": "r"})).await;
    assert_eq!((response.status().as_u16(), &response.headers()["location"]), (307, &location.parse().unwrap()));
    assert!(platform.effects().is_empty());
    // The journal would show a client that followed the redirect.
    assert!(platform.calls().iter().all(|call| call.service == Service::Tickets));
}

#[tokio::test]
async fn an_invalid_fault_is_refused() {
    let platform = platform();
    let error = platform.set_fault(Fault::new(Service::Tickets, FaultKind::Hang).on("get_tickets")).unwrap_err();
    assert!(error.to_string().starts_with("operation: expected one of get_ticket, "), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reopened_port_serves_the_next_connection() {
    let platform = platform();
    for _ in 0..50 {
        platform.set_fault(Fault::new(Service::Opa, FaultKind::Refuse)).unwrap();
        platform.clear_faults();
        let mut stream = TcpStream::connect(platform.endpoints().opa).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.write_all(b"GET /health HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        assert!(text.starts_with("HTTP/1.1 200"), "{text}");
    }
}
