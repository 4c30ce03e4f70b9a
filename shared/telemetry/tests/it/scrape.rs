//! Prometheus' text format.

use heal_telemetry::export::{CONTENT_TYPE, Setup};
use heal_telemetry::metrics::{Id, Kind};

use crate::support::{count_all, names, settings};

#[test]
fn a_scrape_is_in_prometheus_text_format() {
    let telemetry = Setup::new(settings(&[])).with_scrape().build().unwrap();
    let metrics = telemetry.metrics().with_names(names());
    metrics.count(Id::TicketReallocation, &["success", "timeout_recovery"]);
    metrics.count(Id::TicketReallocation, &["success", "because \"I\" say so\n"]);
    metrics.count(Id::TicketReallocation, &["success", "another"]);
    metrics.observe(Id::OrchestratorCallDuration, 0.02, &["pause_workflow"]);
    metrics.observe(Id::OrchestratorCallDuration, 40.0, &["pause_workflow"]);
    metrics.set(Id::BreakerState, 2, &["opa"]);
    metrics.set(Id::BreakerState, 0, &["opa"]);
    let version = env!("CARGO_PKG_VERSION");
    let expected = format!(
        r#"# HELP self_healing_build_info 1, for this build of this service
# TYPE self_healing_build_info gauge
self_healing_build_info{{service="dispatcher",version="{version}"}} 1
# HELP self_healing_circuit_breaker_state Circuit breaker of a service: 0 closed, 1 half open, 2 open
# TYPE self_healing_circuit_breaker_state gauge
self_healing_circuit_breaker_state{{service="opa"}} 0
# HELP self_healing_orchestrator_call_duration_seconds gRPC call duration
# TYPE self_healing_orchestrator_call_duration_seconds histogram
self_healing_orchestrator_call_duration_seconds_bucket{{operation="pause_workflow",le="0.005"}} 0
self_healing_orchestrator_call_duration_seconds_bucket{{operation="pause_workflow",le="0.01"}} 0
self_healing_orchestrator_call_duration_seconds_bucket{{operation="pause_workflow",le="0.025"}} 1
self_healing_orchestrator_call_duration_seconds_bucket{{operation="pause_workflow",le="0.05"}} 1
self_healing_orchestrator_call_duration_seconds_bucket{{operation="pause_workflow",le="0.1"}} 1
self_healing_orchestrator_call_duration_seconds_bucket{{operation="pause_workflow",le="0.25"}} 1
self_healing_orchestrator_call_duration_seconds_bucket{{operation="pause_workflow",le="0.5"}} 1
self_healing_orchestrator_call_duration_seconds_bucket{{operation="pause_workflow",le="1"}} 1
self_healing_orchestrator_call_duration_seconds_bucket{{operation="pause_workflow",le="2.5"}} 1
self_healing_orchestrator_call_duration_seconds_bucket{{operation="pause_workflow",le="5"}} 1
self_healing_orchestrator_call_duration_seconds_bucket{{operation="pause_workflow",le="10"}} 1
self_healing_orchestrator_call_duration_seconds_bucket{{operation="pause_workflow",le="30"}} 1
self_healing_orchestrator_call_duration_seconds_bucket{{operation="pause_workflow",le="+Inf"}} 2
self_healing_orchestrator_call_duration_seconds_sum{{operation="pause_workflow"}} 40.02
self_healing_orchestrator_call_duration_seconds_count{{operation="pause_workflow"}} 2
# HELP self_healing_ticket_reallocation_total Total ticket reallocations
# TYPE self_healing_ticket_reallocation_total counter
self_healing_ticket_reallocation_total{{reason="other",status="success"}} 2
self_healing_ticket_reallocation_total{{reason="timeout_recovery",status="success"}} 1
"#
    );
    assert_eq!(telemetry.exposition().unwrap(), expected);
    assert!(CONTENT_TYPE.starts_with("text/plain; version=0.0.4"), "{CONTENT_TYPE}");
}

#[test]
fn every_metric_of_the_table_has_its_own_name_and_type() {
    let telemetry = Setup::new(settings(&[])).with_scrape().build().unwrap();
    count_all(&telemetry.metrics().with_names(names()));
    let text = telemetry.exposition().unwrap();
    for id in Id::ALL {
        let metric = id.metric();
        let kind = match metric.kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram(_) => "histogram",
        };
        let line = format!("# TYPE {} {kind}", metric.name);
        assert!(text.lines().any(|it| it == line), "{line}\n{text}");
    }
    assert_eq!(text.matches("# TYPE ").count(), Id::ALL.len());
}

#[test]
fn every_counter_is_zero_before_its_first_event() {
    let telemetry = Setup::new(settings(&[])).with_scrape().build().unwrap();
    let metrics = telemetry.metrics().with_names(names());
    metrics.show_zeros();
    let shown = telemetry.exposition().unwrap();
    for id in Id::ALL.iter().filter(|id| id.metric().kind == Kind::Counter) {
        let start = format!("{}{{", id.metric().name);
        let mut series = shown.lines().filter(|line| line.starts_with(&start)).peekable();
        assert!(series.peek().is_some(), "no {start} in\n{shown}");
        assert!(series.all(|line| line.ends_with(" 0")), "{shown}");
    }
    // An event neither adds nor removes a series.
    metrics.count(Id::Incidents, &["rejected"]);
    let counted = telemetry.exposition().unwrap();
    assert_eq!(counted.lines().count(), shown.lines().count(), "{counted}");
    assert!(counted.lines().any(|line| line == r#"self_healing_incidents_total{result="rejected"} 1"#), "{counted}");
}
