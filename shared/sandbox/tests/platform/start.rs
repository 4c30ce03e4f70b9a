use heal_sandbox::seed::SeedError;
use heal_sandbox::tickets::{Ticket, TicketStatus, TicketsConfig};
use heal_sandbox::{Platform, PlatformConfig, Seed, StartError};

use crate::support::{get, grpc, http, platform};

#[tokio::test]
async fn the_variables_point_at_the_services() {
    let platform = platform();
    let env: std::collections::BTreeMap<_, _> = platform.env().into_iter().collect();
    let endpoints = platform.endpoints();
    assert_eq!(env["EXECUTION_TICKET_SERVICE_URL"], endpoints.tickets_url);
    assert_eq!(env["EXECUTION_TICKET_SERVICE_API"], "guide");
    assert_eq!(env["ORCHESTRATOR_GRPC_HOST"], "127.0.0.1");
    assert_eq!(env["ORCHESTRATOR_GRPC_PORT"], endpoints.orchestrator.port().to_string());
    assert_eq!(env["ORCHESTRATOR_GRPC_USE_TLS"], "false");
    assert_eq!((env["OPA_HOST"].as_str(), &env["OPA_PORT"]), ("127.0.0.1", &endpoints.opa.port().to_string()));
    assert_eq!(env["KUBERNETES_API_URL"], endpoints.kubernetes_url);
    assert_eq!(env["KUBERNETES_NAMESPACE"], heal_sandbox::seed::NAMESPACE);
}

#[tokio::test]
async fn a_used_port_is_named_in_the_error() {
    let first = platform();
    let port = first.endpoints().opa.port();
    let tickets = TicketsConfig { port, ..TicketsConfig::default() };
    let error = Platform::start(PlatformConfig { tickets, ..PlatformConfig::default() }).unwrap_err();
    assert_eq!(error.to_string(), format!("tickets: cannot listen on 127.0.0.1:{port}"));
}

#[tokio::test]
async fn an_invalid_configuration_names_its_field() {
    for prefix in ["api", "/a?b", "/a b", "/%61"] {
        let tickets = TicketsConfig { prefix: prefix.to_owned(), ..TicketsConfig::default() };
        let error = Platform::start(PlatformConfig { tickets, ..PlatformConfig::default() }).unwrap_err();
        assert!(matches!(error, StartError::Prefix { .. }), "{prefix}");
    }
    let twice = Ticket::new("a", TicketStatus::Pending);
    let seed = Seed { tickets: vec![twice.clone(), twice], ..Seed::default() };
    let error = Platform::start(PlatformConfig { seed, ..PlatformConfig::default() }).unwrap_err();
    assert!(matches!(error, StartError::Seed(SeedError::Twice { .. })));
    assert_eq!(error.to_string(), "seed: tickets[1].ticket_id: duplicate id `a`");
}

#[tokio::test]
async fn the_ports_can_be_reused_after_shutdown() {
    let platform = platform();
    let url = platform.endpoints().tickets_url;
    let port = url.rsplit(':').next().unwrap().parse().unwrap();
    // An open connection does not keep the platform running.
    let client = http();
    client.get(format!("{url}/health")).send().await.unwrap();
    platform.shutdown().await;
    assert!(http().get(format!("{url}/health")).send().await.unwrap_err().is_connect());
    let tickets = TicketsConfig { port, ..TicketsConfig::default() };
    let again = Platform::start(PlatformConfig { tickets, ..PlatformConfig::default() }).unwrap();
    assert_eq!(get(&format!("{url}/health")).await.0, 200);
    drop(again);
    assert!(http().get(format!("{url}/health")).send().await.unwrap_err().is_connect());
}

#[tokio::test]
async fn a_seed_replaces_all_state_and_stored_responses() {
    let platform = platform();
    let url = format!("{}/tickets/ticket-1/reallocate", platform.endpoints().tickets_url);
    let reallocate = || http().post(&url).header("idempotency-key", "k").body(r#"{"reason": "r"}"#).send();
    reallocate().await.unwrap();
    platform.seed(Seed::healthy_worker()).unwrap();
    assert_eq!(platform.ticket("ticket-1").unwrap().status, TicketStatus::Running);
    assert!(platform.pods().iter().all(|pod| pod.ready && !pod.uid.is_empty()));
    reallocate().await.unwrap();
    assert_eq!(platform.effects().len(), 2);
    platform.forget_calls();
    assert!(platform.calls().is_empty());
    reallocate().await.unwrap();
    assert_eq!(platform.calls()[0].seq, 3);
}

#[test]
fn a_start_outside_of_a_runtime_fails() {
    let error = Platform::start(PlatformConfig::default()).unwrap_err();
    assert_eq!(error.to_string(), "no tokio runtime to serve on");
}

#[tokio::test]
async fn the_journal_keeps_the_beginning_of_a_long_body() {
    let platform = platform();
    let long = "r".repeat(100_000);
    let url = format!("{}/tickets/ticket-1/reallocate", platform.endpoints().tickets_url);
    http().post(url).json(&serde_json::json!({"reason": long})).send().await.unwrap();
    let pause = heal_proto::PauseWorkflowRequest {
        workflow_id: "wf-running".to_owned(),
        reason: long.clone(),
        ..Default::default()
    };
    grpc(&platform).pause_workflow(pause).await.unwrap();
    let calls = platform.effects();
    assert_eq!(calls.len(), 2);
    for call in calls {
        assert_eq!(call.body.len(), heal_sandbox::journal::BODY_KEPT_BYTES);
        assert!(call.body.contains("reason"));
    }
    // The call was performed with the whole body.
    assert_eq!(platform.ticket("ticket-1").unwrap().carried["reason"], long);
}
