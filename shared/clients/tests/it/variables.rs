//! The environment variables that bound a call take effect on the socket.

use std::collections::BTreeMap;
use std::time::Duration;

use heal_clients::config::Config;
use heal_clients::{CallContext, Error, OutageKind, Wiring, orchestrator, tickets};
use heal_sandbox::{Fault, FaultKind, Platform, PlatformConfig, Service};
use tokio::time::Instant;

/// Well under every default timeout, and well over the configured second.
const PATIENCE: Duration = Duration::from_secs(5);

fn config(platform: &Platform, own: &[(&str, &str)]) -> Config {
    let mut env: BTreeMap<String, String> = platform.env().into_iter().collect();
    env.insert("SPIFFE_IDENTITY_SOURCE".to_owned(), "none".to_owned());
    env.extend(own.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    Config::read(&env).unwrap()
}

fn outage(error: &Error) -> OutageKind {
    match error {
        Error::Unavailable(outage) => outage.kind,
        Error::Refused(_) | Error::Misconfigured(_) | Error::Invalid { .. } => {
            panic!("expected an outage, got {error}")
        }
    }
}

#[tokio::test]
async fn the_timeouts_of_the_ticket_service_and_the_orchestrator_come_from_their_variables() {
    let platform = Platform::start(PlatformConfig::default()).unwrap();
    for service in [Service::Tickets, Service::Orchestrator] {
        platform.set_fault(Fault::new(service, FaultKind::Hang)).unwrap();
    }
    let own = [("EXECUTION_TICKET_SERVICE_TIMEOUT", "1"), ("ORCHESTRATOR_GRPC_TIMEOUT_SECONDS", "1")];
    let config = config(&platform, &own);
    let context = CallContext::within(Duration::from_mins(1));
    let tickets = tickets::Client::new(&config.tickets, &Wiring::default()).unwrap();
    let orchestrator = orchestrator::Client::new(&config.orchestrator, &Wiring::default()).unwrap();

    let started = Instant::now();
    let (ticket, status) = tokio::join!(
        tickets.get_ticket("ticket-1", &context),
        orchestrator.get_workflow_status("wf-1", false, &context)
    );
    assert_eq!(outage(&ticket.unwrap_err()), OutageKind::Timeout);
    assert_eq!(outage(&status.unwrap_err()), OutageKind::Timeout);
    let took = started.elapsed();
    assert!(took >= Duration::from_secs(1) && took < PATIENCE, "{took:?}");
}

#[tokio::test]
async fn the_breakers_open_after_the_configured_number_of_failures() {
    let platform = Platform::start(PlatformConfig::default()).unwrap();
    for service in [Service::Tickets, Service::Orchestrator] {
        platform.set_fault(Fault::new(service, FaultKind::Refuse)).unwrap();
    }
    let own = [
        ("EXECUTION_TICKET_CIRCUIT_BREAKER_THRESHOLD", "2"),
        ("EXECUTION_TICKET_CIRCUIT_BREAKER_RESET_SECONDS", "900"),
        ("ORCHESTRATOR_CIRCUIT_BREAKER_THRESHOLD", "2"),
        ("ORCHESTRATOR_CIRCUIT_BREAKER_RESET_SECONDS", "900"),
    ];
    let config = config(&platform, &own);
    let context = CallContext::within(PATIENCE);
    let tickets = tickets::Client::new(&config.tickets, &Wiring::default()).unwrap();
    let orchestrator = orchestrator::Client::new(&config.orchestrator, &Wiring::default()).unwrap();
    let expected = [OutageKind::Connect, OutageKind::Connect, OutageKind::BreakerOpen];
    for kind in expected {
        assert_eq!(outage(&tickets.get_ticket("ticket-1", &context).await.unwrap_err()), kind);
        assert_eq!(outage(&orchestrator.get_workflow_status("wf-1", false, &context).await.unwrap_err()), kind);
    }
    let refused = tickets.get_ticket("ticket-1", &context).await.unwrap_err();
    assert!(refused.retry_after().is_some_and(|wait| wait > Duration::from_mins(14)), "{refused:?}");
}
