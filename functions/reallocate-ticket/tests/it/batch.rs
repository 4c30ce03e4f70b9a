//! Several tickets in one call.

use std::collections::BTreeMap;

use heal_runtime::AttemptOutcome;
use heal_sandbox::seed::Seed;
use heal_sandbox::tickets::{Ticket, TicketStatus};
use heal_sandbox::{FaultKind, PlatformConfig, Service};
use serde_json::json;

use crate::rig::{Rig, allow, deny, failed, unavailable};
use crate::{body, logs, of_tickets, worker};

#[tokio::test]
async fn each_ticket_of_a_batch_is_reallocated_and_recorded_for_itself() {
    logs::collect();
    let rig = Rig::new();
    let parameters = json!({"ticket_id": "ticket-3", "affected_tickets": ["ticket-1", "ticket-3", "ticket-2", "ticket-1"], "reason": "r"});
    let result = rig.perform(&worker(&rig), &rig.command(&heal_reallocate_ticket::spec(), parameters)).await;
    assert_eq!(result.outcome, AttemptOutcome::Succeeded);
    assert_eq!(result.output["reallocated"], json!(["ticket-3", "ticket-1", "ticket-2"]));
    assert_eq!(result.output["previous_worker"], json!(null), "they had different ones");
    let calls = rig.calls_of("reallocate_ticket");
    assert_eq!(calls.len(), 3);
    for call in &calls {
        let encoded = call.target.replace('-', "%2D");
        let metadata = &body(call)["metadata"];
        assert_eq!(call.key.as_deref(), Some(format!("run-1/heal/1:{encoded}").as_str()));
        assert_eq!(metadata["reallocation_id"], format!("run-1/heal/1:{encoded}"));
        assert_eq!(metadata["batch_id"], "run-1/heal/1");
        let worker = if call.target == "ticket-3" { "worker-0" } else { "worker-1" };
        assert_eq!(metadata["previous_worker"], worker);
    }
    let asked = rig.policy.asked();
    let tickets: Vec<_> = asked.iter().map(|input| input.resource.ticket_id.as_str()).collect();
    assert_eq!(tickets, ["ticket-3", "ticket-1", "ticket-2"]);
    assert_eq!(logs::of("ticket_reallocated").len(), 3);
}

#[tokio::test]
async fn a_batch_without_tickets_is_nothing_to_do() {
    let rig = Rig::new();
    let result = rig.perform(&worker(&rig), &of_tickets(&rig, &[])).await;
    assert!(matches!(result.outcome, AttemptOutcome::NoOp { .. }), "{result:?}");
    assert!(rig.platform.calls().is_empty());
}

#[tokio::test]
async fn denied_and_cooling_tickets_are_reported_one_by_one_and_the_others_go_ahead() {
    let rig = Rig::new();
    let worker = worker(&rig);
    rig.perform(&worker, &crate::rig::of_run(&of_tickets(&rig, &["ticket-3"]), "earlier")).await;
    rig.policy.decide_by(|input| if input.resource.ticket_id == "ticket-2" { deny("no_touch") } else { allow() });
    let result = rig.perform(&worker, &of_tickets(&rig, &["ticket-1", "ticket-2", "ticket-3", "ticket-9"])).await;
    assert_eq!(result.outcome, AttemptOutcome::Succeeded);
    assert_eq!(result.output["reallocated"], json!(["ticket-1"]));
    let denied = result.output["denied"].as_array().unwrap();
    let denied: BTreeMap<_, _> =
        denied.iter().map(|one| (one["target"].as_str().unwrap(), one["reason"].as_str().unwrap())).collect();
    assert_eq!(denied.len(), 3, "{denied:?}");
    assert_eq!(denied["ticket-2"], "denied by policy: no_touch");
    assert!(denied["ticket-3"].starts_with("cooling down: cooldown of reallocate_ticket for ticket-3"), "{denied:?}");
    assert!(denied["ticket-9"].contains("404"), "{denied:?}");
    assert_eq!(result.follow_up.len(), 3, "{:?}", result.follow_up);
    let touched: Vec<_> = rig.calls_of("reallocate_ticket").into_iter().map(|call| call.target).collect();
    assert_eq!(touched, ["ticket-3", "ticket-1"]);
}

#[tokio::test]
async fn a_batch_leaves_what_fails_for_a_person_and_does_the_rest() {
    logs::collect();
    let rig = Rig::new();
    let refusal = FaultKind::Status { code: 409, retry_after_seconds: None };
    rig.fault_times(Service::Tickets, "reallocate_ticket", refusal, 1);
    let result = rig.perform(&worker(&rig), &of_tickets(&rig, &["ticket-1", "ticket-2", "ticket-3"])).await;
    assert_eq!(result.outcome, AttemptOutcome::Succeeded);
    let done = result.output["reallocated"].as_array().unwrap();
    assert_eq!(done.len(), 2);
    let left = ["ticket-1", "ticket-2", "ticket-3"].into_iter().find(|id| !done.contains(&json!(id))).unwrap();
    assert_eq!((result.warnings.len(), result.follow_up.len()), (1, 1), "{result:?}");
    for text in [&result.warnings[0], &result.follow_up[0]] {
        assert!(text.contains(left) && text.contains("409"), "{text}");
    }
    assert!(rig.is_free("reallocate_ticket", left).await);
    assert!(!rig.is_free("reallocate_ticket", done[0].as_str().unwrap()).await);
    assert_eq!((logs::of("ticket_reallocated").len(), logs::of("reallocate_ticket_failed").len()), (2, 1));
}

#[tokio::test]
async fn a_batch_without_one_success_is_a_failure() {
    let rig = Rig::new();
    rig.fault(Service::Tickets, "reallocate_ticket", FaultKind::Status { code: 422, retry_after_seconds: None });
    let worker = worker(&rig);
    let result = rig.perform(&worker, &of_tickets(&rig, &["ticket-1", "ticket-2"])).await;
    let (code, message) = failed(&result);
    assert_eq!(code, "bad_request");
    assert!(message.starts_with("none of 2 tickets was seen to be reallocated; "), "{message}");
    assert_eq!(result.follow_up.len(), 2, "{result:?}");

    rig.fault_times(
        Service::Tickets,
        "reallocate_ticket",
        FaultKind::Status { code: 503, retry_after_seconds: Some(7) },
        1,
    );
    let command = crate::rig::of_run(&of_tickets(&rig, &["ticket-1"]), "run-2");
    let result = rig.perform(&worker, &command).await;
    assert_eq!(unavailable(&result).0, "execution-ticket-service");
}

#[tokio::test]
async fn the_follow_up_of_an_outage_names_every_ticket_of_the_batch() {
    let rig = Rig::new();
    rig.platform.set_fault(heal_sandbox::Fault::new(Service::Tickets, FaultKind::Refuse)).unwrap();
    let ids: Vec<String> = (0..25).map(|number| format!("ticket-{number}")).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let result = rig.perform(&worker(&rig), &of_tickets(&rig, &ids)).await;
    unavailable(&result);
    assert_eq!(result.follow_up.len(), 1);
    for part in ["\"ticket-0\"", "\"ticket-19\"", "and 5 more", "worker_failure"] {
        assert!(result.follow_up[0].contains(part), "{part}: {}", result.follow_up[0]);
    }
    assert_eq!(result.output["denied"].as_array().unwrap().len(), 25);
}

#[tokio::test]
async fn at_most_ten_tickets_are_under_way_at_once() {
    const SLOW_MS: i64 = 200;
    let ids: Vec<String> = (0..30).map(|number| format!("t-{number:02}")).collect();
    let tickets = ids.iter().map(|id| Ticket::new(id, TicketStatus::Running)).collect();
    let rig = Rig::with(PlatformConfig { seed: Seed { tickets, ..Seed::default() }, ..PlatformConfig::default() });
    rig.fault(Service::Tickets, "reallocate_ticket", FaultKind::Slow { by_ms: SLOW_MS.unsigned_abs() });
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let result = rig.perform(&worker(&rig), &of_tickets(&rig, &ids)).await;
    assert_eq!(result.output["reallocated"], json!(ids));
    let arrivals: Vec<i64> = rig.calls_of("reallocate_ticket").iter().map(|call| call.at_ms).collect();
    for pair in arrivals.windows(11) {
        assert!(pair[10] - pair[0] >= SLOW_MS, "an eleventh call came while ten were under way: {arrivals:?}");
    }
    assert!(arrivals[9] - arrivals[0] < SLOW_MS, "ten are under way together: {arrivals:?}");
}
