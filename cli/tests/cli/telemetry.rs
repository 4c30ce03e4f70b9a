//! What `heal serve` reports about a run to a collector, a scrape and its log.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use axum::http::StatusCode;
use heal_otlp_receiver::{Collector, Reply, text};
use heal_sandbox::{Platform, Seed};
use opentelemetry_proto::tonic::trace::v1::Span;
use serde_json::{Value, json};

use crate::logs;
use crate::support::{GUIDE_EXAMPLE, PATIENCE, Serve, env, http, platform, playbooks, post, root};

const TRACE_ID: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
/// Planted in a header, in the environment and in the incident.
const SECRET: &str = "hunter2-s3cr3t";

/// A `heal serve` with the guide's own playbook, and what it leaves behind.
struct Site {
    platform: Platform,
    serve: Serve,
    log: PathBuf,
    state: PathBuf,
    _folders: [tempfile::TempDir; 2],
}

impl Site {
    fn start(collector: &Collector) -> Self {
        let platform = platform(Seed::unhealthy_worker());
        let folder = tempfile::tempdir().unwrap();
        let of_playbooks = playbooks(&[("ticket_timeout_recovery.yaml", GUIDE_EXAMPLE)]);
        let log = folder.path().join("log");
        let mut variables = env(&platform);
        let own = [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url.clone()),
            ("OTEL_EXPORTER_OTLP_HEADERS", format!("authorization=Bearer {SECRET}")),
            ("SOME_PASSWORD", SECRET.to_owned()),
            ("HEAL_LOG_FORMAT", "json".to_owned()),
        ];
        variables.extend(own.map(|(name, value)| (name.to_owned(), value)));
        let state = folder.path().join("state.db");
        let serve = Serve::start_logging(&state, of_playbooks.path(), &variables, "trace", &log);
        Self { platform, serve, log, state, _folders: [folder, of_playbooks] }
    }

    /// Runs the guide's incident to its end, with a faulty worker.
    async fn heal(&self) -> String {
        let event = std::fs::read_to_string(root().join("tests/events/ticket_timeout.json")).unwrap();
        let mut parameters: Value = serde_json::from_str(&event).unwrap();
        parameters["api_token"] = SECRET.into();
        parameters["note"] = json!({"password": SECRET});
        let request = json!({"remediation_id": "rem-1", "incident_id": "inc-ticket-timeout-1",
            "playbook_name": "ticket_timeout_recovery", "trace_id": TRACE_ID, "parameters": parameters});
        let (status, body) = post(&format!("{}/api/v1/remediation/execute", self.serve.url), &request).await;
        assert_eq!(status, 202, "{body}");
        tokio::time::timeout(PATIENCE, async {
            loop {
                let url = format!("{}/api/v1/remediation/rem-1/status", self.serve.url);
                let (_, body) = crate::support::get(&url).await;
                if !["PENDING", "RUNNING"].contains(&body["status"].as_str().unwrap_or_default()) {
                    assert_eq!(body["status"], "COMPLETED", "{body}");
                    return;
                }
            }
        })
        .await
        .unwrap();
        let scraped = http().get(format!("{}/metrics", self.serve.url)).send().await.unwrap();
        assert!(scraped.headers()["content-type"].to_str().unwrap().starts_with("text/plain; version=0.0.4"));
        scraped.text().await.unwrap()
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}

fn of_run(spans: Vec<Span>) -> Vec<Span> {
    spans.into_iter().filter(|span| hex(&span.trace_id) == TRACE_ID).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_one_trace_over_the_dispatcher_every_action_and_every_call() {
    let collector = Collector::start(Reply::Ok).await;
    let site = Site::start(&collector);
    site.heal().await;
    let Site { platform, serve, .. } = site;
    assert_eq!(serve.terminate(), 0);

    let spans = of_run(collector.spans());
    let by_id: BTreeMap<_, _> = spans.iter().map(|span| (span.span_id.clone(), span)).collect();
    let parent = |span: &Span| by_id.get(&span.parent_span_id).map(|parent| parent.name.as_str());
    let attempts: Vec<_> = spans.iter().filter(|span| span.name == "self_healing.attempt").collect();
    let actions: BTreeSet<_> = attempts.iter().filter_map(|span| text(&span.attributes, "action")).collect();
    let expected = ["check_worker_health", "reallocate_ticket", "restart_pod", "update_ticket_status"];
    assert_eq!(actions.iter().map(String::as_str).collect::<Vec<_>>(), expected);
    for attempt in &attempts {
        let sent_by = parent(attempt).unwrap_or("nobody");
        assert!(["self_healing.dispatch", "self_healing.accept"].contains(&sent_by), "by {sent_by}: {attempt:?}");
        assert_eq!(text(&attempt.attributes, "run_id").as_deref(), Some("rem-1"));
    }
    for name in [
        "self_healing.accept",
        "self_healing.dispatch",
        "self_healing.reallocate_ticket",
        "self_healing.update_ticket_status",
        "self_healing.opa.validate_action",
        "self_healing.kubernetes.check_worker_health",
    ] {
        assert!(spans.iter().any(|span| span.name == name), "no {name} in {spans:#?}");
    }
    for call in
        spans.iter().filter(|span| !["accept", "dispatch", "attempt"].contains(&span.name.rsplit('.').next().unwrap()))
    {
        assert!(parent(call).is_some(), "{} hangs in the air", call.name);
    }
    // Every service receives the trace, and the ticket service the span that called it.
    for call in platform.calls() {
        assert!(call.traceparent.as_deref().unwrap_or_default().contains(TRACE_ID), "{call:?}");
    }
    let reallocated = spans.iter().find(|span| span.name == "self_healing.reallocate_ticket").unwrap();
    let traceparent = format!("00-{TRACE_ID}-{}-01", hex(&reallocated.span_id));
    let journal = format!("{:?}", platform.calls());
    assert!(journal.contains(&traceparent), "{traceparent} is not in {journal}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_counted_for_the_scrape_and_for_the_collector() {
    let collector = Collector::start(Reply::Ok).await;
    let site = Site::start(&collector);
    let scraped = site.heal().await;
    assert_eq!(site.serve.terminate(), 0);
    for series in [
        r#"self_healing_ticket_reallocation_total{reason="timeout_recovery",status="success"} 1"#,
        "self_healing_ticket_reallocation_duration_seconds_count 1",
        r#"self_healing_ticket_status_update_total{new_status="PENDING",status="success"} 1"#,
        // Once for the plan as a whole, once at the point of effect.
        r#"self_healing_opa_validation_total{action="reallocate_ticket",result="allow"} 2"#,
        r#"self_healing_runs_started_total{playbook="ticket_timeout_recovery"} 1"#,
        r#"self_healing_runs_ended_total{outcome="COMPLETED",playbook="ticket_timeout_recovery"} 1"#,
        r#"self_healing_attempts_total{action="restart_pod",status="success"} 1"#,
        r#"self_healing_step_duration_seconds_count{action="restart_pod",outcome="succeeded"} 1"#,
        r#"self_healing_run_hops_sum{playbook="ticket_timeout_recovery"} 4"#,
        r#"self_healing_circuit_breaker_state{service="execution-ticket-service"} 0"#,
        r#"self_healing_incidents_total{result="started"} 1"#,
        r#"self_healing_incident_to_first_action_seconds_count{playbook="ticket_timeout_recovery"} 1"#,
    ] {
        assert!(scraped.lines().any(|line| line == series), "no {series} in\n{scraped}");
    }
    let (resource, metrics) = collector.metrics();
    assert_eq!(text(&resource, "service.name").as_deref(), Some("heal"));
    let exported: BTreeSet<_> = metrics.iter().map(|metric| metric.name.as_str()).collect();
    let names = scraped.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next());
    for name in names {
        assert!(exported.contains(name), "{name} was scraped and not exported");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_planted_secret_is_in_no_log_span_metric_or_event_and_every_line_of_an_attempt_names_its_run() {
    let collector = Collector::start(Reply::Ok).await;
    let site = Site::start(&collector);
    let scraped = site.heal().await;
    let Site { serve, log, state, platform, _folders } = site;
    assert_eq!(serve.terminate(), 0);

    let log = std::fs::read_to_string(log).unwrap();
    assert!(!log.contains(SECRET), "{}", log.lines().find(|line| line.contains(SECRET)).unwrap_or_default());
    assert!(!scraped.contains(SECRET));
    let kept = logs::of_all(&state).await;
    assert!(kept.contains("api_token"), "the log has the incident");
    assert!(!kept.contains(SECRET), "in an event");
    let file = std::fs::read(state).unwrap();
    assert!(!file.windows(SECRET.len()).any(|window| window == SECRET.as_bytes()), "in the file");
    let got = collector.received();
    assert!(got.iter().any(|got| got.headers["authorization"].to_str().unwrap().ends_with(SECRET)), "nothing to hide");
    for got in &got {
        assert!(!got.body.windows(SECRET.len()).any(|window| window == SECRET.as_bytes()), "in {}", got.path);
    }
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
    let reallocated = lines.iter().find(|line| line["event"] == "playbook_executor.ticket_reallocated").expect(&log);
    for (field, value) in [
        ("run_id", "rem-1"),
        ("incident_id", "inc-ticket-timeout-1"),
        ("playbook", "ticket_timeout_recovery"),
        ("step", "reallocate_ticket"),
        ("action", "reallocate_ticket"),
        ("trace_id", TRACE_ID),
    ] {
        assert_eq!(reallocated[field], value, "{field} in {reallocated}");
    }
    assert_eq!(reallocated["attempt"], 1);
    let of_attempts: Vec<_> =
        lines.iter().filter(|line| line["step"].is_string() && line["target"] != "heal").collect();
    assert!(of_attempts.len() > 4, "{}", of_attempts.len());
    for line in of_attempts {
        for field in ["run_id", "incident_id", "playbook", "step", "action", "attempt", "trace_id"] {
            assert!(!line[field].is_null(), "{field} in {line}");
        }
    }
    drop(platform);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_collector_does_not_delay_a_run() {
    for mood in [Reply::Hang, Reply::Status(StatusCode::INTERNAL_SERVER_ERROR)] {
        let collector = Collector::start(mood).await;
        let site = Site::start(&collector);
        let healed = tokio::time::timeout(Duration::from_secs(30), site.heal()).await;
        assert!(healed.unwrap().contains(r#"self_healing_runs_ended_total{outcome="COMPLETED""#), "{mood:?}");
        assert_eq!(site.serve.terminate(), 0, "{mood:?}");
        let log = std::fs::read_to_string(&site.log).unwrap();
        let warning = if mood == Reply::Hang { "telemetry.flush_cut" } else { "telemetry.export_failed" };
        assert!(log.contains(warning), "{mood:?}: {log}");
    }
}
