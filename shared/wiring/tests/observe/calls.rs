//! Metrics of the clients: every status of every metric of the guide; and names from outside.

use std::time::Duration;

use heal_clients::Observer as _;
use heal_clients::breaker::State;
use heal_clients::observe::CallOutcome;
use heal_runtime::observe::Observer as _;
use heal_runtime::{AttemptOutcome, Timestamp};

use crate::rig::Rig;

const TOOK: Duration = Duration::from_millis(20);

#[test]
fn a_call_has_the_status_of_its_outcome() {
    let cases =
        [(CallOutcome::Success, "success"), (CallOutcome::Refused, "error"), (CallOutcome::Unavailable, "skipped")];
    for (outcome, status) in cases {
        let rig = Rig::new();
        rig.observer.ticket_reallocation(outcome, "worker_failure", TOOK);
        rig.observer.ticket_status_update(outcome, "COMPLETED");
        rig.observer.orchestrator_call("resume_workflow", outcome, TOOK);
        rig.observer.opa_validation("reallocate_ticket", "allow", "server", TOOK);
        let lines = [
            format!(r#"self_healing_ticket_reallocation_total{{reason="worker_failure",status="{status}"}} 1"#),
            r#"self_healing_ticket_reallocation_duration_seconds_bucket{le="0.025"} 1"#.to_owned(),
            format!(r#"self_healing_ticket_status_update_total{{new_status="COMPLETED",status="{status}"}} 1"#),
            format!(r#"self_healing_orchestrator_calls_total{{operation="resume_workflow",status="{status}"}} 1"#),
            r#"self_healing_orchestrator_call_duration_seconds_count{operation="resume_workflow"} 1"#.to_owned(),
            r#"self_healing_opa_validation_duration_seconds_count{source="server"} 1"#.to_owned(),
        ];
        rig.assert_series(&lines.each_ref().map(String::as_str));
    }
}

#[test]
fn an_attempt_has_the_status_of_its_ending() {
    let message = || "m".to_owned();
    let cases = [
        (AttemptOutcome::Succeeded, "success"),
        (AttemptOutcome::NoOp { reason: message() }, "success"),
        (AttemptOutcome::Denied { violations: Vec::new() }, "denied"),
        (AttemptOutcome::CoolingDown { target: "t".to_owned(), until: Timestamp(1), rule: None }, "denied"),
        (AttemptOutcome::Unavailable { service: "s".to_owned(), message: message(), retry_after_ms: None }, "skipped"),
        (AttemptOutcome::Failed { code: "c".to_owned(), message: message(), retryable: true }, "error"),
        (AttemptOutcome::TimedOut { message: message() }, "error"),
        (AttemptOutcome::Unknown { message: message() }, "error"),
    ];
    for (ending, status) in cases {
        let rig = Rig::new();
        rig.observer.attempt_ended("reallocate_ticket", &ending);
        let line = format!(r#"self_healing_attempts_total{{action="reallocate_ticket",status="{status}"}} 1"#);
        rig.assert_series(&[&line]);
    }
}

#[test]
fn what_comes_from_outside_makes_no_series_of_its_own() {
    let rig = Rig::new();
    for number in 0..1_000 {
        let name = format!("made-up-{number}");
        rig.observer.ticket_reallocation(CallOutcome::Success, &name, TOOK);
        rig.observer.ticket_status_update(CallOutcome::Success, &name);
        rig.observer.run_started(&name);
        rig.observer.attempt_ended(&name, &AttemptOutcome::Succeeded);
        rig.observer.budget_exceeded(&name);
    }
    rig.assert_series(&[
        r#"self_healing_ticket_reallocation_total{reason="other",status="success"} 1000"#,
        r#"self_healing_ticket_status_update_total{new_status="other",status="success"} 1000"#,
        r#"self_healing_runs_started_total{playbook="other"} 1000"#,
        r#"self_healing_attempts_total{action="other",status="success"} 1000"#,
        r#"self_healing_hop_budget_exceeded_total{playbook="other"} 1000"#,
    ]);
    assert!(!rig.telemetry.exposition().unwrap().contains("made-up"));
}

#[test]
fn a_breaker_is_told_by_number() {
    for (state, number) in [(State::Closed, 0), (State::HalfOpen, 1), (State::Open, 2)] {
        let rig = Rig::new();
        rig.observer.breaker_state("opa", state);
        rig.assert_series(&[&format!(r#"self_healing_circuit_breaker_state{{service="opa"}} {number}"#)]);
    }
}
