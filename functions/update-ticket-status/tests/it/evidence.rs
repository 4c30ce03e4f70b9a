//! A status is written only if the answer, or the ticket read after it, shows it; and a ticket that went on is left alone.

use heal_rig::rig::{Rig, allow, attempt, failed, no_op, of_run, output, unknown};
use heal_runtime::port::Clock as _;
use heal_runtime::{AttemptOutcome, Timestamp};
use heal_sandbox::seed::Seed;
use heal_sandbox::tickets::{Ticket, TicketStatus};
use heal_sandbox::{Fault, FaultKind, PlatformConfig, Service};
use serde_json::json;

use crate::{deployed, to, worker};

#[tokio::test]
async fn a_ticket_in_a_terminal_status_is_left_alone() {
    for config in [PlatformConfig::default(), PlatformConfig::like_deployed()] {
        for status in [TicketStatus::Completed, TicketStatus::Compensating, TicketStatus::Compensated] {
            let tickets = vec![Ticket::new("ticket-1", status)];
            let rig = Rig::with(PlatformConfig { seed: Seed { tickets, ..Seed::default() }, ..config.clone() });
            for (number, wanted) in ["pending", "failed", "running"].into_iter().enumerate() {
                let result = rig.perform(&worker(&rig), &of_run(&to(&rig, wanted), &format!("run-{number}"))).await;
                assert!(no_op(&result).contains("must not be repeated"), "{result:?}");
            }
            assert!(rig.platform.effects().is_empty() && rig.policy.asked().is_empty());
        }
    }
}

#[tokio::test]
async fn pending_does_not_take_a_ticket_from_the_worker_that_got_it_from_this_run() {
    for (run, is_own) in [("run-1", true), ("run-2", false)] {
        let mut ticket =
            Ticket { assigned_worker: Some("w-2".to_owned()), ..Ticket::new("ticket-1", TicketStatus::Running) };
        ticket.metadata.insert("reallocation_id".to_owned(), json!("run-1/reallocate_ticket/1"));
        let rig = Rig::with(PlatformConfig {
            seed: Seed { tickets: vec![ticket], ..Seed::default() },
            ..PlatformConfig::default()
        });
        let result = rig.perform(&worker(&rig), &of_run(&to(&rig, "pending"), run)).await;
        if is_own {
            assert!(no_op(&result).contains("\"w-2\" has taken it since"), "{result:?}");
        } else {
            assert_eq!(result.outcome, AttemptOutcome::Succeeded, "{result:?}");
        }
        assert_eq!(rig.platform.effects().is_empty(), is_own);
    }
}

#[tokio::test]
async fn a_success_with_an_unchanged_ticket_is_a_failure() {
    for (rig, operation) in [(Rig::new(), "update_ticket"), (deployed(), "update_ticket_status")] {
        let body = Some(json!(rig.platform.ticket("ticket-1").unwrap()).to_string());
        let unchanged = FaultKind::WrongContentType { content_type: "application/json".to_owned(), body };
        rig.fault(Service::Tickets, operation, unchanged);
        let result = rig.perform(&worker(&rig), &to(&rig, "failed")).await;
        let (code, message) = failed(&result);
        assert!(
            code == "not_applied" && message.contains("RUNNING") && message.contains("FAILED"),
            "{code}: {message}"
        );
        assert!(
            result.follow_up[0].starts_with("set the status of ticket \"ticket-1\" to FAILED by hand"),
            "{result:?}"
        );
    }
}

#[tokio::test]
async fn a_dropped_answer_is_one_effect() {
    for (rig, operation) in [(Rig::new(), "update_ticket"), (deployed(), "update_ticket_status")] {
        rig.fault_times(Service::Tickets, operation, FaultKind::DropAnswer, 1);
        let result = rig.perform(&worker(&rig), &to(&rig, "failed")).await;
        assert_eq!(result.outcome, AttemptOutcome::Succeeded);
        assert_eq!(result.output, output(json!({"status": "FAILED", "previous_status": "RUNNING"})));
        assert_eq!((result.warnings.len(), rig.platform.effects().len()), (1, 1));
        assert_eq!(rig.calls_of(operation).len(), 1);
    }
}

#[tokio::test]
async fn without_a_read_nothing_is_repeated_and_a_person_has_to_check() {
    let rig = deployed();
    rig.fault_times(Service::Tickets, "update_ticket_status", FaultKind::DropAnswer, 1);
    let platform = rig.platform.clone();
    rig.policy.decide_by(move |_| {
        let down = FaultKind::Status { code: 503, retry_after_seconds: None };
        platform.set_fault(Fault::new(Service::Tickets, down).on("get_ticket")).unwrap();
        allow()
    });
    let result = rig.perform(&worker(&rig), &to(&rig, "failed")).await;
    assert!(unknown(&result).contains("may have been written"), "{result:?}");
    assert!(result.follow_up[0].starts_with("check the status of ticket \"ticket-1\""), "{result:?}");
    assert_eq!(rig.platform.effects().len(), 1);
}

#[tokio::test]
async fn after_a_lost_worker_a_status_that_the_ticket_has_is_not_written_again() {
    let rig = Rig::new();
    let (worker, command) = (worker(&rig), to(&rig, "completed"));
    rig.lose_worker_after(&worker, &command).await;
    let result = rig.perform(&worker, &command).await;
    assert_eq!(result.outcome, AttemptOutcome::Succeeded);
    assert_eq!(result.output, output(json!({"status": "COMPLETED", "previous_status": null})));
    assert_eq!(rig.calls_of("update_ticket").len(), 1);
    // The step's next attempt finds out as well, instead of writing once more.
    let next = rig.perform(&worker, &attempt(&command, 2)).await;
    assert_eq!(next.output, result.output);
    assert_eq!(rig.calls_of("update_ticket").len(), 1);
}

#[tokio::test]
async fn after_a_lost_worker_the_tickets_times_say_whether_it_was_written() {
    let rig = deployed();
    let now = Ticket::new("now", TicketStatus::Pending).created_at;
    rig.clock.set(Timestamp(now.unsigned_abs()));
    let (worker, command) = (worker(&rig), to(&rig, "pending"));
    rig.lose_worker(&command, &[]).await;
    let result = rig.perform(&worker, &command).await;
    assert_eq!((result.outcome, rig.platform.effects().len()), (AttemptOutcome::Succeeded, 1), "not written before");

    let taken = Ticket {
        started_at: Some(i64::try_from(rig.clock.now().0).unwrap()),
        ..Ticket::new("ticket-1", TicketStatus::Running)
    };
    rig.platform.seed(Seed { tickets: vec![taken], ..Seed::default() }).unwrap();
    let command = of_run(&to(&rig, "pending"), "run-2");
    rig.lose_worker(&command, &[]).await;
    assert!(unknown(&rig.perform(&worker, &command).await).contains("RUNNING"));
    assert_eq!(rig.platform.effects().len(), 1, "it is not taken from its worker");
}
