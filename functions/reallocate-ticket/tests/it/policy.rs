//! The shipped policy decides: the platform's policy server has none loaded.

use heal_reallocate_ticket::{ReallocateTicket, spec};
use heal_runtime::attempt::Worker;
use heal_runtime::port::{Clock as _, Decision};
use heal_runtime::{AttemptOutcome, Timestamp};
use heal_sandbox::PlatformConfig;
use heal_sandbox::seed::Seed;
use heal_sandbox::tickets::{Ticket, TicketStatus};
use serde_json::json;

use crate::rig::{Rig, denied, failed, of_run};
use crate::{logs, of_ticket, worker};

fn under_shipped_policy(rig: &Rig) -> Worker {
    rig.worker_under(ReallocateTicket::new(rig.tickets(), rig.clock()), rig.shipped_policy())
}

#[tokio::test]
async fn the_shipped_policy_allows_the_guides_reallocation() {
    let rig = Rig::new();
    let result = rig.perform(&under_shipped_policy(&rig), &of_ticket(&rig, "ticket-1")).await;
    assert_eq!(result.outcome, AttemptOutcome::Succeeded);
    assert!(result.warnings[0].contains("bundled policy"), "{:?}", result.warnings);
    assert_eq!(rig.operations(), ["get_ticket", "evaluate", "reallocate_ticket"]);
}

#[tokio::test]
async fn a_second_reallocation_within_five_minutes_is_rate_limited() {
    logs::collect();
    let rig = Rig::new();
    let worker = under_shipped_policy(&rig);
    rig.perform(&worker, &of_ticket(&rig, "ticket-1")).await;
    rig.clock.advance_ms(299_000);
    let result = rig.perform(&worker, &of_run(&of_ticket(&rig, "ticket-1"), "run-2")).await;
    assert_eq!(denied(&result), ["reallocate_ticket_rate_limited"]);
    assert_eq!(rig.platform.effects().len(), 1);
    assert_eq!(logs::of("opa_validation_denied").len(), 1);
}

#[tokio::test]
async fn a_reallocation_by_somebody_else_counts_from_the_services_record() {
    let rig = Rig::new();
    // 2025-01-15T08:00:00Z: the policy trusts no time after the evaluator's own.
    let now = Timestamp(1_736_928_000_000);
    rig.clock.set(now);
    let ticket = |id: &str, timestamp: &str| {
        let mut ticket = Ticket::new(id, TicketStatus::Running);
        ticket.metadata.insert("reallocation_id".to_owned(), json!("somebody-else"));
        ticket.metadata.insert("reallocation_timestamp".to_owned(), json!(timestamp));
        ticket
    };
    let tickets = vec![ticket("recent", "2025-01-15T07:56:00"), ticket("old", "2025-01-15T07:54:59Z")];
    rig.platform.seed(Seed { tickets, ..Seed::default() }).unwrap();
    let worker = under_shipped_policy(&rig);
    let result = rig.perform(&worker, &of_ticket(&rig, "recent")).await;
    assert_eq!(denied(&result), ["reallocate_ticket_rate_limited"], "at {now:?}");
    let result = rig.perform(&worker, &of_run(&of_ticket(&rig, "old"), "run-2")).await;
    assert_eq!(result.outcome, AttemptOutcome::Succeeded);
}

#[tokio::test]
async fn a_blank_reason_counts_as_missing() {
    let rig = Rig::new();
    let command = rig.command(&spec(), json!({"ticket_id": "ticket-1", "reason": "  "}));
    let result = rig.perform(&under_shipped_policy(&rig), &command).await;
    assert_eq!(denied(&result), ["reallocate_ticket_missing_reason"]);
    assert!(rig.platform.effects().is_empty());
}

#[tokio::test]
async fn a_blank_id_counts_as_missing() {
    let seed = Seed { tickets: vec![Ticket::new("  ", TicketStatus::Running)], ..Seed::default() };
    let rig = Rig::with(PlatformConfig { seed, ..PlatformConfig::default() });
    let result = rig.perform(&under_shipped_policy(&rig), &of_ticket(&rig, "  ")).await;
    assert_eq!(denied(&result), ["reallocate_ticket_missing_ticket_id"]);
}

#[tokio::test]
async fn without_a_policy_decision_nothing_is_done() {
    let rig = Rig::new();
    rig.policy.decide_by(|_| Decision::Unavailable { message: "all are asleep".to_owned() });
    let result = rig.perform(&worker(&rig), &of_ticket(&rig, "ticket-1")).await;
    assert!(
        matches!(&result.outcome, AttemptOutcome::Failed { code, .. } if code == "policy_unavailable"),
        "{result:?}"
    );
    assert!(rig.platform.effects().is_empty());
    assert!(rig.is_free("reallocate_ticket", "ticket-1").await);
}

#[tokio::test]
async fn a_playbook_cannot_set_the_times_of_a_decision() {
    let rig = Rig::new();
    for name in ["now_ns", "last_reallocation_timestamp"] {
        let parameters = json!({"ticket_id": "ticket-1", "reason": "r", name: 9_000_000_000_000_000_000_u64});
        let result = rig.perform(&worker(&rig), &of_run(&rig.command(&spec(), parameters), name)).await;
        let (code, message) = failed(&result);
        assert!(code == "bad_parameters" && message.contains(name), "{message}");
    }
    assert!(rig.policy.asked().is_empty());
}

#[tokio::test]
async fn the_policy_gets_what_the_engine_knows() {
    let rig = Rig::new();
    let worker = worker(&rig);
    let first_at = rig.clock.now();
    rig.perform(&worker, &of_ticket(&rig, "ticket-1")).await;
    let now = rig.clock.advance_ms(400_000);
    rig.perform(&worker, &of_run(&of_ticket(&rig, "ticket-1"), "run-2")).await;
    let asked = rig.policy.asked();
    assert_eq!(asked[0].context.last_reallocation_timestamp, 0);
    let input = &asked[1];
    assert_eq!(input.context.last_reallocation_timestamp, first_at.0 * 1_000_000);
    assert_eq!(input.context.now_ns, now.0 * 1_000_000);
    assert_eq!(input.context.incident_id, "INC-1");
    assert_eq!(input.context.playbook_name, "ticket_timeout_recovery");
    let resource = &input.resource;
    assert_eq!((resource.action.as_str(), resource.ticket_id.as_str()), ("reallocate_ticket", "ticket-1"));
    assert_eq!((resource.workflow_id.as_str(), resource.reason.as_str()), ("wf-1", "timeout_recovery"));
}
