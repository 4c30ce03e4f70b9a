//! A reallocation succeeded only if the answer, or the ticket read after it, shows it; on the service as deployed too.

use heal_runtime::AttemptOutcome;
use heal_runtime::Timestamp;
use heal_runtime::port::Clock as _;
use heal_sandbox::seed::Seed;
use heal_sandbox::tickets::{Ticket, TicketStatus};
use heal_sandbox::{Fault, FaultKind, PlatformConfig, Service};
use serde_json::{Value, json};

use crate::rig::{Rig, allow, failed, no_op, of_run, unavailable, unknown};
use crate::{of_ticket, of_tickets, worker};

/// Answers with `body` instead of performing the call.
fn answers(body: &Value) -> FaultKind {
    FaultKind::WrongContentType { content_type: "application/json".to_owned(), body: Some(body.to_string()) }
}

fn deployed() -> Rig {
    Rig::with(PlatformConfig::like_deployed())
}

/// What the reads after the facts find, whatever the service did.
fn then_read_as(rig: &Rig, kind: FaultKind) {
    let platform = rig.platform.clone();
    rig.policy.decide_by(move |_| {
        platform.set_fault(Fault::new(Service::Tickets, kind.clone()).on("get_ticket")).unwrap();
        allow()
    });
}

/// The ticket as the service has it now.
fn as_it_is(rig: &Rig, id: &str) -> Value {
    let mut ticket = json!(rig.platform.ticket(id).unwrap());
    ticket.as_object_mut().unwrap().remove("assigned_worker");
    ticket
}

#[tokio::test]
async fn a_success_with_an_unchanged_ticket_is_a_failure() {
    for (rig, operation) in [(Rig::new(), "reallocate_ticket"), (deployed(), "update_ticket_status")] {
        rig.fault(Service::Tickets, operation, answers(&json!(rig.platform.ticket("ticket-1").unwrap())));
        let result = rig.perform(&worker(&rig), &of_ticket(&rig, "ticket-1")).await;
        let (code, message) = failed(&result);
        assert!(code == "not_applied" && message.contains("RUNNING"), "{code}: {message}");
        assert!(result.follow_up[0].starts_with("reallocate ticket \"ticket-1\" by hand"), "{result:?}");
        assert!(rig.is_free("reallocate_ticket", "ticket-1").await);
    }
}

#[tokio::test]
async fn each_ticket_of_a_batch_has_to_show_it() {
    let rig = Rig::new();
    let unchanged = answers(&json!(rig.platform.ticket("ticket-1").unwrap()));
    rig.fault_times(Service::Tickets, "reallocate_ticket", unchanged, 1);
    let result = rig.perform(&worker(&rig), &of_tickets(&rig, &["ticket-1", "ticket-2"])).await;
    assert_eq!(result.outcome, AttemptOutcome::Succeeded);
    assert_eq!(result.output["reallocated"].as_array().unwrap().len(), 1);
    assert_eq!((result.warnings.len(), result.follow_up.len()), (1, 1), "{result:?}");
}

#[tokio::test]
async fn an_answer_about_another_ticket_is_no_answer() {
    let rig = Rig::new();
    rig.fault(Service::Tickets, "reallocate_ticket", answers(&json!({"ticket_id": "other", "status": "PENDING"})));
    let result = rig.perform(&worker(&rig), &of_ticket(&rig, "ticket-1")).await;
    let (code, message) = failed(&result);
    assert!(code == "not_applied" && message.contains("\"other\""), "{code}: {message}");
}

#[tokio::test]
async fn after_a_lost_answer_the_deployed_service_is_not_asked_twice() {
    let rig = deployed();
    rig.fault_times(Service::Tickets, "update_ticket_status", FaultKind::DropAnswer, 1);
    let result = rig.perform(&worker(&rig), &of_ticket(&rig, "ticket-1")).await;
    assert_eq!((&result.outcome, result.warnings.len()), (&AttemptOutcome::Succeeded, 1), "{result:?}");
    assert_eq!(rig.platform.effects().len(), 1);
}

#[tokio::test]
async fn a_call_that_broke_without_effect_is_repeated_once() {
    let rig = deployed();
    rig.fault_times(Service::Tickets, "update_ticket_status", FaultKind::Refuse, 1);
    let result = rig.perform(&worker(&rig), &of_ticket(&rig, "ticket-1")).await;
    assert_eq!(result.outcome, AttemptOutcome::Succeeded, "{result:?}");
    assert_eq!((rig.calls_of("update_ticket_status").len(), rig.platform.effects().len()), (2, 1));

    let rig = deployed();
    rig.fault(Service::Tickets, "update_ticket_status", FaultKind::Refuse);
    let result = rig.perform(&worker(&rig), &of_ticket(&rig, "ticket-1")).await;
    unavailable(&result);
    assert_eq!(rig.calls_of("update_ticket_status").len(), 2);
    assert!(rig.is_free("reallocate_ticket", "ticket-1").await);
}

#[tokio::test]
async fn a_ticket_that_another_worker_took_meanwhile_is_left_to_it() {
    for (rig, operation) in [(Rig::new(), "reallocate_ticket"), (deployed(), "update_ticket_status")] {
        let mut taken = as_it_is(&rig, "ticket-1");
        taken["started_at"] = json!(taken["started_at"].as_i64().unwrap() + 60_000);
        rig.fault_times(Service::Tickets, operation, FaultKind::DropAnswer, 1);
        then_read_as(&rig, answers(&taken));
        let result = rig.perform(&worker(&rig), &of_ticket(&rig, "ticket-1")).await;
        assert!(no_op(&result).contains("RUNNING"), "{result:?}");
        assert!(result.warnings[0].contains("not repeated"), "{result:?}");
        assert_eq!(rig.calls_of(operation).len(), 1);
        assert!(!rig.is_free("reallocate_ticket", "ticket-1").await, "it may have been reallocated");
    }
}

#[tokio::test]
async fn without_a_read_nothing_is_repeated_and_a_person_has_to_check() {
    let rig = deployed();
    rig.fault_times(Service::Tickets, "update_ticket_status", FaultKind::DropAnswer, 1);
    then_read_as(&rig, FaultKind::Status { code: 500, retry_after_seconds: None });
    let result = rig.perform(&worker(&rig), &of_ticket(&rig, "ticket-1")).await;
    assert!(unknown(&result).contains("may have been reallocated"), "{result:?}");
    assert!(result.follow_up[0].starts_with("check whether ticket \"ticket-1\" is PENDING"), "{result:?}");
    assert_eq!(rig.platform.effects().len(), 1);
    assert!(!rig.is_free("reallocate_ticket", "ticket-1").await);
}

#[tokio::test]
async fn an_open_ticket_of_a_batch_outweighs_an_outage() {
    let rig = deployed();
    rig.fault_times(Service::Tickets, "update_ticket_status", FaultKind::DropAnswer, 2);
    then_read_as(&rig, FaultKind::Status { code: 500, retry_after_seconds: None });
    let result = rig.perform(&worker(&rig), &of_tickets(&rig, &["ticket-1", "ticket-2"])).await;
    unknown(&result);
    assert_eq!(result.follow_up.len(), 2, "{result:?}");
}

/// The rig's clock at the service's time: a probe compares the two.
fn at_the_services_time(rig: &Rig) -> Timestamp {
    let now = Ticket::new("now", TicketStatus::Pending).created_at;
    rig.clock.set(Timestamp(now.unsigned_abs()));
    rig.clock.now()
}

#[tokio::test]
async fn after_a_lost_worker_a_ticket_that_was_not_touched_since_is_reallocated() {
    let rig = deployed();
    at_the_services_time(&rig);
    let command = of_ticket(&rig, "ticket-1");
    rig.lose_worker(&command, &["ticket-1"]).await;
    let result = rig.perform(&worker(&rig), &command).await;
    assert_eq!(result.outcome, AttemptOutcome::Succeeded, "{result:?}");
    assert_eq!(rig.platform.effects().len(), 1);
}

#[tokio::test]
async fn after_a_lost_worker_a_ticket_that_waits_again_is_done() {
    let rig = deployed();
    let (worker, command) = (worker(&rig), of_ticket(&rig, "ticket-1"));
    rig.lose_worker_after(&worker, &command).await;
    let result = rig.perform(&worker, &command).await;
    assert_eq!(result.outcome, AttemptOutcome::Succeeded, "{result:?}");
    assert_eq!(rig.platform.effects().len(), 1);
}

#[tokio::test]
async fn after_a_lost_worker_a_ticket_that_was_taken_since_is_left_to_its_worker() {
    let rig = deployed();
    let now = at_the_services_time(&rig);
    let (worker, command) = (worker(&rig), of_ticket(&rig, "ticket-1"));
    rig.lose_worker_after(&worker, &command).await;
    let started_at = i64::try_from(now.0).unwrap();
    let taken = Ticket { started_at: Some(started_at), ..Ticket::new("ticket-1", TicketStatus::Running) };
    rig.platform.seed(Seed { tickets: vec![taken], ..Seed::default() }).unwrap();
    let effects = rig.platform.effects().len();
    let why = rig.perform(&worker, &command).await;
    assert!(unknown(&why).contains("RUNNING"), "{why:?}");
    assert_eq!(rig.platform.effects().len(), effects, "it is not taken from its worker");
    // One that ended meanwhile needs nothing.
    let ended = Ticket::new("ticket-1", TicketStatus::Completed);
    rig.platform.seed(Seed { tickets: vec![ended], ..Seed::default() }).unwrap();
    let command = of_run(&command, "run-2");
    rig.lose_worker(&command, &[]).await;
    assert!(no_op(&rig.perform(&worker, &command).await).contains("COMPLETED"));
}
