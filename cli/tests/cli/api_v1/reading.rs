//! Lists, one run, its events, and waiting for news.

use std::time::Duration;

use tokio::time::Instant;

use serde_json::{Value, json};

use super::Home;
use crate::support::http;

fn ids(body: &Value) -> Vec<&str> {
    body["runs"].as_array().unwrap().iter().map(|run| run["run_id"].as_str().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_are_filtered_and_paged_by_an_opaque_cursor() {
    let home = Home::new();
    for (id, playbook) in [("r-1", "long"), ("r-2", "long"), ("r-3", "short")] {
        home.start(id, playbook).await;
    }
    let (status, all) = home.get("/api/v1/runs").await;
    assert_eq!((status, ids(&all).len(), &all["next"]), (200, 3, &Value::Null), "{all}");
    let (_, long) = home.get("/api/v1/runs?playbook=long&severity=high&since=1h&status=running").await;
    assert_eq!(ids(&long).len(), 2, "{long}");
    let (_, one) = home.get("/api/v1/runs?workflow=wf-r-3").await;
    assert_eq!(ids(&one), ["r-3"]);

    let (_, first) = home.get("/api/v1/runs?limit=2").await;
    let cursor = first["next"].as_str().unwrap();
    assert!(!cursor.contains("r-"), "{cursor}");
    let (_, second) = home.get(&format!("/api/v1/runs?limit=2&cursor={cursor}")).await;
    let mut seen = [ids(&first), ids(&second)].concat();
    seen.sort_unstable();
    assert_eq!((seen, &second["next"]), (vec!["r-1", "r-2", "r-3"], &Value::Null));

    for (query, field) in [
        ("status=RUNING", "status"),
        ("outcome=well", "outcome"),
        ("since=yesterday", "since"),
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("limit=many", "limit"),
        ("cursor=7:r-1", "cursor"),
        ("needs_attention=true&cursor=NzpyLTE", "cursor"),
        ("playbok=long", "playbok"),
    ] {
        let (status, body) = home.get(&format!("/api/v1/runs?{query}")).await;
        assert_eq!((status, &body["errors"][0]["field"]), (422, &json!(field)), "{query}: {body}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_run_has_its_steps_its_events_and_an_explanation() {
    let home = Home::new();
    home.start("r-1", "short").await;
    let (status, body) = home.get("/api/v1/runs/r-1?after=1000&wait=20").await;
    assert_eq!(status, 200, "{body}");
    assert_eq!((&body["run"]["status"], &body["report"]["steps"][0]["name"]), (&json!("COMPLETED"), &json!("moment")));
    let (_, log) = home.get("/api/v1/runs/r-1/events").await;
    let events = log["events"].as_array().unwrap();
    assert_eq!((&log["ended"], &log["last_seq"]), (&json!(true), &json!(events.len())), "{log}");
    assert_eq!(events[0]["event"]["event"], "run_started");
    // From the middle of a commit on.
    for after in 0..=events.len() {
        let (_, rest) = home.get(&format!("/api/v1/runs/r-1/events?after={after}")).await;
        assert_eq!(rest["events"].as_array().unwrap()[..], events[after..], "after {after}");
    }
    let (_, why) = home.get("/api/v1/runs/r-1/explanation").await;
    let lines: Vec<_> = why["lines"].as_array().unwrap().iter().map(|line| line.as_str().unwrap()).collect();
    assert!(lines[0].contains("incident inc-r-1 started playbook short"), "{lines:#?}");
    assert_eq!((&why["different"], why["told"].as_array().unwrap().is_empty()), (&json!(0), false));
    let (status, body) = home.get("/api/v1/runs/r-1/explanation?step=nonsense").await;
    assert_eq!(status, 422);
    assert!(body["detail"].as_str().unwrap().contains("moment"), "{body}");
    for path in ["", "/events", "/explanation", "/stream"] {
        assert_eq!(home.get(&format!("/api/v1/runs/nobody{path}")).await.0, 404, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_not_changed_costs_no_transfer() {
    let home = Home::new();
    home.start("r-1", "long").await;
    for path in ["/api/v1/runs", "/api/v1/runs/r-1", "/api/v1/halts", "/api/v1/playbooks/long", "/api/v1/checks"] {
        let first = http().get(home.url(path)).send().await.unwrap();
        let tag = first.headers()["etag"].clone();
        let again = http().get(home.url(path)).header("if-none-match", &tag).send().await.unwrap();
        assert_eq!((again.status().as_u16(), &again.headers()["etag"]), (304, &tag), "{path}");
        assert!(again.bytes().await.unwrap().is_empty(), "{path}");
    }
    let first = http().get(home.url("/api/v1/runs/r-1")).send().await.unwrap();
    let tag = first.headers()["etag"].clone();
    assert_eq!(home.post("/api/v1/runs/r-1/cancel", &json!({})).await.0, 200);
    let after = http().get(home.url("/api/v1/runs/r-1")).header("if-none-match", &tag).send().await.unwrap();
    assert_eq!(after.status(), 200, "a cancelled run is another one");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_waits_for_news_and_no_longer_than_it_said() {
    let home = Home::new();
    home.start("r-1", "long").await;
    let (_, log) = home.get("/api/v1/runs/r-1/events").await;
    let last = log["last_seq"].as_u64().unwrap();
    let started = Instant::now();
    let (status, quiet) = home.get(&format!("/api/v1/runs/r-1/events?after={last}&wait=1")).await;
    assert_eq!((status, quiet["events"].as_array().unwrap().len()), (200, 0));
    assert!(started.elapsed() >= Duration::from_millis(900), "{:?}", started.elapsed());
    let url = home.url(&format!("/api/v1/runs/r-1/events?after={last}&wait=20"));
    let waiting = tokio::spawn(async move { crate::support::get(&url).await });
    assert_eq!(home.post("/api/v1/runs/r-1/hold", &json!({"reason": "look"})).await.0, 200);
    let (_, news) = tokio::time::timeout(Duration::from_secs(10), waiting).await.unwrap().unwrap();
    assert_eq!(news["events"][0]["event"]["event"], "run_held", "{news}");
    assert_eq!(home.get("/api/v1/runs/r-1/events?wait=21").await.0, 422);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_waits_for_the_end_of_a_run_and_no_longer_than_it_said() {
    let home = Home::new();
    home.start("r-1", "long").await;
    let path = "/api/v1/remediation/r-1/status";
    let started = Instant::now();
    let (status, running) = home.get(&format!("{path}?wait=1")).await;
    assert_eq!((status, &running["status"]), (200, &json!("RUNNING")), "{running}");
    assert!(started.elapsed() >= Duration::from_millis(900), "{:?}", started.elapsed());
    let url = home.url(&format!("{path}?wait=20"));
    let waiting = tokio::spawn(async move { crate::support::get(&url).await });
    // A hold is news, and no end.
    for change in ["hold", "cancel"] {
        assert_eq!(home.post(&format!("/api/v1/runs/r-1/{change}"), &json!({"reason": "look"})).await.0, 200);
    }
    let (_, ended) = tokio::time::timeout(Duration::from_secs(10), waiting).await.unwrap().unwrap();
    assert_eq!(ended["status"], "CANCELLED", "{ended}");
    let (status, body) = home.get(&format!("{path}?wait=21")).await;
    assert_eq!((status, &body["errors"][0]["field"]), (422, &json!("wait")), "{body}");
    // There is nothing to wait for.
    let unknown = home.get("/api/v1/remediation/nobody/status?wait=20");
    let (status, body) = tokio::time::timeout(Duration::from_secs(10), unknown).await.unwrap();
    assert_eq!(status, 404, "{body}");
    assert!(body["detail"].as_str().unwrap().contains("nobody"), "{body}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_has_every_event_once_and_ends_with_the_run() {
    let home = Home::new();
    home.start("r-1", "short").await;
    let response = http().get(home.url("/api/v1/runs/r-1/stream")).send().await.unwrap();
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let text = response.text().await.unwrap();
    let (_, log) = home.get("/api/v1/runs/r-1/events").await;
    let sent: Vec<Value> = text
        .lines()
        .filter_map(|line| line.strip_prefix("data: {\"seq\""))
        .map(|rest| serde_json::from_str(&format!("{{\"seq\"{rest}")).unwrap())
        .collect();
    assert_eq!(json!(sent), log["events"], "{text}");
    assert!(text.trim_end().ends_with("event: run_ended\ndata: {}"), "{text}");
    let resumed = http().get(home.url("/api/v1/runs/r-1/stream")).header("last-event-id", sent.len() - 1);
    let text = resumed.send().await.unwrap().text().await.unwrap();
    assert_eq!(text.matches("event: run_event").count(), 1, "{text}");
}
