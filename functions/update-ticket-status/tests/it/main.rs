//! `update_ticket_status` over real sockets, through the attempt that every action goes through.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    missing_debug_implementations
)]

mod evidence;

use heal_rig::rig::{Rig, TRACEPARENT, denied, failed, no_op, of_run, output, short, unavailable};
use heal_rig::{logs, rig};
use heal_runtime::action::CallMetric;
use heal_runtime::attempt::Worker;
use heal_runtime::observe::Prevented;
use heal_runtime::{ActionCommand, AttemptOutcome};
use heal_sandbox::seed::Seed;
use heal_sandbox::tickets::{Dialect, Ticket, TicketStatus, TicketsConfig};
use heal_sandbox::{Fault, FaultKind, PlatformConfig, Service};
use heal_update_ticket_status::{UpdateTicketStatus, spec};
use serde_json::{Value, json};
use tokio::time::Instant;

fn worker(rig: &Rig) -> Worker {
    rig.worker(UpdateTicketStatus::new(rig.tickets(), rig.clock()))
}

fn deployed() -> Rig {
    Rig::with(PlatformConfig::like_deployed())
}

fn to(rig: &Rig, status: &str) -> ActionCommand {
    rig.command(&spec(), json!({"ticket_id": "ticket-1", "status": status}))
}

fn bodies(rig: &Rig) -> Vec<Value> {
    rig.calls_of("update_ticket").iter().map(|call| serde_json::from_str(&call.body).unwrap()).collect()
}

#[tokio::test]
async fn a_status_is_written_in_upper_case_and_recorded() {
    logs::collect();
    let rig = Rig::new();
    let result = rig.perform(&worker(&rig), &to(&rig, "pending")).await;
    assert_eq!(result.outcome, AttemptOutcome::Succeeded);
    assert_eq!(result.output, output(json!({"status": "PENDING", "previous_status": "RUNNING"})));
    assert_eq!(rig.operations(), ["get_ticket", "update_ticket"]);
    let metadata = json!({"updated_by": "self-healing-engine", "workflow_id": "wf-1", "incident_id": "INC-1"});
    assert_eq!(bodies(&rig), [json!({"status": "PENDING", "metadata": metadata})]);
    assert_eq!(rig.platform.ticket("ticket-1").unwrap().status, TicketStatus::Pending);
    for call in rig.platform.calls() {
        assert_eq!(call.key.as_deref(), Some("run-1/heal/1"));
        assert_eq!(call.traceparent.as_deref(), Some(TRACEPARENT));
    }
    let lines = logs::of("ticket_status_updated");
    assert_eq!(lines.len(), 1);
    logs::assert_common_fields(&lines[0], "update_ticket_status");
}

#[tokio::test]
async fn a_status_that_the_ticket_has_already_is_written_where_the_service_records_who_asked() {
    let rig = Rig::new();
    let result = rig.perform(&worker(&rig), &to(&rig, "Running")).await;
    assert_eq!(result.outcome, AttemptOutcome::Succeeded);
    assert_eq!(rig.calls_of("update_ticket").len(), 1);

    let rig = deployed();
    let result = rig.perform(&worker(&rig), &to(&rig, "Running")).await;
    assert!(no_op(&result).contains("is RUNNING already"), "{result:?}");
    assert_eq!(result.output, output(json!({"status": "RUNNING", "previous_status": "RUNNING"})));
    let parameters = json!({"ticket_id": "ticket-1", "status": "running", "error_message": "slow"});
    let result = rig.perform(&worker(&rig), &of_run(&rig.command(&spec(), parameters), "run-2")).await;
    assert_eq!((result.outcome, rig.platform.effects().len()), (AttemptOutcome::Succeeded, 1), "a message is new");
}

#[tokio::test]
async fn every_status_is_taken_in_any_case_and_no_other() {
    for status in ["PENDING", "running", "Completed", "fAILED", "compensating", "COMPENSATED"] {
        let rig = Rig::new();
        let result = rig.perform(&worker(&rig), &to(&rig, status)).await;
        assert_eq!(result.output["status"], status.to_uppercase());
    }
    let rig = Rig::new();
    let result = rig.perform(&worker(&rig), &to(&rig, "done")).await;
    let (code, message) = failed(&result);
    assert_eq!(code, "bad_parameters");
    for status in ["\"done\"", "pending", "running", "completed", "failed", "compensating", "compensated"] {
        assert!(message.contains(status), "{message}");
    }
    assert!(rig.platform.calls().is_empty());
}

#[tokio::test]
async fn result_error_and_metadata_go_with_it() {
    let cases = [
        (json!({"result": {"a": [1]}}), json!({"a": [1]})),
        (json!({"error_message": "gone"}), json!({"error_message": "gone"})),
        (json!({"result": {"a": 1}, "error_message": "gone"}), json!({"a": 1, "error_message": "gone"})),
        (json!({"result": [1, 2]}), json!([1, 2])),
        (json!({"result": 7, "error_message": "gone"}), json!({"result": 7, "error_message": "gone"})),
    ];
    for (given, expected) in cases {
        let rig = Rig::new();
        let mut parameters = json!({"ticket_id": "ticket-1", "status": "failed",
            "metadata": {"team": "blue", "updated_by": "forged"}});
        parameters.as_object_mut().unwrap().extend(given.as_object().unwrap().clone());
        rig.perform(&worker(&rig), &rig.command(&spec(), parameters)).await;
        let bodies = bodies(&rig);
        assert_eq!(bodies[0]["result"], expected);
        assert_eq!(bodies[0]["metadata"]["team"], "blue");
        assert_eq!(bodies[0]["metadata"]["updated_by"], "self-healing-engine");
    }
}

#[tokio::test]
async fn the_service_as_deployed_today_gets_the_fields_that_it_knows() {
    let tickets = TicketsConfig { dialect: Dialect::StatusPatch, ..TicketsConfig::default() };
    let rig = Rig::with(PlatformConfig { tickets, ..PlatformConfig::default() });
    let parameters = json!({"ticket_id": "ticket-1", "status": "failed", "error_message": "worker gone"});
    let result = rig.perform(&worker(&rig), &rig.command(&spec(), parameters)).await;
    assert_eq!(result.output, output(json!({"status": "FAILED", "previous_status": "RUNNING"})));
    let calls = rig.calls_of("update_ticket_status");
    let body: Value = serde_json::from_str(&calls[0].body).unwrap();
    assert_eq!(body, json!({"status": "FAILED", "error_message": "worker gone"}));
}

#[tokio::test]
async fn a_ticket_that_does_not_exist_is_a_failure() {
    logs::collect();
    let rig = Rig::new();
    let command = rig.command(&spec(), json!({"ticket_id": "ticket-9", "status": "pending"}));
    assert_eq!(failed(&rig.perform(&worker(&rig), &command).await).0, "not_found");
    assert_eq!(logs::of("update_ticket_status_failed").len(), 1);
}

#[tokio::test]
async fn a_refusal_is_a_failure() {
    let rig = Rig::new();
    rig.fault(Service::Tickets, "update_ticket", FaultKind::Status { code: 409, retry_after_seconds: None });
    let result = rig.perform(&worker(&rig), &to(&rig, "pending")).await;
    assert_eq!(failed(&result).0, "precondition_failed");
    assert!(result.follow_up.is_empty());
}

#[tokio::test]
async fn a_service_out_of_reach_is_skipped_with_what_a_person_has_to_do() {
    let error = FaultKind::Status { code: 503, retry_after_seconds: Some(2) };
    for (operation, fault) in [
        (None, FaultKind::Refuse),
        (Some("get_ticket"), FaultKind::Hang),
        (Some("update_ticket"), FaultKind::Hang),
        (Some("get_ticket"), error.clone()),
        (Some("update_ticket"), error),
    ] {
        logs::collect();
        let rig = Rig::new();
        let fault = Fault { operation: operation.map(str::to_owned), ..Fault::new(Service::Tickets, fault) };
        rig.platform.set_fault(fault.clone()).unwrap();
        let started = Instant::now();
        let result = rig.perform(&worker(&rig), &short(&rig, to(&rig, "pending"))).await;
        assert!(started.elapsed() < rig::SHORTLY, "{fault:?}");
        assert_eq!(unavailable(&result).0, "execution-ticket-service");
        assert_eq!(result.follow_up.len(), 1);
        for part in ["\"ticket-1\"", "PENDING"] {
            assert!(result.follow_up[0].contains(part), "{fault:?}: {:?}", result.follow_up);
        }
        assert_eq!(logs::of("execution_ticket_client_unavailable").len(), 1, "{fault:?}");
        assert!(rig.platform.effects().is_empty());
    }
}

#[tokio::test]
async fn an_effect_whose_answer_is_too_late_is_read_from_the_ticket() {
    let rig = Rig::new();
    rig.fault(Service::Tickets, "update_ticket", FaultKind::Slow { by_ms: 60_000 });
    let started = Instant::now();
    let result = rig.perform(&worker(&rig), &short(&rig, to(&rig, "failed"))).await;
    assert!(started.elapsed() < rig::SHORTLY);
    assert_eq!((result.outcome, result.warnings.len()), (AttemptOutcome::Succeeded, 1));
}

#[tokio::test]
async fn the_policy_decides_first() {
    let rig = Rig::new();
    rig.policy.decide_by(|_| rig::deny("hands_off"));
    let result = rig.perform(&worker(&rig), &to(&rig, "pending")).await;
    assert_eq!(denied(&result), ["hands_off"]);
    let metric = CallMetric::TicketStatusUpdate { new_status: "PENDING".to_owned() };
    assert_eq!(rig.recorder.prevented(), [(metric, Prevented::Denied)]);
    assert!(rig.platform.effects().is_empty());
    let asked = &rig.policy.asked()[0].resource;
    assert_eq!((asked.action.as_str(), asked.ticket_id.as_str()), ("update_ticket_status", "ticket-1"));
    assert_eq!(rig.policy.asked()[0].context.ticket_status, "RUNNING");
}

#[tokio::test]
async fn the_shipped_policy_allows_a_named_ticket_and_denies_a_blank_one() {
    let seed = Seed { tickets: vec![Ticket::new(" ", TicketStatus::Running)], ..Seed::healthy_worker() };
    let rig = Rig::with(PlatformConfig { seed: seed.clone(), ..PlatformConfig::default() });
    let worker = rig.worker_under(UpdateTicketStatus::new(rig.tickets(), rig.clock()), rig.shipped_policy());
    let command = rig.command(&spec(), json!({"ticket_id": " ", "status": "pending"}));
    assert_eq!(denied(&rig.perform(&worker, &command).await), ["update_ticket_status_missing_ticket_id"]);
    rig.platform.seed(Seed::healthy_worker()).unwrap();
    let result = rig.perform(&worker, &of_run(&to(&rig, "pending"), "run-2")).await;
    assert_eq!(result.outcome, AttemptOutcome::Succeeded);
    assert!(result.warnings[0].contains("bundled policy"), "{:?}", result.warnings);
}

#[tokio::test]
async fn odd_text_is_verbatim_as_data_and_refused_as_a_path() {
    let odd = "{{ 7*7 }} ../ %2e%2e \r\n\u{202e}";
    let rig = Rig::new();
    let worker = worker(&rig);
    let parameters =
        json!({"ticket_id": "ticket-1", "status": "failed", "error_message": odd, "metadata": {"note": odd}});
    rig.perform(&worker, &rig.command(&spec(), parameters)).await;
    let bodies = bodies(&rig);
    assert_eq!([&bodies[0]["result"]["error_message"], &bodies[0]["metadata"]["note"]], [&Value::from(odd); 2]);
    rig.platform.forget_calls();
    for (number, id) in ["../", "%2e%2e", "a\r\nb", "a\u{202e}b"].iter().enumerate() {
        let command = rig.command(&spec(), json!({"ticket_id": id, "status": "failed"}));
        let result = rig.perform(&worker, &of_run(&command, &format!("odd-{number}"))).await;
        assert_eq!(failed(&result).0, "bad_parameters", "{id:?}");
    }
    assert!(rig.platform.calls().is_empty());
}
