//! OTLP over HTTP, as protobuf: one try a flush, no repetition.

use std::fmt;

use opentelemetry_otlp::{
    MetricExporter, Protocol, RetryPolicy, SpanExporter, WithExportConfig as _, WithHttpConfig as _,
};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::metrics::Temporality;
use opentelemetry_sdk::metrics::exporter::PushMetricExporter as _;
use opentelemetry_sdk::trace::SpanExporter as _;

use super::FLUSH_CAP;
use super::client::Client;
use super::reader::Reader;
use super::settings::Endpoint;
use super::spans::Kept;

/// Spans of one request: a few hundred kilobytes.
const BATCH: usize = 512;

/// Why an exporter cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum OtlpError {
    #[error("the HTTP client of the OTLP exporter cannot be made")]
    Client(#[from] reqwest::Error),
    /// Without the exporter's own error: it repeats the URL, which may hold credentials.
    #[error("the OTLP endpoint of {signal} is no URL such as http://collector:4318")]
    Exporter { signal: &'static str },
}

/// Sends the spans that have ended.
pub(super) struct OtlpSpans {
    exporter: SpanExporter,
    kept: Kept,
}

/// Sends every series, cumulative.
pub(super) struct OtlpMetrics {
    exporter: MetricExporter,
    reader: Reader,
}

impl fmt::Debug for OtlpSpans {
    /// Without the exporter, which prints its headers.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OtlpSpans").finish_non_exhaustive()
    }
}

impl fmt::Debug for OtlpMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OtlpMetrics").finish_non_exhaustive()
    }
}

impl OtlpSpans {
    pub(super) fn new(endpoint: &Endpoint, resource: &Resource, kept: Kept) -> Result<Self, OtlpError> {
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(Client::new(&endpoint.url)?)
            .with_endpoint(&endpoint.url)
            .with_protocol(Protocol::HttpBinary)
            .with_timeout(FLUSH_CAP)
            .with_headers(endpoint.headers.clone())
            // A repetition would only use up the cap.
            .with_retry_policy(RetryPolicy::disabled())
            .build();
        let mut exporter = exporter.map_err(|_| OtlpError::Exporter { signal: "traces" })?;
        exporter.set_resource(resource);
        Ok(Self { exporter, kept })
    }

    /// Everything that is kept at this moment. What does not go through is lost.
    pub(super) async fn send(&self) -> Result<(), String> {
        let dropped = self.kept.dropped();
        if dropped > 0 {
            tracing::warn!(event = "telemetry.spans_dropped", dropped, "more spans than there is room for");
        }
        let mut left = super::spans::SPANS;
        loop {
            let batch = self.kept.take(BATCH.min(left));
            if batch.is_empty() {
                return Ok(());
            }
            left -= batch.len();
            self.exporter.export(batch).await.map_err(|error| error.to_string())?;
        }
    }

    pub(super) async fn half_full(&self) {
        self.kept.half_full().await;
    }
}

impl OtlpMetrics {
    /// Prometheus refuses a request with deltas in it, so sums are cumulative.
    pub(super) fn new(endpoint: &Endpoint, reader: Reader) -> Result<Self, OtlpError> {
        let exporter = MetricExporter::builder()
            .with_http()
            .with_http_client(Client::new(&endpoint.url)?)
            .with_endpoint(&endpoint.url)
            .with_protocol(Protocol::HttpBinary)
            .with_timeout(FLUSH_CAP)
            .with_headers(endpoint.headers.clone())
            // A repetition would only use up the cap.
            .with_retry_policy(RetryPolicy::disabled())
            .with_temporality(Temporality::Cumulative)
            .build();
        let exporter = exporter.map_err(|_| OtlpError::Exporter { signal: "metrics" })?;
        Ok(Self { exporter, reader })
    }

    pub(super) async fn send(&self) -> Result<(), String> {
        match self.reader.read() {
            Some(metrics) => self.exporter.export(&metrics).await.map_err(|error| error.to_string()),
            None => Ok(()),
        }
    }
}
