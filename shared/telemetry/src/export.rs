//! Where metrics and traces go: by OTLP to a collector, to whoever scrapes, or as embedded metric format on standard output.
//!
//! *Invariant*: telemetry never fails or delays a run. Counting and spans cost memory only, within bounds; [`Telemetry::flush`] is called when
//! the work is done, ends within its cap, and says in a warning what did not go through.

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

/// The longest that one flush may take, over all signals: what telemetry may cost an invocation.
pub const FLUSH_CAP: Duration = Duration::from_secs(1);
/// How often a service that runs on flushes.
pub const FLUSH_EVERY: Duration = Duration::from_secs(10);

/// A process's telemetry. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Telemetry {
    metrics: Metrics,
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    /// Dropped, it would stop counting.
    _meters: Option<SdkMeterProvider>,
    tracers: Option<SdkTracerProvider>,
    spans: Option<OtlpSpans>,
    otlp: Option<OtlpMetrics>,
    emf: Option<Emf>,
    scrape: Option<Scrape>,
    cap: Duration,
    /// One flush at a time: each takes what there is.
    flushing: tokio::sync::Mutex<()>,
}

impl Telemetry {
    /// Goes nowhere.
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

    pub const fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Whether spans are exported, and outgoing calls name them.
    pub fn traces(&self) -> bool {
        self.inner.tracers.is_some()
    }

    /// What a scrape is answered, in Prometheus' text format; none where nobody may scrape.
    pub fn exposition(&self) -> Option<String> {
        self.inner.scrape.as_ref().map(Scrape::text)
    }

    /// Sends what has come together since the last flush. After an invocation's reply, before the freeze.
    ///
    /// # Guarantees
    /// It is over within the cap, and never fails: spans that did not go through are lost, metrics come with the next flush, and a warning says so.
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
            tracing::warn!(event = "telemetry.flush_cut", cap_ms, "the collector did not answer in time");
        }
    }

    /// Flushes every so often, or when much has come together; for a service that runs on. Never ends.
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
        tracing::warn!(event = "telemetry.export_failed", signal, error, "telemetry did not go through");
    }
}
