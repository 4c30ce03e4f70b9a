//! A secret in the settings appears in nothing that this crate writes.

use heal_telemetry::export::{FLUSH_CAP, Setup};
use heal_telemetry::logs::{Filter, Format, Lines};
use heal_telemetry::metrics::Id;

use crate::support::{Sink, count_all, names, settings};
use axum::http::StatusCode;
use heal_otlp_receiver::{Collector, Reply};

const SECRET: &str = "hunter2-s3cr3t";

#[tokio::test]
async fn a_secret_in_headers_urls_and_labels_appears_nowhere() {
    for reply in [Reply::Ok, Reply::Status(StatusCode::UNAUTHORIZED)] {
        let collector = Collector::start(reply).await;
        let url = collector.url.replace("http://", &format!("http://user:{SECRET}@"));
        let headers = format!("authorization=Bearer {SECRET}");
        let variables = [("OTEL_EXPORTER_OTLP_ENDPOINT", url.as_str()), ("OTEL_EXPORTER_OTLP_HEADERS", &headers)];
        let settings = settings(&variables);
        let shown = format!("{settings:?}");
        let telemetry = Setup::new(settings).with_scrape().with_cap(FLUSH_CAP).build().unwrap();
        let sink = Sink::default();
        let writer = sink.clone();
        let lines = Lines::new(Format::Json, move || writer.clone());
        let filter = Filter::parse("trace", "trace").unwrap();
        let _on = tracing::subscriber::set_default(telemetry.subscriber(filter, lines));
        tracing::info_span!("self_healing.attempt").in_scope(|| tracing::info!("something happened"));
        count_all(&telemetry.metrics().with_names(names()));
        telemetry.metrics().count(Id::TicketReallocation, &["success", SECRET]);
        telemetry.flush().await;

        let received = collector.received();
        assert!(!received.is_empty());
        assert!(
            received.iter().any(|received| received.headers["authorization"].to_str().unwrap().contains(SECRET)),
            "the configured header was not sent"
        );
        for received in &received {
            assert!(!contains(&received.body), "the secret was sent to {}", received.path);
        }
        for output in [sink.text(), telemetry.exposition().unwrap(), shown, format!("{telemetry:?}")] {
            assert!(!output.contains(SECRET), "{output}");
        }
        assert!(sink.text().contains("something happened"));
    }
}

fn contains(body: &[u8]) -> bool {
    body.windows(SECRET.len()).any(|window| window == SECRET.as_bytes())
}
