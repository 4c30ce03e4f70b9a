//! Tickets in a terminal status are left alone, by the action itself and by the policy.

use heal_runtime::AttemptOutcome;
use heal_sandbox::seed::Seed;
use heal_sandbox::tickets::{Ticket, TicketStatus};
use heal_sandbox::{PlatformConfig, Service};
use serde_json::json;

use crate::rig::{Rig, no_op, of_run};
use crate::{of_ticket, of_tickets, worker};

const TERMINAL: [(&str, TicketStatus); 3] =
    [("done", TicketStatus::Completed), ("undoing", TicketStatus::Compensating), ("undone", TicketStatus::Compensated)];

/// The tickets above, and one that runs and one that failed.
fn rig(config: PlatformConfig) -> Rig {
    let others = [("running", TicketStatus::Running), ("failed", TicketStatus::Failed)];
    let tickets = TERMINAL.iter().chain(&others).map(|(id, status)| Ticket::new(id, *status)).collect();
    Rig::with(PlatformConfig { seed: Seed { tickets, ..Seed::default() }, ..config })
}

#[tokio::test]
async fn a_ticket_in_a_terminal_status_is_not_reopened() {
    for config in [PlatformConfig::default(), PlatformConfig::like_deployed()] {
        let rig = rig(config);
        let worker = worker(&rig);
        for (id, status) in TERMINAL {
            let result = rig.perform(&worker, &of_run(&of_ticket(&rig, id), id)).await;
            let reason = no_op(&result);
            let status = json!(status).as_str().unwrap().to_owned();
            assert!(reason.contains(id) && reason.contains(&status), "{reason}");
            assert_eq!((&result.output["reallocated"], &result.output["status"]), (&json!([]), &json!(status)));
            assert!(result.follow_up.is_empty(), "{result:?}");
            assert!(rig.is_free("reallocate_ticket", id).await);
        }
        assert!(rig.platform.effects().is_empty());
        assert!(rig.policy.asked().is_empty(), "there is nothing to decide");
        let result = rig.perform(&worker, &of_run(&of_ticket(&rig, "failed"), "run-2")).await;
        assert_eq!(result.outcome, AttemptOutcome::Succeeded, "a failed ticket may be tried again");
    }
}

#[tokio::test]
async fn terminal_tickets_of_a_batch_are_named_and_leave_nothing_to_do() {
    let rig = rig(PlatformConfig::like_deployed());
    let worker = worker(&rig);
    let result = rig.perform(&worker, &of_tickets(&rig, &["done", "running", "undone"])).await;
    assert_eq!(result.outcome, AttemptOutcome::Succeeded);
    assert_eq!(result.output["reallocated"], json!(["running"]));
    assert_eq!(result.output["denied"].as_array().unwrap().len(), 2);
    assert_eq!((result.warnings.len(), result.follow_up.len()), (2, 0), "{result:?}");
    assert!(result.warnings[0].contains("done") && result.warnings[0].contains("COMPLETED"), "{result:?}");

    let all = of_run(&of_tickets(&rig, &["done", "undone"]), "run-2");
    let result = rig.perform(&worker, &all).await;
    let reason = no_op(&result);
    assert!(reason.contains("2 targets") && reason.contains("\"done\""), "{reason}");
}

#[tokio::test]
async fn an_outage_is_not_hidden_by_a_ticket_with_nothing_to_do() {
    let rig = rig(PlatformConfig::default());
    let lost = heal_sandbox::FaultKind::WrongContentType {
        content_type: "application/json".to_owned(),
        body: Some(json!({"ticket_id": "done", "status": "COMPLETED"}).to_string()),
    };
    // The first ticket is read so; the second is not the one in the answer.
    rig.fault(Service::Tickets, "get_ticket", lost);
    let result = rig.perform(&worker(&rig), &of_tickets(&rig, &["done", "running"])).await;
    assert_eq!(crate::rig::failed(&result).0, "bad_answer", "{result:?}");
}

#[tokio::test]
async fn the_policy_is_asked_with_the_status_of_the_ticket() {
    let rig = Rig::new();
    rig.perform(&worker(&rig), &of_ticket(&rig, "ticket-1")).await;
    assert_eq!(rig.policy.asked()[0].context.ticket_status, "RUNNING");
}
