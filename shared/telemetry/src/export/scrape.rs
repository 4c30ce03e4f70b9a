//! Prometheus' text format, for whoever scrapes.

use opentelemetry_prometheus::PrometheusExporter;
use opentelemetry_sdk::error::OTelSdkError;
use prometheus::{Registry, TextEncoder};

/// What a scrape's answer says that it is.
pub const CONTENT_TYPE: &str = prometheus::TEXT_FORMAT;

/// Gathers the metrics anew at each scrape.
#[derive(Debug)]
pub(super) struct Scrape(Registry);

impl Scrape {
    /// With the reader that the meter provider has to know.
    pub(super) fn new() -> Result<(Self, PrometheusExporter), OTelSdkError> {
        let registry = Registry::new();
        let reader = opentelemetry_prometheus::exporter()
            .with_registry(registry.clone())
            // The table's names are whole: nothing is appended to them.
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
                tracing::warn!(event = "telemetry.scrape_failed", %error, "metrics could not be written out");
                String::new()
            }
        }
    }
}
