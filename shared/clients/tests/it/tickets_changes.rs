//! A change of a ticket counts only if the answer, or a read after it, shows it; and is repeated only if the read proves that it did not happen.

use std::time::Duration;

use heal_clients::config::Dialect;
use heal_clients::tickets::{Change, ChangeOutcome, Client, Metadata, Ticket, TicketChange, TicketStatus};
use heal_clients::{CallContext, Effect, Error, OutageKind, RefusalKind, Wiring};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::support::ticket_config;
use crate::support::wire::{self, Act, Wire};

/// A ticket as the service returns it; `id` names its last reallocation.
fn ticket(status: &str, worker: Option<&str>, id: Option<&str>) -> Value {
    json!({
        "ticket_id": "t-1", "status": status, "assigned_worker": worker, "started_at": 1,
        "metadata": id.map_or(json!({}), |id| json!({"reallocation_id": id}))
    })
}

fn answer(status: &str, worker: Option<&str>) -> Act {
    wire::json(200, &ticket(status, worker, None))
}

fn context() -> CallContext {
    CallContext::within(Duration::from_secs(5)).with_key("run-1/step")
}

/// The outcome of a change of a ticket that ran on `worker-1`, and the methods of the calls.
async fn change_in(dialect: Dialect, change: Change<'_>, script: Vec<Act>) -> (ChangeOutcome, String) {
    let wire = Wire::start(script).await;
    let mut config = ticket_config(&wire.url());
    config.dialect = dialect;
    let client = Client::new(&config, &Wiring::default()).unwrap();
    let before: Ticket = serde_json::from_value(ticket("RUNNING", Some("worker-1"), None)).unwrap();
    let metadata = Metadata::new();
    let change = TicketChange { change, before: &before, metadata: &metadata };
    let outcome = client.change_ticket(&change, &context(), &context()).await;
    let seen = wire.seen();
    let keys = seen.iter().filter(|seen| seen.method != "GET").map(|seen| seen.header("idempotency-key"));
    assert!(keys.clone().all(|key| key == Some("run-1/step")), "{:?}", keys.collect::<Vec<_>>());
    (outcome, seen.iter().map(|seen| seen.method.as_str()).collect::<Vec<_>>().join(" "))
}

async fn reallocate(script: Vec<Act>) -> (ChangeOutcome, String) {
    change_in(Dialect::Guide, Change::Reallocate { reason: "r" }, script).await
}

#[tokio::test]
async fn an_answer_that_shows_the_reallocation_needs_no_read() {
    for worker in [None, Some("worker-2")] {
        let (outcome, calls) = reallocate(vec![answer("PENDING", worker)]).await;
        assert!(matches!(outcome, ChangeOutcome::Done(_)), "{outcome:?}");
        assert_eq!(calls, "POST");
    }
}

#[tokio::test]
async fn a_success_with_an_unchanged_ticket_is_not_applied() {
    for unchanged in [answer("RUNNING", Some("worker-1")), answer("PENDING", Some("worker-1"))] {
        let (outcome, calls) = reallocate(vec![unchanged, answer("RUNNING", Some("worker-1"))]).await;
        let ChangeOutcome::NotDone(Error::Refused(refusal)) = &outcome else { panic!("{outcome:?}") };
        assert_eq!((refusal.kind, refusal.effect), (RefusalKind::NotApplied, Effect::NotApplied));
        assert!(refusal.message.contains("the ticket is RUNNING on \"worker-1\""), "{}", refusal.message);
        assert_eq!(calls, "POST GET", "it was answered, so it is not repeated");
    }
    let to_failed = Change::SetStatus { status: TicketStatus::Failed, result: None };
    let (outcome, _) = change_in(Dialect::Guide, to_failed, vec![answer("RUNNING", Some("worker-1"))]).await;
    assert!(matches!(&outcome, ChangeOutcome::NotDone(Error::Refused(it)) if it.kind == RefusalKind::NotApplied));
}

#[tokio::test]
async fn an_answer_before_the_effect_is_outvoted_by_the_ticket() {
    let (outcome, _) = reallocate(vec![answer("RUNNING", Some("worker-1")), answer("PENDING", None)]).await;
    assert!(matches!(outcome, ChangeOutcome::Seen { .. }), "{outcome:?}");
}

#[tokio::test]
async fn an_answer_about_another_ticket_is_no_answer() {
    let other = || wire::json(200, &wire::ticket("t-2", "PENDING"));
    let (outcome, _) = reallocate(vec![other(), answer("PENDING", None)]).await;
    assert!(matches!(outcome, ChangeOutcome::Seen { .. }), "{outcome:?}");
    let (outcome, _) = reallocate(vec![other(), answer("RUNNING", Some("worker-1"))]).await;
    assert!(matches!(&outcome, ChangeOutcome::NotDone(Error::Refused(it)) if it.kind == RefusalKind::NotApplied));
    let (outcome, _) = reallocate(vec![other()]).await;
    assert!(matches!(outcome, ChangeOutcome::Open { .. }), "{outcome:?}");
}

#[tokio::test]
async fn a_lost_answer_is_repeated_once_if_nothing_happened() {
    for dialect in [Dialect::Guide, Dialect::StatusPatch] {
        let script = vec![Act::DropAnswer, answer("RUNNING", Some("worker-1")), answer("PENDING", None)];
        let (outcome, calls) = change_in(dialect, Change::Reallocate { reason: "r" }, script).await;
        assert!(matches!(outcome, ChangeOutcome::Done(_)), "{outcome:?}");
        assert_eq!(calls.matches("GET").count(), 1, "{calls}");
        assert_eq!(calls.split(' ').count(), 3, "{calls}");
    }
    let script =
        [Act::DropAnswer, answer("RUNNING", Some("worker-1")), Act::DropAnswer, answer("RUNNING", Some("worker-1"))];
    let (outcome, calls) = reallocate(script.into()).await;
    let ChangeOutcome::NotDone(Error::Unavailable(outage)) = &outcome else { panic!("{outcome:?}") };
    assert_eq!((outage.kind, outage.effect), (OutageKind::Reset, Effect::NotApplied));
    assert_eq!(calls, "POST GET POST GET");
}

#[tokio::test]
async fn a_lost_answer_whose_effect_the_ticket_shows_is_not_repeated() {
    let (outcome, calls) = reallocate(vec![Act::DropAnswer, answer("PENDING", None)]).await;
    assert!(matches!(&outcome, ChangeOutcome::Seen { cause, .. } if cause.is_unavailable()), "{outcome:?}");
    assert_eq!(calls, "POST GET");
    let recorded = wire::json(200, &ticket("RUNNING", Some("worker-2"), Some("run-1/step")));
    let (outcome, calls) = reallocate(vec![Act::DropAnswer, recorded]).await;
    assert!(matches!(outcome, ChangeOutcome::Seen { .. }), "its record says that it happened: {outcome:?}");
    assert_eq!(calls, "POST GET");
}

#[tokio::test]
async fn a_ticket_that_another_worker_took_meanwhile_is_left_to_it() {
    for dialect in [Dialect::Guide, Dialect::StatusPatch] {
        for after in [answer("RUNNING", Some("worker-2")), answer("COMPLETED", Some("worker-1"))] {
            let (outcome, calls) =
                change_in(dialect, Change::Reallocate { reason: "r" }, vec![Act::DropAnswer, after]).await;
            assert!(matches!(outcome, ChangeOutcome::MovedOn { .. }), "{outcome:?}");
            assert_eq!(calls.split(' ').count(), 2, "{calls}");
        }
    }
}

#[tokio::test]
async fn after_a_lost_answer_nothing_is_repeated_if_the_ticket_does_not_tell() {
    let touched = json!({"ticket_id": "t-1", "status": "RUNNING", "assigned_worker": "worker-1", "started_at": 1,
        "updated_at": 9});
    for after in [wire::json(503, &json!({"detail": "no"})), wire::reply(404, "", ""), wire::json(200, &touched)] {
        let (outcome, calls) = reallocate(vec![Act::DropAnswer, after]).await;
        assert!(matches!(outcome, ChangeOutcome::Open { .. }), "{outcome:?}");
        assert_eq!(calls, "POST GET");
    }
}

#[tokio::test]
async fn an_error_answer_without_effect_is_not_repeated_and_says_what_was_answered() {
    let failing = wire::json(500, &json!({"detail": "database is locked"}));
    let (outcome, calls) = reallocate(vec![failing, answer("RUNNING", Some("worker-1"))]).await;
    let ChangeOutcome::NotDone(error) = &outcome else { panic!("{outcome:?}") };
    assert_eq!(error.effect(), Effect::NotApplied);
    assert!(error.to_string().ends_with("answered 500: database is locked"), "{error}");
    assert_eq!(calls, "POST GET");
}

#[tokio::test]
async fn a_call_that_timed_out_may_still_be_under_way() {
    let wire = Wire::start([Act::Hang, answer("RUNNING", Some("worker-1"))]).await;
    let client = Client::new(&ticket_config(&wire.url()), &Wiring::default()).unwrap();
    let before: Ticket = serde_json::from_value(ticket("RUNNING", Some("worker-1"), None)).unwrap();
    let metadata = Metadata::new();
    let change = TicketChange { change: Change::Reallocate { reason: "r" }, before: &before, metadata: &metadata };
    let started = Instant::now();
    let outcome = client.change_ticket(&change, &CallContext::within(Duration::from_millis(200)), &context()).await;
    assert!(started.elapsed() < Duration::from_secs(2));
    let ChangeOutcome::NotDone(Error::Unavailable(outage)) = &outcome else { panic!("{outcome:?}") };
    assert_eq!((outage.kind, outage.effect), (OutageKind::Timeout, Effect::Unknown));
    assert_eq!(wire.seen().len(), 2);
}
