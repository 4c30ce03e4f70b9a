//! A collector that is down, slow or refusing causes a warning, and never takes longer than the cap.

use std::time::Duration;

use axum::http::StatusCode;
use heal_telemetry::Telemetry;
use heal_telemetry::export::{FLUSH_CAP, Setup};
use heal_telemetry::logs::{Filter, Format, Lines};
use heal_telemetry::metrics::Id;
use tokio::time::Instant;

use crate::support::{Sink, settings};
use heal_otlp_receiver::{Collector, Reply};

/// Flushes one span and one count to `url`; returns the log, and how long the flush took.
async fn flushed(url: &str, cap: Duration) -> (Telemetry, Sink, Duration) {
    let setup = Setup::new(settings(&[("OTEL_EXPORTER_OTLP_ENDPOINT", url)])).with_cap(cap);
    let telemetry = setup.build().unwrap();
    let sink = Sink::default();
    let writer = sink.clone();
    let lines = Lines::new(Format::Json, move || writer.clone());
    let _on = tracing::subscriber::set_default(telemetry.subscriber(Filter::default(), lines));
    tracing::info_span!("self_healing.attempt").in_scope(|| {});
    telemetry.metrics().count(Id::RunsStarted, &["other"]);
    let started = Instant::now();
    telemetry.flush().await;
    (telemetry, sink, started.elapsed())
}

fn events(sink: &Sink) -> Vec<String> {
    sink.lines().iter().map(|line| line["event"].as_str().unwrap_or("none").to_owned()).collect()
}

#[tokio::test]
async fn a_collector_that_is_down_causes_a_warning() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let (_, sink, took) = flushed(&url, FLUSH_CAP).await;
    assert_eq!(events(&sink), ["telemetry.export_failed", "telemetry.export_failed"], "{}", sink.text());
    assert!(took < FLUSH_CAP, "{took:?}");
}

#[tokio::test]
async fn a_collector_that_refuses_causes_a_warning_and_no_retry() {
    for status in [StatusCode::INTERNAL_SERVER_ERROR, StatusCode::TOO_MANY_REQUESTS, StatusCode::UNAUTHORIZED] {
        let collector = Collector::start(Reply::Status(status)).await;
        let (_, sink, _) = flushed(&collector.url, FLUSH_CAP).await;
        assert_eq!(events(&sink), ["telemetry.export_failed", "telemetry.export_failed"], "{}", sink.text());
        assert!(sink.text().contains(status.as_str()), "{}", sink.text());
        assert_eq!(collector.received().len(), 2, "one try per signal");
    }
}

#[tokio::test]
async fn a_collector_that_hangs_costs_at_most_the_cap() {
    let collector = Collector::start(Reply::Hang).await;
    let cap = Duration::from_millis(100);
    let (_, sink, took) = flushed(&collector.url, cap).await;
    assert_eq!(events(&sink), ["telemetry.flush_cut"], "{}", sink.text());
    assert!(took >= cap && took < Duration::from_secs(5), "{took:?}");
    assert_eq!(FLUSH_CAP, Duration::from_secs(1), "the most that a flush may add to an invocation");
}

#[tokio::test]
async fn what_was_counted_while_the_collector_was_away_comes_with_the_next_flush() {
    let collector = Collector::start(Reply::Ok).await;
    let (telemetry, _, _) = flushed(&collector.url, FLUSH_CAP).await;
    telemetry.flush().await;
    let (_, metrics) = collector.metrics();
    assert!(metrics.iter().any(|metric| metric.name == Id::RunsStarted.metric().name));
    assert_eq!(collector.spans().len(), 1, "a span is sent once");
}

#[tokio::test]
async fn telemetry_without_a_receiver_accepts_everything() {
    let telemetry = Telemetry::silent();
    telemetry.metrics().count(Id::RunsStarted, &["x"]);
    telemetry.flush().await;
    assert_eq!(telemetry.exposition(), None);
    assert!(!telemetry.traces());
}

#[test]
fn an_endpoint_that_is_not_a_url_is_reported_without_its_text() {
    let error = Setup::new(settings(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "http://hunter2 x:y")])).build().unwrap_err();
    assert!(!format!("{error:?} {error}").contains("hunter2"), "{error:?}");
}
