//! The ticket service down, hanging, failing, and losing its answer; and a worker that died.

use heal_runtime::action::CallMetric;
use heal_runtime::observe::Prevented;
use heal_runtime::port::Clock as _;
use heal_runtime::{ActionCommand, AttemptOutcome};
use heal_sandbox::seed::Seed;
use heal_sandbox::tickets::{Dialect, Ticket, TicketStatus, TicketsConfig};
use heal_sandbox::{Fault, FaultKind, PlatformConfig, Service};
use serde_json::json;
use tokio::time::Instant;

use crate::rig::{Rig, allow, attempt, denied, of_run, short, unavailable, unknown};
use crate::{logs, of_ticket, of_tickets, worker};

#[tokio::test]
async fn a_service_that_is_down_is_skipped_with_what_a_person_has_to_do() {
    logs::collect();
    let rig = Rig::new();
    rig.platform.set_fault(Fault::new(Service::Tickets, FaultKind::Refuse)).unwrap();
    let worker = worker(&rig);
    let result = rig.perform(&worker, &of_ticket(&rig, "ticket-1")).await;
    assert_eq!(unavailable(&result).0, "execution-ticket-service");
    assert_eq!(result.follow_up.len(), 1);
    assert!(result.follow_up[0].contains("\"ticket-1\"") && result.follow_up[0].contains("timeout_recovery"));
    let lines = logs::of("execution_ticket_client_unavailable");
    assert_eq!(lines.len(), 1);
    logs::assert_common_fields(&lines[0], "reallocate_ticket");
    assert_eq!(lines[0]["follow_up"], result.follow_up[0]);
    let metric = CallMetric::TicketReallocation { reason: "timeout_recovery".to_owned() };
    assert_eq!(rig.recorder.prevented(), [(metric, Prevented::Unavailable)]);
    rig.platform.clear_faults();
    let again = rig.perform(&worker, &attempt(&of_ticket(&rig, "ticket-1"), 2)).await;
    assert_eq!(again.outcome, AttemptOutcome::Succeeded);
}

#[tokio::test]
async fn tickets_whose_calls_broke_and_that_are_as_before_are_free_afterwards() {
    let ids: Vec<String> = (0..15).map(|number| format!("t-{number:02}")).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let running =
        |id: &&str| Ticket { assigned_worker: Some("w".to_owned()), ..Ticket::new(id, TicketStatus::Running) };
    let tickets = ids.iter().map(running).collect();
    let rig = Rig::with(PlatformConfig { seed: Seed { tickets, ..Seed::default() }, ..PlatformConfig::default() });
    // Each connection breaks; ten of these, and the breaker has opened.
    rig.fault(Service::Tickets, "reallocate_ticket", FaultKind::Refuse);
    let result = rig.perform(&worker(&rig), &of_tickets(&rig, &ids)).await;
    unavailable(&result);
    assert_eq!(result.follow_up.len(), ids.len(), "{:?}", result.follow_up);
    for (id, entry) in ids.iter().zip(&result.follow_up) {
        assert!(rig.is_free("reallocate_ticket", id).await, "{id}");
        assert!(entry.starts_with("reallocate ticket"), "{entry}");
    }
    assert!(rig.platform.effects().is_empty());
}

#[tokio::test]
async fn a_batch_that_runs_out_of_time_reads_the_open_tickets_and_frees_the_others() {
    let ids: Vec<String> = (0..30).map(|number| format!("t-{number:02}")).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let tickets = ids.iter().map(|id| Ticket::new(id, TicketStatus::Running)).collect();
    let mut rig = Rig::with(PlatformConfig { seed: Seed { tickets, ..Seed::default() }, ..PlatformConfig::default() });
    // Ten late answers must not open the breaker here.
    rig.config.tickets.breaker.threshold = 100;
    rig.fault(Service::Tickets, "reallocate_ticket", FaultKind::Slow { by_ms: 2_500 });
    let command = ActionCommand { deadline: rig.clock.now().plus_ms(5_000), ..of_tickets(&rig, &ids) };
    let result = rig.perform(&worker(&rig), &command).await;
    assert_eq!(result.outcome, AttemptOutcome::Succeeded);
    assert_eq!(
        result.output["reallocated"],
        json!(ids[..20]),
        "the second ten were carried out, though not answered in time"
    );
    assert_eq!((result.warnings.len(), result.follow_up.len()), (20, 10), "ten seen, ten not begun");
    for (number, id) in ids.iter().enumerate() {
        assert_eq!(rig.is_free("reallocate_ticket", id).await, number >= 20, "{id}");
    }
}

#[tokio::test]
async fn a_service_that_hangs_is_out_of_reach_within_the_deadline() {
    for operation in ["get_ticket", "reallocate_ticket"] {
        let rig = Rig::new();
        rig.fault(Service::Tickets, operation, FaultKind::Hang);
        let started = Instant::now();
        let result = rig.perform(&worker(&rig), &short(&rig, of_ticket(&rig, "ticket-1"))).await;
        assert!(started.elapsed() < crate::rig::SHORTLY, "{operation}: {:?}", started.elapsed());
        unavailable(&result);
        // A call that was sent may have had its effect: the ticket then keeps its cooldown.
        let is_open = operation == "reallocate_ticket";
        assert_eq!(rig.is_free("reallocate_ticket", "ticket-1").await, !is_open);
        assert_eq!(result.follow_up[0].contains("check whether"), is_open, "{:?}", result.follow_up);
    }
}

#[tokio::test]
async fn an_error_answer_is_found_without_effect_and_the_next_attempt_works() {
    let running = |number| Ticket {
        assigned_worker: Some("worker-1".to_owned()),
        ..Ticket::new(&format!("ticket-{number}"), TicketStatus::Running)
    };
    let seed = Seed { tickets: (1..=4).map(running).collect(), ..Seed::default() };
    let rig = Rig::with(PlatformConfig { seed, ..PlatformConfig::default() });
    for (number, code) in [500, 503, 429, 408].into_iter().enumerate() {
        let fault = FaultKind::Status { code, retry_after_seconds: Some(3) };
        rig.fault_times(Service::Tickets, "reallocate_ticket", fault, 1);
        let ticket = format!("ticket-{}", number + 1);
        let (worker, command) = (worker(&rig), of_run(&of_ticket(&rig, &ticket), &ticket));
        let result = rig.perform(&worker, &command).await;
        let AttemptOutcome::Unavailable { retry_after_ms, .. } = result.outcome else { panic!("{code}: {result:?}") };
        assert_eq!(retry_after_ms, Some(3_000), "{code}");
        let again = rig.perform(&worker, &attempt(&command, 2)).await;
        assert_eq!(again.outcome, AttemptOutcome::Succeeded, "{code}");
    }
    assert_eq!(rig.platform.effects().len(), 4);
}

#[tokio::test]
async fn a_dropped_answer_is_one_effect() {
    let rig = Rig::new();
    rig.fault_times(Service::Tickets, "reallocate_ticket", FaultKind::DropAnswer, 1);
    let result = rig.perform(&worker(&rig), &of_ticket(&rig, "ticket-1")).await;
    assert_eq!(result.outcome, AttemptOutcome::Succeeded);
    assert_eq!(result.output["reallocated"], json!(["ticket-1"]));
    assert_eq!(result.output["previous_worker"], "worker-1");
    assert_eq!(result.warnings.len(), 1, "{:?}", result.warnings);
    assert_eq!(rig.operations(), ["get_ticket", "reallocate_ticket", "get_ticket"]);
    assert!(!rig.is_free("reallocate_ticket", "ticket-1").await);
}

#[tokio::test]
async fn without_a_recorded_id_the_tickets_state_proves_the_reallocation() {
    let tickets = TicketsConfig { dialect: Dialect::StatusPatch, ..TicketsConfig::default() };
    let rig = Rig::with(PlatformConfig { tickets, ..PlatformConfig::default() });
    let worker = worker(&rig);
    rig.fault_times(Service::Tickets, "update_ticket_status", FaultKind::DropAnswer, 2);
    let result = rig.perform(&worker, &of_ticket(&rig, "ticket-1")).await;
    assert_eq!((&result.outcome, result.warnings.len()), (&AttemptOutcome::Succeeded, 1));
    assert_eq!(rig.platform.effects().len(), 1);

    // A ticket that waited for a worker before proves nothing by still waiting.
    rig.platform
        .seed(Seed { tickets: vec![Ticket::new("waiting", TicketStatus::Pending)], ..Seed::default() })
        .unwrap();
    rig.fault(Service::Tickets, "update_ticket_status", FaultKind::Status { code: 500, retry_after_seconds: None });
    let result = rig.perform(&worker, &of_run(&of_ticket(&rig, "waiting"), "run-2")).await;
    unavailable(&result);
    assert!(rig.is_free("reallocate_ticket", "waiting").await);
}

/// The service performs the reallocation of `ticket-1`, and answers nothing from then on.
async fn lose_every_answer(rig: &Rig, worker: &heal_runtime::attempt::Worker, command: &ActionCommand) {
    rig.fault_times(Service::Tickets, "reallocate_ticket", FaultKind::DropAnswer, 2);
    let platform = rig.platform.clone();
    rig.policy.decide_by(move |_| {
        let down = FaultKind::Status { code: 500, retry_after_seconds: None };
        platform.set_fault(Fault::new(Service::Tickets, down).on("get_ticket")).unwrap();
        allow()
    });
    let result = rig.perform(worker, command).await;
    let why = unknown(&result);
    assert!(why.contains("may have been reallocated") && why.contains("answered 500"), "{why}");
    assert!(result.follow_up[0].starts_with("check whether ticket \"ticket-1\""), "{:?}", result.follow_up);
    assert_eq!(rig.calls_of("reallocate_ticket").len(), 1, "nothing is repeated blindly");
    rig.platform.clear_faults();
    rig.policy.decide_by(|_| allow());
}

#[tokio::test]
async fn the_next_attempt_recognises_an_effect_whose_answer_was_lost() {
    let rig = Rig::new();
    let (worker, command) = (worker(&rig), of_ticket(&rig, "ticket-1"));
    lose_every_answer(&rig, &worker, &command).await;
    assert!(!rig.is_free("reallocate_ticket", "ticket-1").await);
    let again = rig.perform(&worker, &attempt(&command, 2)).await;
    assert_eq!((&again.outcome, again.warnings.len()), (&AttemptOutcome::Succeeded, 1), "{again:?}");
    assert_eq!(again.output["reallocated"], json!(["ticket-1"]));
    assert_eq!(again.output["previous_worker"], "worker-1");
    assert_eq!(rig.platform.effects().len(), 1);
}

#[tokio::test]
async fn after_a_lost_answer_the_ticket_cools_down_for_other_runs() {
    let rig = Rig::new();
    let (worker, command) = (worker(&rig), of_ticket(&rig, "ticket-1"));
    lose_every_answer(&rig, &worker, &command).await;
    let other = rig.perform(&worker, &of_run(&command, "run-2")).await;
    assert!(matches!(other.outcome, AttemptOutcome::CoolingDown { .. }), "{other:?}");
    assert_eq!(rig.platform.effects().len(), 1);
}

#[tokio::test]
async fn an_unreadable_answer_is_no_second_effect() {
    let html = FaultKind::WrongContentType { content_type: "text/html".to_owned(), body: None };
    for fault in [html, FaultKind::HugeBody { bytes: 100 << 20 }] {
        let rig = Rig::new();
        rig.fault(Service::Tickets, "reallocate_ticket", fault);
        let result = rig.perform(&worker(&rig), &of_ticket(&rig, "ticket-1")).await;
        assert_eq!(result.outcome, AttemptOutcome::Succeeded, "the ticket itself says that it was done: {result:?}");
        assert_eq!(result.warnings.len(), 1);
        assert_eq!(rig.platform.effects().len(), 1);
    }
}

#[tokio::test]
async fn a_redirect_is_refused_and_not_followed() {
    let rig = Rig::new();
    let location = format!("{}/tickets/ticket-2/reallocate", rig.platform.endpoints().tickets_url);
    rig.fault(Service::Tickets, "reallocate_ticket", FaultKind::Redirect { location, status: 307 });
    let result = rig.perform(&worker(&rig), &of_ticket(&rig, "ticket-1")).await;
    assert_eq!(crate::rig::failed(&result).0, "redirected");
    assert!(rig.platform.effects().is_empty());
}

#[tokio::test]
async fn an_open_breaker_says_when_to_retry() {
    let rig = Rig::new();
    rig.platform.set_fault(Fault::new(Service::Tickets, FaultKind::Refuse)).unwrap();
    let worker = worker(&rig);
    for number in 1..=5 {
        rig.perform(&worker, &of_run(&of_ticket(&rig, "ticket-1"), &format!("run-{number}"))).await;
    }
    rig.platform.clear_faults();
    rig.platform.forget_calls();
    let result = rig.perform(&worker, &of_run(&of_ticket(&rig, "ticket-1"), "run-6")).await;
    let AttemptOutcome::Unavailable { retry_after_ms: Some(wait), .. } = result.outcome else { panic!("{result:?}") };
    assert!((50_000..=60_000).contains(&wait), "{wait}");
    assert!(rig.platform.calls().is_empty());
}

#[tokio::test]
async fn a_worker_that_died_before_the_effect_is_recovered_with_one() {
    let rig = Rig::new();
    let command = of_ticket(&rig, "ticket-1");
    rig.lose_worker(&command, &["ticket-1"]).await;
    let result = rig.perform(&worker(&rig), &command).await;
    assert_eq!(result.outcome, AttemptOutcome::Succeeded);
    assert_eq!(rig.platform.effects().len(), 1);
}

#[tokio::test]
async fn a_worker_that_died_after_the_effect_is_recovered_without_a_second_effect() {
    let rig = Rig::new();
    let tickets = ["ticket-1", "ticket-2"];
    for command in [of_ticket(&rig, "ticket-3"), of_run(&of_tickets(&rig, &tickets), "run-2")] {
        rig.platform.forget_calls();
        let worker = worker(&rig);
        rig.lose_worker_after(&worker, &command).await;
        let effects = rig.platform.effects().len();
        let result = rig.perform(&worker, &command).await;
        assert_eq!(result.outcome, AttemptOutcome::Succeeded, "{result:?}");
        assert_eq!(result.output["reallocated"].as_array().unwrap().len(), effects);
        assert_eq!(rig.platform.effects().len(), effects, "no second effect");
        assert_eq!(rig.calls_of("reallocate_ticket").len(), effects, "not even asked for");
    }
}

#[tokio::test]
async fn the_shipped_policy_does_not_hold_an_attempt_back_by_its_own_trace() {
    let rig = Rig::new();
    let action = heal_reallocate_ticket::ReallocateTicket::new(rig.tickets(), rig.clock());
    let worker = rig.worker_under(action, rig.shipped_policy());
    let command = of_ticket(&rig, "ticket-1");
    rig.lose_worker_after(&worker, &command).await;
    assert_eq!(rig.perform(&worker, &command).await.outcome, AttemptOutcome::Succeeded);
    let other = rig.perform(&worker, &of_run(&of_ticket(&rig, "ticket-1"), "run-2")).await;
    assert_eq!(denied(&other), ["reallocate_ticket_rate_limited"]);
    assert_eq!(rig.platform.effects().len(), 1);
    assert_eq!(rig.platform.ticket("ticket-1").unwrap().status, TicketStatus::Pending);
}
