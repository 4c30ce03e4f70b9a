//! Probe of gRPC's health service.

use heal_clients::Wiring;
use heal_clients::checks::Prober;
use heal_runtime::checks::{GrpcHealth, Observation, Probe};
use heal_sandbox::orchestrator::OrchestratorConfig;
use heal_sandbox::spiffe_ca::{ORCHESTRATOR_ID, Validity};
use heal_sandbox::{Fault, FaultKind, Platform, PlatformConfig, Seed, Service};

use super::{failing, observe, prober, start, unknown};
use crate::identity::engine;
use crate::support::mtls::{authority, serve};
use crate::support::platform_config;
use crate::support::wire::closed_port;

const SERVICE: &str = "orchestrator.OrchestratorStrategic";

fn probe(platform: &Platform, service: &str) -> GrpcHealth {
    let address = platform.endpoints().orchestrator;
    GrpcHealth {
        host: address.ip().to_string(),
        port: address.port(),
        service: service.to_owned(),
        tls: false,
        spiffe_id: None,
        timeout_seconds: 1,
    }
}

#[tokio::test]
async fn a_serving_server_and_service_pass() {
    let (platform, prober) = start(Seed::default());
    for service in ["", SERVICE] {
        let probe = Probe::GrpcHealth(probe(&platform, service));
        assert_eq!(observe(&prober, &probe).await, Observation::well(), "{service:?}");
    }
    let called: Vec<(String, String)> =
        platform.calls().into_iter().map(|call| (call.operation, call.target)).collect();
    assert_eq!(called, [("Check".to_owned(), String::new()), ("Check".to_owned(), SERVICE.to_owned())]);
}

#[tokio::test]
async fn a_service_that_does_not_serve_fails_apart_from_its_server() {
    let orchestrator = OrchestratorConfig { not_serving: vec![SERVICE.to_owned()], ..OrchestratorConfig::default() };
    let platform = Platform::start(PlatformConfig { orchestrator, ..PlatformConfig::default() }).unwrap();
    let prober = prober(&platform, &[]);
    assert_eq!(observe(&prober, &Probe::GrpcHealth(probe(&platform, ""))).await, Observation::well());
    let probe = Probe::GrpcHealth(probe(&platform, SERVICE));
    let found = failing(&probe, observe(&prober, &probe).await);
    let address = platform.endpoints().orchestrator;
    assert_eq!(found.id, format!("{address}/{SERVICE}"));
    assert_eq!((&found.fields["status"], &found.fields["service"]), (&"NOT_SERVING".into(), &SERVICE.into()));
    assert_eq!(found.reason, format!("{SERVICE} of {address}: it is NOT_SERVING"));
}

#[tokio::test]
async fn a_service_that_the_server_does_not_know_fails() {
    let (platform, prober) = start(Seed::default());
    let probe = Probe::GrpcHealth(probe(&platform, "no.Such"));
    let found = failing(&probe, observe(&prober, &probe).await);
    assert!(found.reason.ends_with("NOT_FOUND: unknown service"), "{}", found.reason);
}

#[tokio::test]
async fn a_server_that_is_down_hangs_or_errs_fails() {
    let (platform, prober) = start(Seed::default());
    let probe = Probe::GrpcHealth(probe(&platform, ""));
    let unavailable = FaultKind::GrpcStatus { code: "UNAVAILABLE".to_owned(), message: "told to".to_owned() };
    for fault in [
        FaultKind::Refuse,
        FaultKind::Hang,
        FaultKind::DropAnswer,
        FaultKind::Status { code: 500, retry_after_seconds: None },
        unavailable,
        FaultKind::HugeBody { bytes: 100 << 20 },
    ] {
        platform.set_fault(Fault::new(Service::Orchestrator, fault.clone())).unwrap();
        let found = failing(&probe, observe(&prober, &probe).await);
        assert_eq!(found.fields["status"], serde_json::Value::Null, "{fault:?}");
        platform.clear_faults();
        assert_eq!(observe(&prober, &probe).await, Observation::well(), "after {fault:?}");
    }
    let closed = closed_port().await;
    let closed = GrpcHealth { port: closed.port(), host: closed.ip().to_string(), ..self::probe(&platform, "") };
    let closed = Probe::GrpcHealth(closed);
    failing(&closed, observe(&prober, &closed).await);
}

#[tokio::test]
async fn a_server_that_does_not_report_its_health_or_denies_the_call_is_unknown() {
    let (platform, prober) = start(Seed::default());
    let probe = Probe::GrpcHealth(probe(&platform, ""));
    for code in ["UNIMPLEMENTED", "PERMISSION_DENIED", "UNAUTHENTICATED"] {
        let fault = FaultKind::GrpcStatus { code: code.to_owned(), message: "no".to_owned() };
        platform.set_fault(Fault::new(Service::Orchestrator, fault)).unwrap();
        let reason = unknown(observe(&prober, &probe).await);
        assert!(reason.contains(code), "{reason}");
    }
}

#[tokio::test]
async fn over_tls_the_server_is_verified_and_the_engine_authenticates() {
    let ca = authority();
    let server = ca.issue(ORCHESTRATOR_ID, Validity::default()).unwrap();
    let platform = serve(server.server_tls(), |_| {});
    let (_folder, identity) = engine(&ca);
    let prober = Prober::new(&platform_config(&platform), &Wiring { identity, ..Wiring::default() });
    let tls = |spiffe_id: Option<&str>| {
        Probe::GrpcHealth(GrpcHealth { tls: true, spiffe_id: spiffe_id.map(ToOwned::to_owned), ..probe(&platform, "") })
    };
    for right in [None, Some(ORCHESTRATOR_ID)] {
        assert_eq!(observe(&prober, &tls(right)).await, Observation::well(), "{right:?}");
    }
    let other = tls(Some("spiffe://neural-hive.local/ns/a/sa/other"));
    let reason = unknown(observe(&prober, &other).await);
    assert!(reason.contains(&format!("observed {ORCHESTRATOR_ID}")), "another server is no failing one: {reason}");
    let callers = platform.calls().into_iter().filter(|call| call.operation == "Check").map(|call| call.spiffe_id);
    assert!(callers.into_iter().all(|id| id.as_deref() == Some(crate::support::mtls::ENGINE_ID)));
}

#[tokio::test]
async fn tls_without_an_identity_is_unknown() {
    let (platform, prober) = start(Seed::default());
    let probe = Probe::GrpcHealth(GrpcHealth { tls: true, ..probe(&platform, "") });
    unknown(observe(&prober, &probe).await);
    assert!(platform.calls().is_empty());
}
