//! One ticket.

use heal_runtime::port::Clock as _;
use heal_runtime::{ActionCommand, AttemptOutcome};
use heal_sandbox::seed::Seed;
use heal_sandbox::tickets::{Dialect, Ticket, TicketStatus, TicketsConfig};
use heal_sandbox::{PlatformConfig, Service};
use serde_json::{Value, json};

use crate::rig::{self, Rig, TRACEPARENT, failed, of_run, output};
use crate::{body, logs, of_ticket, of_tickets, worker};

#[tokio::test]
async fn a_ticket_returns_to_the_queue() {
    logs::collect();
    let rig = Rig::new();
    let result = rig.perform(&worker(&rig), &of_ticket(&rig, "ticket-1")).await;
    assert_eq!(result.outcome, AttemptOutcome::Succeeded);
    let expected = json!({"reallocated": ["ticket-1"], "status": "PENDING", "previous_worker": "worker-1"});
    assert_eq!(result.output, output(expected));
    assert!(result.warnings.is_empty() && result.follow_up.is_empty(), "{result:?}");
    let ticket = rig.platform.ticket("ticket-1").unwrap();
    assert_eq!((ticket.status, ticket.assigned_worker), (TicketStatus::Pending, None));
    assert_eq!(rig.operations(), ["get_ticket", "reallocate_ticket"]);
    let lines = logs::of("ticket_reallocated");
    assert_eq!(lines.len(), 1);
    logs::assert_common_fields(&lines[0], "reallocate_ticket");
    assert_eq!(lines[0]["target_id"], "ticket-1");
}

#[tokio::test]
async fn the_tickets_record_says_who_did_it_and_why() {
    let rig = Rig::new();
    let given = json!({"ticket_id": "ticket-1", "reason": "timeout_recovery",
        "metadata": {"team": "blue", "reallocation_id": "forged", "incident_id": "forged"}});
    rig.perform(&worker(&rig), &rig.command(&heal_reallocate_ticket::spec(), given)).await;
    let calls = rig.calls_of("reallocate_ticket");
    assert_eq!(
        body(&calls[0]),
        json!({"reason": "timeout_recovery", "metadata": {
            "team": "blue",
            "reallocation_id": "run-1/heal/1",
            "reallocation_reason": "timeout_recovery",
            "reallocation_timestamp": "2027-01-15T08:00:00Z",
            "reallocation_source": "self-healing-engine",
            "previous_worker": "worker-1",
            "workflow_id": "wf-1",
            "incident_id": "INC-1",
        }})
    );
    for call in rig.platform.calls() {
        assert_eq!(call.key.as_deref(), Some("run-1/heal/1"), "{}", call.operation);
        assert_eq!(call.traceparent.as_deref(), Some(TRACEPARENT), "{}", call.operation);
    }
}

#[tokio::test]
async fn a_ticket_that_does_not_exist_is_a_failure() {
    logs::collect();
    let rig = Rig::new();
    let result = rig.perform(&worker(&rig), &of_ticket(&rig, "ticket-9")).await;
    assert_eq!(failed(&result).0, "not_found");
    assert_eq!(rig.operations(), ["get_ticket"]);
    assert!(rig.is_free("reallocate_ticket", "ticket-9").await);
    assert_eq!(logs::of("reallocate_ticket_failed").len(), 1);
}

#[tokio::test]
async fn a_call_that_names_no_ticket_or_no_reason_touches_nothing() {
    let rig = Rig::new();
    let many: Vec<String> = (0..=heal_reallocate_ticket::MAX_TICKETS).map(|number| format!("t-{number}")).collect();
    for (parameters, named) in [
        (json!({"reason": "r"}), "anyOf"),
        (json!({"ticket_id": "ticket-1"}), "reason"),
        (json!({"ticket_id": "ticket-1", "reason": ""}), "parameters/reason"),
        (json!({"ticket_id": "", "reason": "r"}), "parameters/ticket_id"),
        (json!({"ticket_id": 7, "reason": "r"}), "parameters/ticket_id"),
        (json!({"ticket_id": "ticket-1", "reason": "r", "tickets": []}), "tickets"),
        (json!({"affected_tickets": many, "reason": "r"}), "parameters/affected_tickets"),
    ] {
        let command = rig.command(&heal_reallocate_ticket::spec(), parameters.clone());
        let result = rig.perform(&worker(&rig), &rig::of_run(&command, named)).await;
        let (code, message) = failed(&result);
        assert_eq!(code, "bad_parameters");
        assert!(message.contains(named), "{parameters}: {message}");
    }
    assert!(rig.platform.calls().is_empty());
}

#[tokio::test]
async fn odd_text_arrives_verbatim_where_it_is_data() {
    let odd = "{{ 7*7 }} ../ %2e%2e \r\nX-Evil: 1 \u{202e}txt";
    let ids = ["{{ 7*7 }}", "a/b", "100%", "t?x#y"];
    let tickets = ids.map(|id| Ticket::new(id, TicketStatus::Running));
    let seed = Seed { tickets: tickets.into(), ..Seed::default() };
    let rig = Rig::with(PlatformConfig { seed, ..PlatformConfig::default() });
    for id in ids {
        let parameters = json!({"ticket_id": id, "reason": odd, "metadata": {"note": odd}});
        let command =
            rig::of_run(&rig.command(&heal_reallocate_ticket::spec(), parameters), &format!("run-{}", id.len()));
        let result = rig.perform(&worker(&rig), &command).await;
        assert_eq!(result.outcome, AttemptOutcome::Succeeded, "{id}");
        assert_eq!(result.output["reallocated"], json!([id]));
        let call = rig.calls_of("reallocate_ticket").pop().unwrap();
        assert_eq!(call.target, id);
        let body = body(&call);
        assert_eq!([&body["reason"], &body["metadata"]["note"]], [&Value::from(odd); 2]);
    }
    assert_eq!(rig.policy.asked()[0].resource.reason, odd);
}

#[tokio::test]
async fn an_id_that_would_be_another_path_is_refused_before_any_call() {
    let rig = Rig::new();
    for (number, id) in ["../", "..", "%2e%2e", "%252e%252e", "a/../b", "x\r\nHost: y", "a\u{202e}b"].iter().enumerate()
    {
        let command = rig::of_run(&of_ticket(&rig, id), &format!("run-{number}"));
        let result = rig.perform(&worker(&rig), &command).await;
        let (code, message) = failed(&result);
        assert_eq!(code, "bad_parameters", "{id:?}");
        assert!(message.starts_with("ticket_id: "), "{id:?}: {message}");
    }
    assert!(rig.platform.calls().is_empty());
}

#[tokio::test]
async fn the_service_as_deployed_today_gets_a_status_update() {
    let tickets = TicketsConfig { dialect: Dialect::StatusPatch, ..TicketsConfig::default() };
    let rig = Rig::with(PlatformConfig { tickets, ..PlatformConfig::default() });
    let result = rig.perform(&worker(&rig), &of_ticket(&rig, "ticket-1")).await;
    assert_eq!(result.outcome, AttemptOutcome::Succeeded);
    assert_eq!(result.output["previous_worker"], "worker-1");
    assert_eq!(rig.operations(), ["get_ticket", "update_ticket_status"]);
    assert_eq!(body(&rig.calls_of("update_ticket_status")[0])["status"], "PENDING");
}

#[tokio::test]
async fn a_command_that_comes_again_is_answered_again_and_touches_nothing() {
    let rig = Rig::new();
    let (worker, command) = (worker(&rig), of_ticket(&rig, "ticket-1"));
    let first = rig.perform(&worker, &command).await;
    let second = rig.perform(&worker, &command).await;
    assert_eq!(first, second);
    assert_eq!(rig.platform.calls().len(), 2);
    assert_eq!(rig.queues.pending(), 2, "each delivery is answered");
}

#[tokio::test]
async fn after_a_refusal_the_ticket_is_free() {
    let rig = Rig::new();
    let refusal = heal_sandbox::FaultKind::Status { code: 422, retry_after_seconds: None };
    rig.fault_times(Service::Tickets, "reallocate_ticket", refusal, 1);
    let (worker, command) = (worker(&rig), of_ticket(&rig, "ticket-1"));
    let result = rig.perform(&worker, &command).await;
    assert_eq!(failed(&result).0, "bad_request");
    assert!(rig.is_free("reallocate_ticket", "ticket-1").await);
    let again = rig.perform(&worker, &rig::of_run(&command, "run-2")).await;
    assert_eq!(again.outcome, AttemptOutcome::Succeeded);
}

#[tokio::test]
async fn a_ticket_is_left_alone_for_five_minutes() {
    let rig = Rig::new();
    let (worker, command) = (worker(&rig), of_ticket(&rig, "ticket-1"));
    let first_at = rig.clock.now();
    rig.perform(&worker, &command).await;
    rig.clock.advance_ms(299_999);
    let fresh = |run: &str| rig::of_run(&of_ticket(&rig, "ticket-1"), run);
    let result = rig.perform(&worker, &fresh("run-2")).await;
    let expected =
        AttemptOutcome::CoolingDown { target: "ticket-1".to_owned(), until: first_at.plus_ms(300_000), rule: None };
    assert_eq!(result.outcome, expected);
    rig.clock.advance_ms(1);
    assert_eq!(rig.perform(&worker, &fresh("run-3")).await.outcome, AttemptOutcome::Succeeded);
    assert_eq!(rig.platform.effects().len(), 2);
}

#[tokio::test]
async fn a_cooldown_and_a_missed_deadline_are_logged_as_failures_of_the_action() {
    logs::collect();
    let rig = Rig::new();
    let worker = worker(&rig);
    rig.perform(&worker, &of_run(&of_ticket(&rig, "ticket-1"), "earlier")).await;
    assert!(logs::of("reallocate_ticket_failed").is_empty());

    rig.perform(&worker, &of_ticket(&rig, "ticket-1")).await;
    let late = of_run(&of_ticket(&rig, "ticket-2"), "late");
    rig.perform(&worker, &ActionCommand { deadline: rig.clock.now(), ..late }).await;

    let lines = logs::of("reallocate_ticket_failed");
    logs::assert_common_fields(&lines[0], "reallocate_ticket");
    let told: Vec<_> = lines.iter().map(|line| (line["target_id"].as_str(), line["error"].as_str())).collect();
    assert!(told.len() == 2 && told[0].0 == "ticket-1" && told[1].0 == "ticket-2", "{told:?}");
    let cooling = "cooling down: cooldown of reallocate_ticket for ticket-1: 1 of 1 used, free again in 300 s";
    assert!(told[0].1 == cooling && told[1].1.contains("the last moment to start"), "{told:?}");
}

#[tokio::test]
async fn a_ticket_in_another_letter_case_is_the_same_ticket() {
    let rig = Rig::new();
    let worker = worker(&rig);
    let first = rig.perform(&worker, &of_ticket(&rig, "TICKET-1")).await;
    assert_eq!(first.outcome, AttemptOutcome::Succeeded);
    assert_eq!(first.output["reallocated"], json!(["ticket-1"]));
    for name in ["ticket-1", "Ticket-1", "TICKET-1"] {
        let command = of_run(&of_ticket(&rig, name), &format!("run-{name}"));
        let again = rig.perform(&worker, &command).await;
        assert!(matches!(again.outcome, AttemptOutcome::CoolingDown { .. }), "{name}: {again:?}");
    }
    assert_eq!(rig.calls_of("reallocate_ticket").len(), 1);
}

#[tokio::test]
async fn a_ticket_that_is_named_in_two_letter_cases_is_reallocated_once() {
    let rig = Rig::new();
    let result = rig.perform(&worker(&rig), &of_tickets(&rig, &["ticket-1", "TICKET-1"])).await;
    assert_eq!(result.outcome, AttemptOutcome::Succeeded, "{result:?}");
    assert_eq!(rig.calls_of("reallocate_ticket").len(), 1);
}
