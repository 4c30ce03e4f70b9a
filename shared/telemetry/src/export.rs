//! The export of metrics and traces: by OTLP to a collector, as Prometheus text to a scraper, or as embedded metric format on
//! standard output.
//!
//! *Invariant*: telemetry never fails or delays a run. Counting and spans cost bounded memory and nothing else;
//! [`Telemetry::flush`] runs after the work, ends within its cap, and logs a warning if an export failed.

mod client;
mod emf;
mod otlp;
mod reader;
mod scrape;
mod settings;
mod setup;
mod spans;

use std::sync::Arc;
use std::time::Duration;

use opentelemetry_sdk::metrics::SdkMeterProvider;
use opentelemetry_sdk::trace::SdkTracerProvider;

pub use otlp::OtlpError;
pub use scrape::CONTENT_TYPE;
pub use settings::{
    DEFAULT_NAMESPACE, ENV_FUNCTION_NAME, ENV_METRICS_NAMESPACE, ENV_OTLP_ENDPOINT, ENV_OTLP_HEADERS,
    ENV_OTLP_METRICS_ENDPOINT, ENV_OTLP_TRACES_ENDPOINT, Endpoint, Settings,
};
pub use setup::{Error, Setup};

use crate::metrics::Metrics;
use emf::Emf;
use otlp::{OtlpMetrics, OtlpSpans};
use scrape::Scrape;

/// Longest duration of one flush, over all signals: the most that telemetry may add to an invocation.
pub const FLUSH_CAP: Duration = Duration::from_secs(1);
/// How often a long-running service flushes.
pub const FLUSH_EVERY: Duration = Duration::from_secs(10);

/// The telemetry of one process. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Telemetry {
    metrics: Metrics,
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    /// Held because dropping it stops the metrics.
    _meters: Option<SdkMeterProvider>,
    tracers: Option<SdkTracerProvider>,
    spans: Option<OtlpSpans>,
    otlp: Option<OtlpMetrics>,
    emf: Option<Emf>,
    scrape: Option<Scrape>,
    cap: Duration,
    /// Serialises flushes: each takes everything that is pending.
    flushing: tokio::sync::Mutex<()>,
}

impl Telemetry {
    /// Telemetry that exports nothing.
    pub fn silent() -> Self {
        let inner = Inner {
            _meters: None,
            tracers: None,
            spans: None,
            otlp: None,
            emf: None,
            scrape: None,
            cap: FLUSH_CAP,
            flushing: tokio::sync::Mutex::default(),
        };
        Self { metrics: Metrics::silent(), inner: Arc::new(inner) }
    }

    /// The process's metrics.
    pub const fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Whether spans are exported; if so, outgoing calls carry their `traceparent`.
    pub fn traces(&self) -> bool {
        self.inner.tracers.is_some()
    }

    /// The metrics in Prometheus' text format; `None` unless [`Setup::with_scrape`] enabled it.
    pub fn exposition(&self) -> Option<String> {
        self.inner.scrape.as_ref().map(Scrape::text)
    }

    /// Exports everything recorded since the last flush. On Lambda it runs after an invocation's reply, before the sandbox freezes.
    ///
    /// # Guarantees
    /// Ends within the cap and never fails. If an export fails, a warning is logged, the spans are lost, and the metrics are sent
    /// with the next flush.
    pub async fn flush(&self) {
        let inner = &self.inner;
        let work = async {
            let _one = inner.flushing.lock().await;
            if let Some(emf) = &inner.emf {
                emf.write();
            }
            let spans = async {
                match &inner.spans {
                    Some(spans) => spans.send().await,
                    None => Ok(()),
                }
            };
            let metrics = async {
                match &inner.otlp {
                    Some(metrics) => metrics.send().await,
                    None => Ok(()),
                }
            };
            tokio::join!(spans, metrics)
        };
        if let Ok((spans, metrics)) = tokio::time::timeout(inner.cap, work).await {
            warn_if_failed("traces", spans);
            warn_if_failed("metrics", metrics);
        } else {
            let cap_ms = u64::try_from(inner.cap.as_millis()).unwrap_or(u64::MAX);
            tracing::warn!(
                event = "telemetry.flush_cut",
                cap_ms,
                "telemetry flush cut off: the collector did not answer within the cap"
            );
        }
    }

    /// Flushes every `every`, and as soon as the span buffer is half full; for a long-running service. Never returns.
    pub async fn flush_every(&self, every: Duration) {
        loop {
            let full = async {
                match &self.inner.spans {
                    Some(spans) => spans.half_full().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = tokio::time::sleep(every) => {}
                () = full => {}
            }
            self.flush().await;
        }
    }
}

fn warn_if_failed(signal: &'static str, result: Result<(), String>) {
    if let Err(error) = result {
        tracing::warn!(event = "telemetry.export_failed", signal, error, "failed to export telemetry");
    }
}
