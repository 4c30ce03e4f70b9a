//! Prometheus' text format, for scrapes.

use opentelemetry_prometheus::PrometheusExporter;
use opentelemetry_sdk::error::OTelSdkError;
use prometheus::{Registry, TextEncoder};

/// The content type of the answer to a scrape.
pub const CONTENT_TYPE: &str = prometheus::TEXT_FORMAT;

/// Gathers the metrics at each scrape.
#[derive(Debug)]
pub(super) struct Scrape(Registry);

impl Scrape {
    /// The scrape, and the reader to register with the meter provider.
    pub(super) fn new() -> Result<(Self, PrometheusExporter), OTelSdkError> {
        let registry = Registry::new();
        let reader = opentelemetry_prometheus::exporter()
            .with_registry(registry.clone())
            // The table's names are complete: append nothing.
            .without_units()
            .without_counter_suffixes()
            .without_target_info()
            .scope_info_enabled(false)
            .build()?;
        Ok((Self(registry), reader))
    }

    pub(super) fn text(&self) -> String {
        match TextEncoder::new().encode_to_string(&self.0.gather()) {
            Ok(text) => text,
            Err(error) => {
                tracing::warn!(event = "telemetry.scrape_failed", %error, "failed to write the metrics of a scrape as text");
                String::new()
            }
        }
    }
}
