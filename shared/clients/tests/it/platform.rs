//! The clients against the stand-in platform: the guide's two diagrams call by call, and the platform's faults.

use std::time::Duration;

use heal_clients::orchestrator::WorkflowState;
use heal_clients::tickets::{Change, ChangeOutcome, Metadata, TicketChange, TicketStatus};
use heal_clients::{CallContext, Wiring, orchestrator, policy, tickets};
use heal_runtime::port::{Decision, DecisionSource, PolicyContext, PolicyInput, PolicyResource};
use heal_sandbox::tickets::{Dialect, TicketsConfig};
use heal_sandbox::{Fault, FaultKind, Platform, PlatformConfig, Service};

use crate::support::platform_config;

fn context(key: &str) -> CallContext {
    CallContext::within(Duration::from_secs(5)).with_key(key)
}

fn question(action: &str, ticket_id: &str) -> PolicyInput {
    PolicyInput {
        resource: PolicyResource {
            action: action.to_owned(),
            ticket_id: ticket_id.to_owned(),
            reason: "timeout_recovery".to_owned(),
            ..PolicyResource::default()
        },
        context: PolicyContext { now_ns: 1_800_000_000_000_000_000, ..PolicyContext::default() },
        critical: true,
        traceparent: None,
    }
}

#[tokio::test]
async fn ticket_recovery_calls_in_the_order_of_the_guide() {
    for dialect in [Dialect::Guide, Dialect::StatusPatch] {
        let config = PlatformConfig {
            tickets: TicketsConfig { dialect, ..TicketsConfig::default() },
            ..PlatformConfig::default()
        };
        let platform = Platform::start(config).unwrap();
        let config = platform_config(&platform);
        let tickets = tickets::Client::new(&config.tickets, &Wiring::default()).unwrap();
        let policy = policy::Client::new(&config.policy, &Wiring::default()).unwrap();

        let reallocate = question("reallocate_ticket", "ticket-1");
        // The platform's OPA has no policy loaded and gives no decision, so the bundled policy decides.
        let decision = policy.validate_action(&reallocate, &context("a")).await;
        assert!(
            matches!(decision, Decision::Allow { source: DecisionSource::Bundled, warning: Some(_) }),
            "{decision:?}"
        );
        let ticket =
            tickets.reallocate_ticket("ticket-1", "timeout_recovery", &Metadata::new(), &context("a")).await.unwrap();
        assert_eq!((ticket.known_status(), ticket.assigned_worker), (Some(TicketStatus::Pending), None));
        let update = question("update_ticket_status", "ticket-1");
        policy.validate_action(&update, &context("b")).await;
        tickets
            .update_ticket_status("ticket-1", TicketStatus::Pending, None, &Metadata::new(), &context("b"))
            .await
            .unwrap();
        let services: Vec<Service> = platform.calls().iter().map(|call| call.service).collect();
        assert_eq!(services, [Service::Opa, Service::Tickets, Service::Opa, Service::Tickets]);
        assert_eq!(tickets.get_ticket("ticket-1", &context("c")).await.unwrap().ticket_id, "ticket-1");
    }
}

#[tokio::test]
async fn a_workflow_restart_calls_in_the_order_of_the_guide() {
    let platform = Platform::start(PlatformConfig::default()).unwrap();
    let config = platform_config(&platform);
    let orchestrator = orchestrator::Client::new(&config.orchestrator, &Wiring::default()).unwrap();
    let status = orchestrator.get_workflow_status("wf-1", false, &context("k")).await.unwrap();
    assert_eq!(status.state, WorkflowState::Paused);
    let resumed = orchestrator.resume_workflow("wf-1", "workflow stuck", &context("k")).await.unwrap();
    assert!(resumed.pause_duration_seconds.unwrap() >= 59);
    let operations: Vec<String> = platform.calls().into_iter().map(|call| call.operation).collect();
    assert_eq!(operations, ["GetWorkflowStatus", "ResumeWorkflow"]);
    assert_eq!(platform.workflow("wf-1").unwrap().state, heal_sandbox::orchestrator::WorkflowState::Running);
}

#[tokio::test]
async fn after_a_lost_answer_the_ticket_is_read_and_the_call_is_not_repeated() {
    let platform = Platform::start(PlatformConfig::default()).unwrap();
    let config = platform_config(&platform);
    let tickets = tickets::Client::new(&config.tickets, &Wiring::default()).unwrap();
    let before = tickets.get_ticket("ticket-1", &context("once")).await.unwrap();
    platform.forget_calls();
    platform.set_fault(Fault::new(Service::Tickets, FaultKind::DropAnswer).times(1)).unwrap();
    let (change, metadata) = (Change::Reallocate { reason: "r" }, Metadata::new());
    let change = TicketChange { change, before: &before, metadata: &metadata };
    let outcome = tickets.change_ticket(&change, &context("once"), &context("once")).await;
    assert!(matches!(&outcome, ChangeOutcome::Seen { .. }), "{outcome:?}");
    let operations: Vec<String> = platform.calls().into_iter().map(|call| call.operation).collect();
    assert_eq!(operations, ["reallocate_ticket", "get_ticket"]);
    assert_eq!(platform.effects().len(), 1);
}

#[tokio::test]
async fn a_service_is_reached_again_when_it_accepts_connections_again() {
    let platform = Platform::start(PlatformConfig::default()).unwrap();
    let config = platform_config(&platform);
    let tickets = tickets::Client::new(&config.tickets, &Wiring::default()).unwrap();
    let orchestrator = orchestrator::Client::new(&config.orchestrator, &Wiring::default()).unwrap();
    tickets.health(&context("k")).await.unwrap();
    orchestrator.get_workflow_status("wf-1", false, &context("k")).await.unwrap();
    for service in [Service::Tickets, Service::Orchestrator] {
        platform.set_fault(Fault::new(service, FaultKind::Refuse)).unwrap();
    }
    assert!(tickets.get_ticket("ticket-1", &context("k")).await.unwrap_err().is_unavailable());
    let error = orchestrator.resume_workflow("wf-1", "r", &context("k")).await.unwrap_err();
    assert!(error.is_unavailable(), "{error}");
    platform.clear_faults();
    tickets.get_ticket("ticket-1", &context("k")).await.unwrap();
    orchestrator.resume_workflow("wf-1", "r", &context("k")).await.unwrap();
}
