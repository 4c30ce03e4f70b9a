//! Faults of the orchestrator and the network. If an answer is lost, the state is read before a change counts as failed.

use std::time::Duration;

use heal_clients::orchestrator::{Client, Confirmation, Replanning, ReplanningTrigger, WorkflowState};
use heal_clients::{CallContext, Effect, Error, OutageKind, RefusalKind, Wiring};
use heal_sandbox::{Fault, FaultKind, Platform, PlatformConfig, Service};
use tokio::time::Instant;

use crate::support::{Hand, platform_config};

fn context() -> CallContext {
    CallContext::within(Duration::from_secs(5)).with_key("adj-1")
}

fn start() -> (Platform, Client) {
    let platform = Platform::start(PlatformConfig::default()).unwrap();
    let client = Client::new(&platform_config(&platform).orchestrator, &Wiring::default()).unwrap();
    (platform, client)
}

fn on(operation: &str, kind: FaultKind) -> Fault {
    Fault::new(Service::Orchestrator, kind).on(operation)
}

fn grpc(code: &str) -> FaultKind {
    FaultKind::GrpcStatus { code: code.to_owned(), message: "injected".to_owned() }
}

fn operations(platform: &Platform) -> Vec<String> {
    platform.calls().into_iter().map(|call| call.operation).collect()
}

#[tokio::test]
async fn after_a_lost_answer_to_a_resume_the_state_confirms_it() {
    let (platform, client) = start();
    platform.set_fault(on("ResumeWorkflow", FaultKind::DropAnswer)).unwrap();
    let resumed = client.resume_workflow("wf-1", "r", &context()).await.unwrap();
    assert_eq!(resumed.confirmed, Confirmation::State(WorkflowState::Running));
    assert_eq!(operations(&platform), ["ResumeWorkflow", "GetWorkflowStatus"]);
    assert_eq!(platform.effects().len(), 1);
}

#[tokio::test]
async fn after_a_lost_answer_to_a_pause_the_state_confirms_it() {
    let (platform, client) = start();
    platform.set_fault(on("PauseWorkflow", FaultKind::DropAnswer)).unwrap();
    let paused = client.pause_workflow("wf-running", "r", None, &context()).await.unwrap();
    assert_eq!(paused.confirmed, Confirmation::State(WorkflowState::Paused));
    assert_eq!(platform.effects().len(), 1);
}

#[tokio::test]
async fn a_call_that_hangs_leaves_time_to_read_the_state() {
    let (platform, client) = start();
    platform.set_fault(on("ResumeWorkflow", FaultKind::Hang)).unwrap();
    let started = Instant::now();
    let context = CallContext::within(Duration::from_millis(600)).with_key("k");
    let error = client.resume_workflow("wf-1", "r", &context).await.unwrap_err();
    assert!(started.elapsed() < Duration::from_millis(900), "{:?}", started.elapsed());
    match error {
        Error::Unavailable(outage) => assert_eq!((outage.kind, outage.effect), (OutageKind::Timeout, Effect::Unknown)),
        other => panic!("{other:?}"),
    }
    assert_eq!(operations(&platform), ["ResumeWorkflow", "GetWorkflowStatus"], "no second resume after a timeout");
}

#[tokio::test]
async fn a_slow_success_is_confirmed_by_the_state() {
    let (platform, client) = start();
    platform.set_fault(on("ResumeWorkflow", FaultKind::Slow { by_ms: 60_000 })).unwrap();
    let context = CallContext::within(Duration::from_millis(800)).with_key("k");
    let resumed = client.resume_workflow("wf-1", "r", &context).await.unwrap();
    assert_eq!(resumed.confirmed, Confirmation::State(WorkflowState::Running));
}

#[tokio::test]
async fn after_a_reset_before_the_effect_the_state_is_read_and_the_call_retried_once() {
    let (platform, client) = start();
    platform.set_fault(on("ResumeWorkflow", FaultKind::Refuse).times(1)).unwrap();
    let resumed = client.resume_workflow("wf-1", "r", &context()).await.unwrap();
    assert_eq!(resumed.confirmed, Confirmation::Answer);
    assert_eq!(operations(&platform), ["ResumeWorkflow", "GetWorkflowStatus", "ResumeWorkflow"]);
    assert_eq!(platform.effects().len(), 1);
}

#[tokio::test]
async fn if_the_state_cannot_be_read_either_the_effect_is_unknown() {
    let (platform, client) = start();
    platform.set_fault(on("ResumeWorkflow", FaultKind::DropAnswer)).unwrap();
    platform.set_fault(on("GetWorkflowStatus", grpc("UNAVAILABLE"))).unwrap();
    let error = client.resume_workflow("wf-1", "r", &context()).await.unwrap_err();
    assert!(error.is_unavailable());
    assert_eq!(error.effect(), Effect::Unknown);
}

#[tokio::test]
async fn a_change_of_an_ended_workflow_is_refused() {
    let (platform, client) = start();
    platform.set_fault(on("PauseWorkflow", grpc("INTERNAL"))).unwrap();
    match client.pause_workflow("wf-failed", "r", None, &context()).await.unwrap_err() {
        Error::Refused(refusal) => {
            assert_eq!(refusal.kind, RefusalKind::Precondition);
            assert!(refusal.message.contains("terminal state FAILED"), "{}", refusal.message);
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn codes_are_classified_as_in_the_contract() {
    let (platform, client) = start();
    for (code, unavailable) in [
        ("INVALID_ARGUMENT", false),
        ("PERMISSION_DENIED", false),
        ("FAILED_PRECONDITION", false),
        ("NOT_FOUND", false),
        ("UNAVAILABLE", true),
        ("DEADLINE_EXCEEDED", true),
        ("RESOURCE_EXHAUSTED", true),
        ("ABORTED", true),
        ("INTERNAL", true),
    ] {
        platform.set_fault(on("GetWorkflowStatus", grpc(code))).unwrap();
        let client = Client::new(&platform_config(&platform).orchestrator, &Wiring::default()).unwrap();
        let error = client.get_workflow_status("wf-1", false, &context()).await.unwrap_err();
        assert_eq!(error.is_unavailable(), unavailable, "{code}: {error}");
        assert!(error.to_string().contains(code) && error.to_string().contains("injected"), "{error}");
    }
    drop(client);
}

#[tokio::test]
async fn answers_that_are_not_grpc_are_errors_within_the_deadline() {
    let status = |code| FaultKind::Status { code, retry_after_seconds: None };
    let html = FaultKind::WrongContentType { content_type: "text/html".to_owned(), body: Some("<p>".to_owned()) };
    for kind in [
        status(500),
        status(503),
        status(429),
        status(200),
        html,
        FaultKind::HugeBody { bytes: 100 << 20 },
        FaultKind::Drip { interval_ms: 1000 },
        FaultKind::Hang,
        FaultKind::Redirect { location: "http://127.0.0.1:1/".to_owned(), status: 307 },
    ] {
        let (platform, client) = start();
        platform.set_fault(on("GetWorkflowStatus", kind.clone())).unwrap();
        let started = Instant::now();
        let context = CallContext::within(Duration::from_millis(500));
        let error = client.get_workflow_status("wf-1", false, &context).await.unwrap_err();
        assert!(started.elapsed() < Duration::from_millis(1500), "{kind:?} took {:?}", started.elapsed());
        assert_eq!(error.effect(), Effect::NotApplied, "{kind:?}: a read changes nothing");
        assert_eq!(platform.calls().len(), 1, "{kind:?}");
    }
}

#[tokio::test]
async fn a_server_that_does_not_speak_grpc_is_a_wrong_address() {
    let (platform, client) = start();
    let html = FaultKind::WrongContentType { content_type: "text/html".to_owned(), body: Some("<p>".to_owned()) };
    platform.set_fault(Fault::new(Service::Orchestrator, html)).unwrap();
    let Err(Error::Misconfigured(misfit)) = client.get_workflow_status("wf-1", false, &context()).await else {
        panic!("an HTML page was taken for an answer or an outage");
    };
    assert!(misfit.variable.contains("ORCHESTRATOR_GRPC_PORT"), "{misfit}");
    assert!(misfit.observed.contains("HTTP 200 with content type text/html"), "{misfit}");
}

#[tokio::test]
async fn after_an_oversized_answer_to_a_change_the_state_confirms_it() {
    let (platform, client) = start();
    platform.set_fault(on("ResumeWorkflow", FaultKind::HugeBody { bytes: 100 << 20 })).unwrap();
    let resumed = client.resume_workflow("wf-1", "r", &context()).await.unwrap();
    assert_eq!(resumed.confirmed, Confirmation::State(WorkflowState::Running));
}

/// The codes that a servicer may answer with after the effect.
const MAY_HAVE_HAPPENED: [&str; 5] = ["UNKNOWN", "UNAVAILABLE", "ABORTED", "INTERNAL", "DEADLINE_EXCEEDED"];

#[tokio::test]
async fn an_abort_after_the_effect_is_a_success_by_the_state() {
    for code in MAY_HAVE_HAPPENED {
        let (platform, client) = start();
        let abort = FaultKind::AbortAfterEffect { code: code.to_owned(), message: "aborted".to_owned() };
        platform.set_fault(on("PauseWorkflow", abort.clone())).unwrap();
        platform.set_fault(on("ResumeWorkflow", abort)).unwrap();
        let paused = client.pause_workflow("wf-running", "r", None, &context()).await.unwrap();
        assert_eq!(paused.confirmed, Confirmation::State(WorkflowState::Paused), "{code}");
        assert!(paused.paused_at_ms.is_some(), "the time of the last change");
        let resumed = client.resume_workflow("wf-1", "r", &context()).await.unwrap();
        assert_eq!(resumed.confirmed, Confirmation::State(WorkflowState::Running), "{code}");
        assert_eq!(platform.effects().len(), 2, "{code}");
    }
}

#[tokio::test]
async fn an_error_answer_with_an_unchanged_state_proves_that_nothing_happened() {
    for code in ["UNKNOWN", "UNAVAILABLE", "ABORTED", "INTERNAL"] {
        let (platform, client) = start();
        platform.set_fault(on("PauseWorkflow", grpc(code))).unwrap();
        let error = client.pause_workflow("wf-running", "r", None, &context()).await.unwrap_err();
        assert!(error.is_unavailable() && error.effect() == Effect::NotApplied, "{code}: {error}");
        assert_eq!(operations(&platform), ["PauseWorkflow", "GetWorkflowStatus"], "{code}");
    }
}

#[tokio::test]
async fn a_change_turned_away_for_load_is_proven_not_to_have_happened_without_a_read() {
    for fault in [grpc("RESOURCE_EXHAUSTED"), FaultKind::Status { code: 429, retry_after_seconds: None }] {
        let (platform, client) = start();
        platform.set_fault(on("PauseWorkflow", fault.clone())).unwrap();
        let error = client.pause_workflow("wf-running", "r", None, &context()).await.unwrap_err();
        assert!(error.is_unavailable() && error.effect() == Effect::NotApplied, "{fault:?}: {error}");
        assert_eq!(operations(&platform), ["PauseWorkflow"], "{fault:?}");
    }
}

#[tokio::test]
async fn a_replanning_that_may_have_happened_is_not_sent_again() {
    let codes = MAY_HAVE_HAPPENED.map(grpc).into_iter();
    let abort = FaultKind::AbortAfterEffect { code: "UNKNOWN".to_owned(), message: String::new() };
    for fault in codes.chain([abort, FaultKind::DropAnswer, FaultKind::Hang]) {
        let (platform, client) = start();
        platform.set_fault(on("TriggerReplanning", fault.clone())).unwrap();
        let replanning = Replanning::new("plan-1", "r", ReplanningTrigger::SlaViolation);
        let context = CallContext::within(Duration::from_millis(800)).with_key("k");
        let error = client.trigger_replanning(&replanning, &context).await.unwrap_err();
        assert_eq!(error.effect(), Effect::Unknown, "{fault:?}: {error}");
        assert_eq!(operations(&platform), ["TriggerReplanning"], "{fault:?}");
    }
}

#[tokio::test]
async fn a_replanning_that_never_left_this_process_is_proven_not_to_have_happened() {
    let (platform, client) = start();
    platform.set_fault(Fault::new(Service::Orchestrator, FaultKind::Refuse)).unwrap();
    let replanning = Replanning::new("plan-1", "r", ReplanningTrigger::SlaViolation);
    let error = client.trigger_replanning(&replanning, &context()).await.unwrap_err();
    assert!(error.is_unavailable() && error.effect() == Effect::NotApplied, "{error}");
}

#[tokio::test]
async fn five_outages_open_the_breaker_and_refusals_do_not() {
    let (platform, _) = start();
    let hand = Hand::default();
    let config = platform_config(&platform).orchestrator;
    let client = Client::with_clock(&config, &Wiring::default(), hand.clock()).unwrap();
    platform.set_fault(on("GetWorkflowStatus", grpc("PERMISSION_DENIED"))).unwrap();
    for _ in 0..10 {
        client.get_workflow_status("wf-1", false, &context()).await.unwrap_err();
    }
    platform.set_fault(on("GetWorkflowStatus", grpc("UNAVAILABLE"))).unwrap();
    for _ in 0..10 {
        client.get_workflow_status("wf-1", false, &context()).await.unwrap_err();
    }
    assert_eq!(platform.calls().len(), 15);
    platform.clear_faults();
    hand.advance(Duration::from_mins(1));
    client.get_workflow_status("wf-1", false, &context()).await.unwrap();
}
