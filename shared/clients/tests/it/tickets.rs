//! The ticket client's requests and answers on the wire.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use heal_clients::config::Dialect;
use heal_clients::tickets::{
    ChangeOutcome, Client, Filter, MAX_IN_FLIGHT, Metadata, ReallocationRequest, TicketStatus, key_suffix,
};
use heal_clients::{CallContext, Effect, Error, Wiring};
use serde_json::{Value, json};

use crate::support::spans;
use crate::support::ticket_config;
use crate::support::watch::Watch;
use crate::support::wire::{self, Wire, ticket};

const TRACEPARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

fn context() -> CallContext {
    CallContext::within(Duration::from_secs(5)).with_key("run-1/step/1").with_traceparent(TRACEPARENT)
}

fn client(wire: &Wire, path: &str) -> Client {
    Client::new(&ticket_config(&format!("{}{path}", wire.url())), &Wiring::default()).unwrap()
}

fn metadata() -> Metadata {
    let Value::Object(map) = json!({
        "previous_worker": "worker-1", "workflow_id": "wf-1", "incident_id": "inc-1", "reallocation_id": "re-1"
    }) else {
        unreachable!()
    };
    map
}

#[tokio::test]
async fn a_reallocation_is_a_post_with_everything_the_contract_lists() {
    let wire = Wire::start([wire::json(200, &ticket("t-1", "PENDING"))]).await;
    let watch = Arc::new(Watch::default());
    spans::collect();
    let client = Client::new(&ticket_config(&format!("{}/api/v1", wire.url())), &watch.wiring()).unwrap();
    let answer = client.reallocate_ticket("t-1", "timeout_recovery", &metadata(), &context()).await.unwrap();
    assert_eq!(answer.known_status(), Some(TicketStatus::Pending));
    assert_eq!(answer.other["task_type"], "BUILD");

    let seen = &wire.seen()[0];
    assert_eq!((seen.method.as_str(), seen.target.as_str()), ("POST", "/api/v1/tickets/t-1/reallocate"));
    assert_eq!(seen.header("idempotency-key"), Some("run-1/step/1"));
    assert_eq!(seen.header("traceparent"), Some(TRACEPARENT));
    assert_eq!(seen.header("content-type"), Some("application/json"));
    let mut body = seen.json();
    let at = body["metadata"]["reallocation_timestamp"].take();
    assert!(at.as_str().unwrap().parse::<jiff::Timestamp>().is_ok(), "{at}");
    assert_eq!(
        body,
        json!({"reason": "timeout_recovery", "metadata": {
            "reallocation_id": "re-1", "reallocation_reason": "timeout_recovery", "reallocation_timestamp": null,
            "reallocation_source": "self-healing-engine", "previous_worker": "worker-1", "workflow_id": "wf-1",
            "incident_id": "inc-1"
        }})
    );
    assert!(spans::names().contains(&"self_healing.reallocate_ticket"));
    assert_eq!(watch.told(), ["breaker execution-ticket-service closed", "reallocation success timeout_recovery"]);
}

#[tokio::test]
async fn a_status_update_is_a_patch_in_upper_case() {
    let wire = Wire::start([wire::json(200, &ticket("t-1", "PENDING"))]).await;
    let watch = Arc::new(Watch::default());
    spans::collect();
    let client = Client::new(&ticket_config(&wire.url()), &watch.wiring()).unwrap();
    let status = "pending".parse().unwrap();
    let result = json!({"done": false});
    client.update_ticket_status("t-1", status, Some(&result), &metadata(), &context()).await.unwrap();
    let seen = &wire.seen()[0];
    assert_eq!((seen.method.as_str(), seen.target.as_str()), ("PATCH", "/tickets/t-1"));
    assert_eq!(seen.json()["status"], "PENDING");
    assert_eq!(seen.json()["result"], result);
    assert_eq!(seen.json()["metadata"]["updated_by"], "self-healing-engine");
    assert_eq!(seen.json()["metadata"]["workflow_id"], "wf-1");
    assert_eq!(seen.json()["metadata"]["incident_id"], "inc-1");
    assert!(spans::names().contains(&"self_healing.update_ticket_status"));
    assert!(watch.told().contains(&"status_update success PENDING".to_owned()));
}

#[tokio::test]
async fn the_status_patch_dialect_has_one_route_for_changes() {
    let answers = ["PENDING", "FAILED"].map(|status| wire::json(200, &ticket("t-1", status)));
    let wire = Wire::start(answers).await;
    let mut config = ticket_config(&wire.url());
    config.dialect = Dialect::StatusPatch;
    let client = Client::new(&config, &Wiring::default()).unwrap();
    client.reallocate_ticket("t-1", "because", &metadata(), &context()).await.unwrap();
    client.update_ticket_status("t-1", TicketStatus::Failed, None, &metadata(), &context()).await.unwrap();
    let seen = wire.seen();
    for request in &seen {
        assert_eq!((request.method.as_str(), request.target.as_str()), ("PATCH", "/tickets/t-1/status"));
        assert_eq!(request.header("idempotency-key"), Some("run-1/step/1"));
    }
    assert_eq!(seen[0].json(), json!({"status": "PENDING", "error_message": "because"}));
    assert_eq!(seen[1].json(), json!({"status": "FAILED"}));
}

#[tokio::test]
async fn both_shapes_of_a_list_are_parsed() {
    let bare = wire::json(200, &json!([ticket("t-1", "RUNNING")]));
    let page = wire::json(
        200,
        &json!({"tickets": [ticket("t-1", "RUNNING"), ticket("t-2", "RUNNING")], "total": 7, "offset": 5, "limit": 2}),
    );
    let wire = Wire::start([bare, page]).await;
    let client = client(&wire, "");
    let filter = Filter {
        status: Some(TicketStatus::Running),
        assigned_worker: Some("a&b=c d".to_owned()),
        limit: Some(2),
        offset: Some(5),
    };
    let first = client.list_tickets(&filter, &context()).await.unwrap();
    assert_eq!((first.tickets.len(), first.total), (1, None));
    let second = client.list_tickets(&filter, &context()).await.unwrap();
    assert_eq!((second.tickets.len(), second.total, second.offset, second.limit), (2, Some(7), Some(5), Some(2)));
    assert_eq!(wire.seen()[0].target, "/tickets?status=RUNNING&assigned_worker=a%26b%3Dc+d&limit=2&offset=5");
}

#[tokio::test]
async fn a_batch_has_ten_calls_in_flight_and_a_result_for_each_ticket() {
    let request = |number| {
        let ticket_id = format!("t-{number}");
        let idempotency_key = format!("run-1/step/1{}", key_suffix(&ticket_id));
        let before = serde_json::from_value(ticket(&ticket_id, "RUNNING")).unwrap();
        ReallocationRequest { before, idempotency_key, metadata: Metadata::new() }
    };
    let requests: Vec<_> = (0..30).map(request).collect();
    let wire = Wire::start([wire::json(200, &ticket("t-7", "PENDING"))]).await;
    let client = client(&wire, "");
    let context = context();
    let answers = client.reallocate_multiple_tickets(requests, "worker_failure", &context, &context);
    let answers: Vec<_> = answers.collect().await;
    assert_eq!(answers.len(), 30);
    let seen = wire.seen();
    let (changes, reads): (Vec<_>, Vec<_>) = seen.iter().partition(|seen| seen.method == "POST");
    assert_eq!((changes.len(), reads.len()), (30, 29), "an answer about another ticket is followed by a read");
    assert_eq!(wire.most_under_way(), MAX_IN_FLIGHT);
    for (at, answer) in answers.iter().enumerate() {
        assert_eq!(answer.ticket_id, format!("t-{at}"));
        // The server answers every request with ticket t-7: for every other ticket that is an unusable answer.
        match &answer.outcome {
            ChangeOutcome::Done(ticket) => assert_eq!((at, ticket.ticket_id.as_str()), (7, "t-7")),
            ChangeOutcome::Open { cause, seen } => {
                assert!(at != 7 && cause.to_string().contains("t-7") && seen.contains("t-7"), "{cause}; {seen}");
            }
            other => panic!("{other:?}"),
        }
    }
    let mut keys: Vec<String> = changes
        .iter()
        .map(|seen| {
            let key = seen.header("idempotency-key").unwrap().to_owned();
            assert_eq!(seen.json()["metadata"]["reallocation_id"], key.as_str());
            key
        })
        .collect();
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), 30, "each ticket has a key of its own");
}

#[tokio::test]
async fn health_is_any_good_status() {
    let wire = Wire::start([wire::reply(200, "content-type: text/plain\r\n", "ok"), wire::reply(503, "", "")]).await;
    let client = client(&wire, "/api/v1");
    client.health(&context()).await.unwrap();
    assert!(client.health(&context()).await.unwrap_err().is_unavailable());
    assert_eq!(wire.seen()[0].target, "/health", "at the root of the host");
}

#[tokio::test]
async fn unusual_ids_and_reasons_arrive_unchanged_or_are_rejected() {
    let strange = ["{{ 7*7 }}", "../", "%2e%2e", "a\r\nX-Evil: 1", "a\u{202e}b"];
    let wire = Wire::start([wire::json(200, &ticket("{{ 7*7 }}", "PENDING"))]).await;
    let client = client(&wire, "");
    for reason in strange {
        client.reallocate_ticket("{{ 7*7 }}", reason, &metadata(), &context()).await.unwrap();
        let last = wire.seen().pop().unwrap();
        assert_eq!(last.target, "/tickets/%7B%7B%207%2A7%20%7D%7D/reallocate");
        assert_eq!(last.json()["reason"], reason);
        assert_eq!(last.header("x-evil"), None);
    }
    let sent = wire.seen().len();
    for id in &strange[1..] {
        let error = client.get_ticket(id, &context()).await.unwrap_err();
        assert!(matches!(&error, Error::Invalid { field: "ticket_id", .. }), "{id:?}: {error}");
        assert_eq!(error.effect(), Effect::NotApplied);
    }
    let bad_key = context().with_key("a\r\nX-Evil: 1");
    let error = client.reallocate_ticket("t", "r", &metadata(), &bad_key).await.unwrap_err();
    assert!(matches!(error, Error::Invalid { field: "idempotency_key", .. }), "{error}");
    assert_eq!(wire.seen().len(), sent, "a rejected call was sent");
}
