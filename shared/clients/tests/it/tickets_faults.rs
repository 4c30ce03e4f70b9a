//! Faults of a ticket service: the client reports each within the deadline, and applies nothing twice.

use std::sync::Arc;
use std::time::Duration;

use heal_clients::tickets::{Client, Metadata};
use heal_clients::{CallContext, Effect, Error, Outage, OutageKind, Refusal, RefusalKind, Wiring};
use serde_json::json;
use tokio::time::Instant;

use crate::support::watch::Watch;
use crate::support::wire::{self, Act, Wire, closed_port, ticket};
use crate::support::{Hand, ticket_config};

/// The deadline of each call to a hanging service.
const DEADLINE: Duration = Duration::from_millis(300);

fn context() -> CallContext {
    CallContext::within(Duration::from_secs(5)).with_key("key-1")
}

async fn reallocate(url: &str, context: &CallContext) -> Result<(), Error> {
    let client = Client::new(&ticket_config(url), &Wiring::default()).unwrap();
    client.reallocate_ticket("t-1", "r", &Metadata::new(), context).await.map(drop)
}

fn outage(result: Result<(), Error>) -> Outage {
    match result {
        Err(Error::Unavailable(outage)) => outage,
        other => panic!("expected an outage, got {other:?}"),
    }
}

fn refusal(result: Result<(), Error>) -> Refusal {
    match result {
        Err(Error::Refused(refusal)) => refusal,
        other => panic!("expected a refusal, got {other:?}"),
    }
}

#[tokio::test]
async fn a_service_that_is_down_is_unavailable_and_unchanged() {
    let addr = closed_port().await;
    let outage = outage(reallocate(&format!("http://{addr}"), &context()).await);
    assert_eq!((outage.kind, outage.effect), (OutageKind::Connect, Effect::NotApplied));
}

#[tokio::test]
async fn a_host_that_does_not_exist_is_unavailable() {
    let outage = outage(reallocate("http://no-such-host.invalid:8000", &context()).await);
    assert_eq!((outage.kind, outage.effect), (OutageKind::Connect, Effect::NotApplied));
}

#[tokio::test]
async fn a_call_to_a_hanging_or_dripping_service_ends_at_the_deadline() {
    for act in [Act::Hang, Act::Drip] {
        let wire = Wire::start([act.clone()]).await;
        let started = Instant::now();
        let context = CallContext::within(DEADLINE).with_key("k");
        let outage = outage(reallocate(&wire.url(), &context).await);
        assert_eq!((outage.kind, outage.effect), (OutageKind::Timeout, Effect::Unknown), "{act:?}");
        let took = started.elapsed();
        assert!(took >= DEADLINE && took < DEADLINE * 3, "{act:?} took {took:?}");
        assert_eq!(wire.seen().len(), 1, "a timeout is not retried: {act:?}");
    }
}

#[tokio::test]
async fn the_configured_timeout_ends_a_call_before_a_later_deadline() {
    let wire = Wire::start([Act::Hang]).await;
    let mut config = ticket_config(&wire.url());
    config.timeout = DEADLINE;
    let client = Client::new(&config, &Wiring::default()).unwrap();
    let started = Instant::now();
    let error = client.get_ticket("t-1", &context()).await.unwrap_err();
    assert!(error.is_unavailable() && started.elapsed() < DEADLINE * 3);
    assert_eq!(error.effect(), Effect::NotApplied, "a read changes nothing");
}

#[tokio::test]
async fn after_the_deadline_nothing_is_sent() {
    let wire = Wire::start([wire::json(200, &ticket("t-1", "PENDING"))]).await;
    let context = CallContext::until(Instant::now()).with_key("k");
    let outage = outage(reallocate(&wire.url(), &context).await);
    assert_eq!((outage.kind, outage.effect), (OutageKind::DeadlinePassed, Effect::NotApplied));
    assert!(wire.seen().is_empty());
}

#[tokio::test]
async fn a_server_error_is_unavailable_and_its_effect_unknown() {
    for status in [500, 502, 503, 504] {
        let wire = Wire::start([wire::json(status, &json!({"detail": "no\r\nluck"}))]).await;
        let outage = outage(reallocate(&wire.url(), &context()).await);
        let kind = if status == 500 { OutageKind::ServerError } else { OutageKind::NotServing };
        assert_eq!((outage.kind, outage.effect), (kind, Effect::Unknown));
        assert_eq!(outage.detail, format!("answered {status}: no  luck"));
        assert_eq!(wire.seen().len(), 1, "a call that was answered is not retried");
    }
}

#[tokio::test]
async fn a_rate_limit_says_when_to_retry() {
    let wire = Wire::start([wire::reply(429, "retry-after: 17\r\n", ""), wire::reply(408, "", "")]).await;
    let limited = outage(reallocate(&wire.url(), &context()).await);
    assert_eq!(limited.kind, OutageKind::RateLimited);
    assert_eq!(limited.retry_after, Some(Duration::from_secs(17)));
    assert_eq!(limited.effect, Effect::NotApplied);
    assert_eq!(outage(reallocate(&wire.url(), &context()).await).kind, OutageKind::RequestTimeout);
}

#[tokio::test]
async fn a_client_error_is_a_refusal() {
    for (status, kind) in [
        (400, RefusalKind::BadRequest),
        (401, RefusalKind::Forbidden),
        (403, RefusalKind::Forbidden),
        (404, RefusalKind::NotFound),
        (405, RefusalKind::Other),
        (409, RefusalKind::Precondition),
        (422, RefusalKind::BadRequest),
    ] {
        let wire = Wire::start([wire::json(status, &json!({"message": "no"}))]).await;
        let refusal = refusal(reallocate(&wire.url(), &context()).await);
        assert_eq!((refusal.kind, refusal.effect), (kind, Effect::NotApplied), "{status}");
        assert_eq!((refusal.code, refusal.message), (status.to_string(), "no".to_owned()));
    }
}

#[tokio::test]
async fn a_redirect_of_a_change_is_not_followed() {
    let target = Wire::start([wire::json(200, &ticket("t-1", "PENDING"))]).await;
    for status in [301, 302, 307, 308] {
        let location = format!("location: {}/tickets/t-1/reallocate\r\n", target.url());
        let wire = Wire::start([wire::reply(status, &location, "")]).await;
        assert_eq!(refusal(reallocate(&wire.url(), &context()).await).kind, RefusalKind::Redirect);
    }
    assert!(target.seen().is_empty());
}

#[tokio::test]
async fn a_change_whose_answer_is_lost_is_sent_once() {
    for act in [Act::DropAnswer, Act::CutBody] {
        let wire = Wire::start([act]).await;
        let outage = outage(reallocate(&wire.url(), &context()).await);
        assert_eq!((outage.kind, outage.effect), (OutageKind::Reset, Effect::Unknown));
        assert_eq!(wire.seen().len(), 1, "a key is no proof that the service recognises the call");
    }
}

#[tokio::test]
async fn a_read_is_retried_without_a_key() {
    let wire = Wire::start([Act::DropAnswer, wire::json(200, &ticket("t-1", "PENDING"))]).await;
    let client = Client::new(&ticket_config(&wire.url()), &Wiring::default()).unwrap();
    client.get_ticket("t-1", &CallContext::within(Duration::from_secs(5))).await.unwrap();
    assert_eq!(wire.seen().len(), 2);
}

#[tokio::test]
async fn an_answer_that_is_not_a_ticket_is_refused() {
    for (act, expected) in [
        (wire::reply(200, "content-type: text/html\r\n", "<p>"), "content type is text/html"),
        (wire::reply(200, "", "{}"), "content type is none"),
        (wire::json(200, &json!({"status": "PENDING"})), "missing field `ticket_id`"),
        (wire::json(200, &json!([])), "invalid type: sequence"),
        (wire::reply(204, "", ""), "content type is none"),
        (wire::json(200, &ticket("t-2", "PENDING")), "the answer is about ticket \"t-2\""),
    ] {
        let wire = Wire::start([act]).await;
        let refusal = refusal(reallocate(&wire.url(), &context()).await);
        assert_eq!((refusal.kind, refusal.effect), (RefusalKind::BadAnswer, Effect::Unknown));
        assert!(refusal.message.contains(expected), "{}", refusal.message);
    }
}

#[tokio::test]
async fn of_a_hundred_megabyte_answer_at_most_one_megabyte_is_read() {
    const BIG: usize = 100 * 1024 * 1024;
    for announced in [true, false] {
        let wire = Wire::start([Act::Big { bytes: BIG, announced }]).await;
        let refusal = refusal(reallocate(&wire.url(), &context()).await);
        assert_eq!(refusal.kind, RefusalKind::BadAnswer);
        assert!(refusal.message.contains("1048576 bytes"), "{}", refusal.message);
        // The kernel's buffers took more than the megabyte that the client read.
        assert!(wire.body_bytes_sent() < BIG / 4, "{} bytes", wire.body_bytes_sent());
    }
}

#[tokio::test]
async fn five_failures_open_the_breaker_and_a_success_after_a_minute_closes_it() {
    let wire = Wire::start([wire::reply(503, "", "")]).await;
    let hand = Hand::default();
    let watch = Arc::new(Watch::default());
    let client = Client::with_clock(&ticket_config(&wire.url()), &watch.wiring(), hand.clock()).unwrap();
    for _ in 0..5 {
        assert!(client.get_ticket("t-1", &context()).await.unwrap_err().is_unavailable());
    }
    let error = client.get_ticket("t-1", &context()).await.unwrap_err();
    assert_eq!(error.retry_after(), Some(Duration::from_mins(1)));
    assert_eq!(error.effect(), Effect::NotApplied);
    assert!(matches!(error, Error::Unavailable(outage) if outage.kind == OutageKind::BreakerOpen));
    assert_eq!(wire.seen().len(), 5, "an open breaker sends nothing");

    hand.advance(Duration::from_mins(1));
    wire.then(wire::json(200, &ticket("t-1", "PENDING")));
    client.get_ticket("t-1", &context()).await.unwrap();
    assert_eq!(
        watch.told(),
        ["closed", "open", "half_open", "closed"].map(|state| format!("breaker execution-ticket-service {state}"))
    );
}

#[tokio::test]
async fn refusals_never_open_the_breaker() {
    for status in [404, 408, 422, 429] {
        let wire = Wire::start([wire::reply(status, "", "")]).await;
        let client = Client::new(&ticket_config(&wire.url()), &Wiring::default()).unwrap();
        for _ in 0..12 {
            client.get_ticket("t-1", &context()).await.unwrap_err();
        }
        assert_eq!(wire.seen().len(), 12, "{status}");
    }
}

#[tokio::test]
async fn five_tickets_that_the_service_fails_at_stop_no_other() {
    let wire = Wire::start([wire::reply(500, "", "")]).await;
    let client = Client::new(&ticket_config(&wire.url()), &Wiring::default()).unwrap();
    for id in ["bad-1", "bad-2", "bad-3", "bad-4", "bad-5"] {
        for _ in 0..3 {
            client.get_ticket(id, &context()).await.unwrap_err();
        }
    }
    wire.then(wire::json(200, &ticket("t-1", "PENDING")));
    client.get_ticket("t-1", &context()).await.expect("a good ticket is served");
    assert_eq!(wire.seen().len(), 16);
}

#[tokio::test]
async fn a_service_that_fails_at_many_targets_is_an_outage() {
    let wire = Wire::start([wire::reply(500, "", "")]).await;
    let client = Client::new(&ticket_config(&wire.url()), &Wiring::default()).unwrap();
    for number in 0..12 {
        client.get_ticket(&format!("t-{number}"), &context()).await.unwrap_err();
    }
    assert_eq!(wire.seen().len(), 10, "twice as many targets as failures of the connection");
}
