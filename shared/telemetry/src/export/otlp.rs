//! OTLP over HTTP, as protobuf: one try per flush, no retry.

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
use super::spans::SpanBuffer;

/// Most spans in one request: a few hundred kilobytes.
const BATCH: usize = 512;

/// Why an exporter could not be created.
#[derive(Debug, thiserror::Error)]
pub enum OtlpError {
    /// TLS could not be set up.
    #[error("failed to create the HTTP client of the OTLP exporter")]
    Client(#[from] heal_http::TlsError),
    /// The endpoint is not a URL. The exporter's own error is left out: it repeats the URL, which may contain credentials.
    #[error(
        "the OTLP endpoint of {signal} is not a URL such as http://collector:4318; check OTEL_EXPORTER_OTLP_ENDPOINT"
    )]
    Exporter {
        /// `traces` or `metrics`.
        signal: &'static str,
    },
}

/// Sends the spans that have ended.
pub(super) struct OtlpSpans {
    exporter: SpanExporter,
    buffer: SpanBuffer,
}

/// Sends every time series, cumulative.
pub(super) struct OtlpMetrics {
    exporter: MetricExporter,
    reader: Reader,
}

impl fmt::Debug for OtlpSpans {
    /// Omits the exporter, whose own output contains its headers.
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
    pub(super) fn new(endpoint: &Endpoint, resource: &Resource, buffer: SpanBuffer) -> Result<Self, OtlpError> {
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(Client::new(&endpoint.url)?)
            .with_endpoint(&endpoint.url)
            .with_protocol(Protocol::HttpBinary)
            .with_timeout(FLUSH_CAP)
            .with_headers(endpoint.headers.clone())
            // A retry would only use up the cap.
            .with_retry_policy(RetryPolicy::disabled())
            .build();
        let mut exporter = exporter.map_err(|_| OtlpError::Exporter { signal: "traces" })?;
        exporter.set_resource(resource);
        Ok(Self { exporter, buffer })
    }

    /// Sends the spans buffered at this moment. Spans whose request fails are lost.
    pub(super) async fn send(&self) -> Result<(), String> {
        let dropped = self.buffer.take_dropped();
        if dropped > 0 {
            tracing::warn!(event = "telemetry.spans_dropped", dropped, "spans dropped: the buffer was full");
        }
        let mut left = super::spans::CAPACITY;
        loop {
            let batch = self.buffer.take(BATCH.min(left));
            if batch.is_empty() {
                return Ok(());
            }
            left -= batch.len();
            self.exporter.export(batch).await.map_err(|error| error.to_string())?;
        }
    }

    pub(super) async fn half_full(&self) {
        self.buffer.half_full().await;
    }
}

impl OtlpMetrics {
    /// Sums are cumulative, because Prometheus refuses a request with deltas.
    pub(super) fn new(endpoint: &Endpoint, reader: Reader) -> Result<Self, OtlpError> {
        let exporter = MetricExporter::builder()
            .with_http()
            .with_http_client(Client::new(&endpoint.url)?)
            .with_endpoint(&endpoint.url)
            .with_protocol(Protocol::HttpBinary)
            .with_timeout(FLUSH_CAP)
            .with_headers(endpoint.headers.clone())
            // A retry would only use up the cap.
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
