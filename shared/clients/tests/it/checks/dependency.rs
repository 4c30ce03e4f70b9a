//! Probe of the services that the engine depends on.

use std::sync::Arc;

use heal_clients::Wiring;
use heal_clients::checks::Prober;
use heal_runtime::checks::{Dependency, Observation, Probe, Service, StuckWorkflows};
use heal_sandbox::orchestrator::{OrchestratorConfig, UnknownWorkflow};
use heal_sandbox::{Fault, Platform, PlatformConfig, Seed};

use super::{failing, observe, outages, prober, start, unknown};
use crate::support::mtls::{authority, serve};
use crate::support::platform_config;

fn probe(service: Service) -> Probe {
    Probe::Dependency(Dependency { service, timeout_seconds: 1 })
}

const STAND_INS: [(Service, heal_sandbox::Service); 3] = [
    (Service::TicketService, heal_sandbox::Service::Tickets),
    (Service::Orchestrator, heal_sandbox::Service::Orchestrator),
    (Service::Opa, heal_sandbox::Service::Opa),
];

#[tokio::test]
async fn services_that_respond_pass() {
    let (platform, prober) = start(Seed::default());
    for (service, _) in STAND_INS {
        assert_eq!(observe(&prober, &probe(service)).await, Observation::well(), "{service:?}");
    }
    assert!(platform.effects().is_empty());
}

#[tokio::test]
async fn an_outage_fails_only_its_service_and_ends_when_the_service_recovers() {
    let (platform, prober) = start(Seed::default());
    for (service, stand_in) in STAND_INS {
        for fault in outages() {
            platform.set_fault(Fault::new(stand_in, fault.clone())).unwrap();
            for (other, _) in STAND_INS {
                let observation = observe(&prober, &probe(other)).await;
                if other == service {
                    let failing = failing(&probe(service), observation);
                    assert_eq!(
                        (failing.id.as_str(), &failing.fields["service"]),
                        (service.as_str(), &service.as_str().into())
                    );
                } else {
                    assert_eq!(observation, Observation::well(), "{other:?} while {service:?} has {fault:?}");
                }
            }
            platform.clear_faults();
            assert_eq!(observe(&prober, &probe(service)).await, Observation::well(), "{service:?} after {fault:?}");
        }
    }
}

#[tokio::test]
async fn an_open_breaker_hides_no_recovery() {
    let (platform, prober) = start(Seed::default());
    platform.set_fault(Fault::new(heal_sandbox::Service::Orchestrator, heal_sandbox::FaultKind::Refuse)).unwrap();
    for _ in 0..10 {
        failing(&probe(Service::Orchestrator), observe(&prober, &probe(Service::Orchestrator)).await);
    }
    platform.clear_faults();
    assert_eq!(observe(&prober, &probe(Service::Orchestrator)).await, Observation::well());
}

#[tokio::test]
async fn both_responses_about_an_unknown_workflow_pass() {
    for unknown_workflow in [UnknownWorkflow::NotFound, UnknownWorkflow::Unspecified] {
        let orchestrator = OrchestratorConfig { unknown_workflow, ..OrchestratorConfig::default() };
        let platform = Platform::start(PlatformConfig { orchestrator, ..PlatformConfig::default() }).unwrap();
        let prober = prober(&platform, &[]);
        assert_eq!(observe(&prober, &probe(Service::Orchestrator)).await, Observation::well());
    }
}

#[tokio::test]
async fn without_an_identity_the_orchestrator_is_unknown() {
    let ca = authority();
    let server =
        ca.issue(heal_sandbox::spiffe_ca::ORCHESTRATOR_ID, heal_sandbox::spiffe_ca::Validity::default()).unwrap();
    let platform = serve(server.server_tls(), |_| {});
    let missing = heal_clients::config::PemPaths {
        chain: "nowhere.pem".into(),
        key: "nowhere.key".into(),
        bundle: "nowhere.ca".into(),
        jwt: None,
    };
    let identity = Arc::new(heal_clients::identity::PemFiles::new(missing, heal_sandbox::spiffe_ca::TRUST_DOMAIN));
    let prober = Prober::new(&platform_config(&platform), &Wiring { identity, ..Wiring::default() });
    let reason = unknown(observe(&prober, &probe(Service::Orchestrator)).await);
    assert!(reason.contains("no_identity"), "{reason}");
}

#[tokio::test]
async fn a_client_with_invalid_configuration_fails_only_the_probes_that_need_it() {
    let (platform, _) = start(Seed::default());
    let prober = prober(&platform, &[("ORCHESTRATOR_GRPC_USE_TLS", "true"), ("SPIFFE_IDENTITY_SOURCE", "none")]);
    let stuck = Probe::StuckWorkflows(StuckWorkflows {
        workflow_ids: vec!["wf-1".to_owned()],
        state: "PAUSED".to_owned(),
        stuck_seconds: 1,
        limit: 1,
        timeout_seconds: 5,
    });
    for needs_it in [probe(Service::Orchestrator), stuck] {
        let reason = unknown(observe(&prober, &needs_it).await);
        assert!(reason.contains("SPIFFE_IDENTITY_SOURCE"), "{reason}");
    }
    for other in [Service::TicketService, Service::Opa] {
        assert_eq!(observe(&prober, &probe(other)).await, Observation::well());
    }
}

#[tokio::test]
async fn a_disabled_policy_server_passes_without_a_call() {
    let (platform, _) = start(Seed::default());
    platform.set_fault(Fault::new(heal_sandbox::Service::Opa, heal_sandbox::FaultKind::Refuse)).unwrap();
    for switched_off in [("OPA_ENABLED", "false"), ("OPA_HOST", "")] {
        let prober = prober(&platform, &[switched_off]);
        assert_eq!(observe(&prober, &probe(Service::Opa)).await, Observation::well(), "{switched_off:?}");
    }
    assert!(platform.calls().is_empty());
}
