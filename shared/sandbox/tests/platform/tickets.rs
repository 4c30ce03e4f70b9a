use heal_sandbox::tickets::{Dialect, ListShape, TicketStatus, TicketsConfig};
use heal_sandbox::{Platform, PlatformConfig};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{answer, change, get, http, platform, start};

fn with(tickets: TicketsConfig) -> Platform {
    start(PlatformConfig { tickets, ..PlatformConfig::default() })
}

fn url(platform: &Platform, path: &str) -> String {
    format!("{}/{path}", platform.endpoints().tickets_url)
}

#[tokio::test]
async fn a_ticket_is_read_with_every_field() {
    let platform = platform();
    let (status, ticket) = get(&url(&platform, "tickets/ticket-1")).await;
    assert_eq!(status, 200);
    assert_eq!(ticket["status"], "RUNNING");
    assert_eq!(ticket["assigned_worker"], "worker-1");
    assert_eq!(ticket["workflow_id"], "wf-1");
    assert_eq!(ticket["plan_id"], "plan-1");
    assert_eq!(ticket["sla"]["timeout_ms"], 300_000);
    assert!(ticket["created_at"].is_i64() && ticket["metadata"].is_object());
    assert_eq!(get(&url(&platform, "tickets/nope")).await.0, 404);
    assert_eq!(get(&url(&platform, "health")).await.0, 200);
    assert!(platform.effects().is_empty());
}

#[tokio::test]
async fn a_reallocated_ticket_is_pending_without_a_worker_and_keeps_its_metadata() {
    let platform = platform();
    let body = json!({"reason": "{{ 7*7 }}\r\n\u{202e}", "metadata": {"incident_id": "inc-1"}});
    let response = change(Method::POST, &url(&platform, "tickets/ticket-1/reallocate"), "k-1", &body).await;
    let (status, ticket) = answer(response).await;
    assert_eq!((status, &ticket["status"], &ticket["assigned_worker"]), (200, &json!("PENDING"), &Value::Null));
    let held = platform.ticket("ticket-1").unwrap();
    assert_eq!((held.status, held.assigned_worker), (TicketStatus::Pending, None));
    assert_eq!(held.metadata["incident_id"], "inc-1");
    assert_eq!(held.carried["reason"], "{{ 7*7 }}\r\n\u{202e}");
    let effects = platform.effects();
    assert_eq!(effects.len(), 1);
    assert_eq!((effects[0].operation.as_str(), effects[0].target.as_str()), ("reallocate_ticket", "ticket-1"));
    assert_eq!(effects[0].key.as_deref(), Some("k-1"));
    assert_eq!(effects[0].status, Some(heal_sandbox::Status::Http(200)));
    assert_eq!(serde_json::from_str::<Value>(&effects[0].body).unwrap(), body);
}

#[tokio::test]
async fn the_same_key_on_the_same_route_replays_the_response_without_a_second_effect() {
    let platform = platform();
    let reallocate = url(&platform, "tickets/ticket-1/reallocate");
    let first = answer(change(Method::POST, &reallocate, "k", &json!({"reason": "a"})).await).await;
    let second = answer(change(Method::POST, &reallocate, "k", &json!({"reason": "b"})).await).await;
    assert_eq!(first, second);
    assert_eq!(platform.effects().len(), 1);
    let calls = platform.calls();
    assert_eq!(calls.len(), 2);
    assert!(calls[1].replayed && !calls[1].effect);
    // The same key on another route and another key on the same route are separate changes.
    change(Method::PATCH, &url(&platform, "tickets/ticket-1"), "k", &json!({"status": "RUNNING"})).await;
    change(Method::POST, &reallocate, "k2", &json!({"reason": "a"})).await;
    assert_eq!(platform.effects().len(), 3);
}

#[tokio::test]
async fn two_hundred_concurrent_calls_under_one_key_have_one_effect() {
    let platform = platform();
    let reallocate = url(&platform, "tickets/ticket-1/reallocate");
    let client = http();
    let tries = (0..200).map(|_| {
        let request = client.post(&reallocate).header("Idempotency-Key", "k").json(&json!({"reason": "a"}));
        async move { request.send().await.unwrap().status().as_u16() }
    });
    let statuses = futures_util::future::join_all(tries).await;
    assert!(statuses.iter().all(|status| *status == 200));
    assert_eq!(platform.calls().len(), 200);
    assert_eq!(platform.effects().len(), 1);
}

#[tokio::test]
async fn a_status_must_be_an_upper_case_name_of_the_platform() {
    let platform = platform();
    let ticket = url(&platform, "tickets/ticket-1");
    for (status, expected) in [("COMPLETED", 200), ("completed", 422), ("DONE", 422)] {
        let response = change(Method::PATCH, &ticket, status, &json!({"status": status})).await;
        let (code, body) = answer(response).await;
        assert_eq!(code, expected, "{status}");
        if code == 422 {
            assert_eq!(body["detail"][0]["loc"], json!(["body", "status"]));
        }
    }
    let body =
        json!({"status": "COMPLETED", "result": {"ok": true}, "metadata": {"updated_by": "self-healing-engine"}});
    change(Method::PATCH, &ticket, "k", &body).await;
    let held = platform.ticket("ticket-1").unwrap();
    assert_eq!(held.carried["result"], json!({"ok": true}));
    assert_eq!(held.metadata["updated_by"], "self-healing-engine");
    assert_eq!(answer(change(Method::POST, &format!("{ticket}/reallocate"), "r", &json!({})).await).await.0, 422);
    assert_eq!(platform.effects().len(), 2);
}

#[tokio::test]
async fn lists_are_filtered_and_paged() {
    let platform = platform();
    let ids = |body: &Value| -> Vec<String> {
        let tickets = body["tickets"].as_array().unwrap();
        tickets.iter().map(|ticket| ticket["ticket_id"].as_str().unwrap().to_owned()).collect()
    };
    let (_, all) = get(&url(&platform, "tickets")).await;
    assert_eq!((ids(&all).len(), &all["total"], &all["limit"]), (4, &json!(4), &json!(100)));
    let (_, running) = get(&url(&platform, "tickets?status=RUNNING&assigned_worker=worker-1")).await;
    assert_eq!(ids(&running), ["ticket-1", "ticket-2"]);
    let (_, page) = get(&url(&platform, "tickets?limit=2&offset=1")).await;
    assert_eq!(ids(&page), ["ticket-2", "ticket-3"]);
    assert_eq!(page["total"], 4);
    for wrong in ["status=running", "limit=0", "limit=1001", "offset=-1"] {
        let (status, body) = get(&url(&platform, &format!("tickets?{wrong}"))).await;
        assert_eq!(status, 422, "{wrong}");
        assert_eq!(body["detail"][0]["loc"][1], wrong.split('=').next().unwrap());
    }
}

#[tokio::test]
async fn a_list_can_be_configured_to_be_an_array() {
    let platform = with(TicketsConfig { list_shape: ListShape::Array, ..TicketsConfig::default() });
    let (_, list) = get(&url(&platform, "tickets?limit=3")).await;
    assert_eq!(list.as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn the_status_patch_dialect_has_its_own_routes() {
    let config = TicketsConfig {
        dialect: Dialect::StatusPatch,
        prefix: "/api/v1".to_owned(),
        list_shape: ListShape::Array,
        ..TicketsConfig::default()
    };
    let platform = with(config);
    assert!(platform.endpoints().tickets_url.ends_with("/api/v1"));
    let ticket = url(&platform, "tickets/ticket-1");
    assert_eq!(change(Method::POST, &format!("{ticket}/reallocate"), "a", &json!({"reason": "x"})).await.status(), 404);
    assert_eq!(change(Method::PATCH, &ticket, "a", &json!({"status": "PENDING"})).await.status(), 405);
    let (_, list) = get(&url(&platform, "tickets")).await;
    assert_eq!(list["total"], 4);
    let body = json!({"status": "PENDING", "error_message": "late", "actual_duration_ms": 5});
    let (status, patched) = answer(change(Method::PATCH, &format!("{ticket}/status"), "b", &body).await).await;
    assert_eq!((status, &patched["assigned_worker"], &patched["error_message"]), (200, &Value::Null, &json!("late")));
    let lower = change(Method::PATCH, &format!("{ticket}/status"), "c", &json!({"status": "pending"})).await;
    assert_eq!(lower.status(), 422);
    assert_eq!(platform.effects().len(), 1);
}

#[tokio::test]
async fn a_compensation_is_a_new_ticket_and_marks_the_old_one() {
    let platform = with(TicketsConfig { dialect: Dialect::StatusPatch, ..TicketsConfig::default() });
    let route = url(&platform, "tickets/compensation");
    let body = |id: &str| json!({"original_ticket_id": id, "reason": "r", "compensation_action": "undo"});
    let (status, made) = answer(change(Method::POST, &route, "a", &body("ticket-1")).await).await;
    assert_eq!((status, &made["status"], &made["original_ticket_id"]), (200, &json!("PENDING"), &json!("ticket-1")));
    assert_eq!(platform.ticket("ticket-1").unwrap().status, TicketStatus::Compensating);
    assert!(platform.ticket(made["ticket_id"].as_str().unwrap()).is_some());
    assert_eq!(change(Method::POST, &route, "b", &body("ticket-4")).await.status(), 400);
    assert_eq!(change(Method::POST, &route, "c", &body("nope")).await.status(), 404);
    assert_eq!(platform.effects().len(), 1);
}

#[tokio::test]
async fn an_id_is_recorded_decoded_and_its_path_as_sent() {
    let platform = platform();
    let (status, _) = get(&url(&platform, "tickets/a%2F..%2Fb%20%E2%80%AE")).await;
    assert_eq!(status, 404);
    let call = &platform.calls()[0];
    assert_eq!(call.target, "a/../b \u{202e}");
    assert_eq!(call.path, "/tickets/a%2F..%2Fb%20%E2%80%AE");
}

#[tokio::test]
async fn a_request_over_the_limit_is_refused() {
    let platform = platform();
    let body = vec![b'x'; heal_sandbox::REQUEST_BODY_LIMIT_BYTES + 1];
    let sent = http().patch(url(&platform, "tickets/ticket-1")).body(body).send().await;
    // The service may close before it has read everything.
    assert!(sent.map_or(true, |response| response.status() == 413));
    assert!(platform.effects().is_empty());
}

#[tokio::test]
async fn trace_and_authorization_headers_are_recorded() {
    let platform = platform();
    let request = http()
        .get(url(&platform, "tickets/ticket-1"))
        .header("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
        .bearer_auth("token");
    request.send().await.unwrap();
    let call = &platform.calls()[0];
    assert!(call.traceparent.as_deref().unwrap().starts_with("00-4bf9"));
    assert_eq!(call.authorization.as_deref(), Some("Bearer token"));
}
