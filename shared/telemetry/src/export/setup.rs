//! Builds a process's telemetry from its settings.

use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_aws::trace::XrayIdGenerator;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::metrics::{SdkMeterProvider, Temporality};
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing::Subscriber;
use tracing_subscriber::filter::{LevelFilter, filter_fn};
use tracing_subscriber::layer::{Layer, SubscriberExt as _};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;

use super::emf::{Emf, Out};
use super::otlp::{OtlpError, OtlpMetrics, OtlpSpans};
use super::reader::Reader;
use super::scrape::Scrape;
use super::settings::Settings;
use super::spans::SpanBuffer;
use super::{FLUSH_CAP, Inner, Telemetry};
use crate::logs::{self, Format, Lines};
use crate::metrics::{Id, Metrics};
use crate::trace;

/// Why telemetry could not be initialised.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An OTLP exporter could not be created.
    #[error(transparent)]
    Otlp(#[from] OtlpError),
    /// The Prometheus exporter could not be created.
    #[error("failed to create the Prometheus exporter for scrapes")]
    Scrape(#[from] opentelemetry_sdk::error::OTelSdkError),
    /// Logging could not be initialised.
    #[error(transparent)]
    Logs(#[from] logs::Error),
}

/// A builder of a process's [`Telemetry`].
pub struct Setup {
    settings: Settings,
    cap: Duration,
    scrape: bool,
    embedded: Option<Out>,
}

impl std::fmt::Debug for Setup {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Setup").field("settings", &self.settings).field("scrape", &self.scrape).finish_non_exhaustive()
    }
}

impl Setup {
    /// Exports by OTLP if an endpoint is configured, and nowhere else.
    pub const fn new(settings: Settings) -> Self {
        Self { settings, cap: FLUSH_CAP, scrape: false, embedded: None }
    }

    /// Replaces [`FLUSH_CAP`], for tests that must not wait that long.
    #[must_use]
    pub const fn with_cap(mut self, cap: Duration) -> Self {
        self.cap = cap;
        self
    }

    /// Enables [`Telemetry::exposition`].
    #[must_use]
    pub const fn with_scrape(mut self) -> Self {
        self.scrape = true;
        self
    }

    /// Writes metrics to `out` in the embedded metric format if no OTLP endpoint for metrics is configured.
    #[must_use]
    pub fn with_embedded_metrics(mut self, out: impl std::io::Write + Send + 'static) -> Self {
        self.embedded = Some(Box::new(out));
        self
    }

    /// Builds the telemetry.
    ///
    /// # Errors
    /// An endpoint is not a URL, or an exporter could not be created.
    pub fn build(self) -> Result<Telemetry, Error> {
        let Self { settings, cap, scrape, embedded } = self;
        let resource = resource(&settings);
        let mut meters = SdkMeterProvider::builder().with_resource(resource.clone());
        let mut otlp = None;
        let mut emf = None;
        match (&settings.metrics, embedded) {
            (Some(endpoint), _) => {
                let reader = Reader::new(Temporality::Cumulative);
                otlp = Some(OtlpMetrics::new(endpoint, reader.clone())?);
                meters = meters.with_reader(reader);
            }
            (None, Some(out)) => {
                let reader = Reader::new(Temporality::Delta);
                emf = Some(Emf::new(reader.clone(), settings.namespace.clone(), settings.service.clone(), out));
                meters = meters.with_reader(reader);
            }
            (None, None) => {}
        }
        let mut scraped = None;
        if scrape {
            let (scrape, reader) = Scrape::new()?;
            meters = meters.with_reader(reader);
            scraped = Some(scrape);
        }
        let (tracers, spans) = match &settings.traces {
            Some(endpoint) => {
                let buffer = SpanBuffer::default();
                let spans = OtlpSpans::new(endpoint, &resource, buffer.clone())?;
                let tracers = SdkTracerProvider::builder()
                    .with_id_generator(XrayIdGenerator::default())
                    .with_span_processor(buffer)
                    .with_resource(resource)
                    .build();
                (Some(tracers), Some(spans))
            }
            None => (None, None),
        };
        let meters = meters.build();
        let metrics = Metrics::new(&meters);
        metrics.set(Id::BuildInfo, 1, &[&settings.service, env!("CARGO_PKG_VERSION")]);
        let flushing = tokio::sync::Mutex::default();
        let inner = Inner { _meters: Some(meters), tracers, spans, otlp, emf, scrape: scraped, cap, flushing };
        Ok(Telemetry { metrics, inner: std::sync::Arc::new(inner) })
    }
}

impl Telemetry {
    /// Builds and installs a function's telemetry: JSON lines on standard error, and OTLP for each signal with an endpoint. Without an
    /// endpoint for metrics, they go to standard output in the embedded metric format. `get` reads a variable.
    ///
    /// A wrong setting is logged as a warning and disables what it configures; it must not stop the function from healing.
    pub fn lambda(service: &str, get: &dyn Fn(&str) -> Option<String>) -> Self {
        let setup = Setup::new(Settings::read(service, get)).with_embedded_metrics(std::io::stdout());
        let (telemetry, setup_error) = match setup.build() {
            Ok(telemetry) => (telemetry, None),
            Err(error) => (Self::silent(), Some(error)),
        };
        let directives = get(logs::ENV_RUST_LOG).unwrap_or_default();
        let (filter, filter_error) = match logs::Filter::parse(&directives, logs::DEFAULT) {
            Ok(filter) => (filter, None),
            Err(error) => (logs::Filter::default(), Some(error)),
        };
        let lines = Lines::new(Format::Json, std::io::stderr);
        let installed = telemetry.subscriber(filter, lines).try_init();
        let errors = [setup_error.map(|error| error.to_string()), filter_error.map(|error| error.to_string())];
        for error in errors.into_iter().flatten() {
            tracing::warn!(event = "telemetry.misconfigured", error, "invalid telemetry setting ignored");
        }
        if installed.is_err() {
            tracing::warn!(event = "telemetry.misconfigured", "logging was already initialised in this process");
        }
        telemetry
    }

    /// Builds and installs a long-running service's telemetry: log lines on standard error, [`Telemetry::exposition`], and OTLP for
    /// each signal with an endpoint.
    ///
    /// # Errors
    /// An endpoint is not a URL, `RUST_LOG` cannot be parsed, or logging is already initialised.
    pub fn serve(service: &str, format: Format, get: &dyn Fn(&str) -> Option<String>) -> Result<Self, Error> {
        let telemetry = Setup::new(Settings::read(service, get)).with_scrape().build()?;
        let filter = logs::Filter::parse(&get(logs::ENV_RUST_LOG).unwrap_or_default(), logs::DEFAULT)?;
        let subscriber = telemetry.subscriber(filter, Lines::new(format, std::io::stderr));
        subscriber.try_init().map_err(logs::Error::from)?;
        Ok(telemetry)
    }

    /// A subscriber that writes the lines that `filter` admits, and records spans if they are exported, independently of `filter`.
    pub fn subscriber<W>(&self, filter: logs::Filter, lines: Lines<W>) -> impl Subscriber + Send + Sync + 'static
    where
        W: for<'w> tracing_subscriber::fmt::MakeWriter<'w> + Send + Sync + 'static,
    {
        tracing_subscriber::registry().with(self.spans()).with(lines.with_filter(filter))
    }

    fn spans<S>(&self) -> Option<impl Layer<S> + use<S>>
    where
        S: Subscriber + for<'s> LookupSpan<'s> + Send + Sync,
    {
        let tracer = self.inner.tracers.as_ref()?.tracer(trace::SCOPE);
        // The engine's spans only, without events: the log has them already, and a second copy is a second place to leak from.
        let ours = filter_fn(|metadata| metadata.is_span() && trace::is_ours(metadata.name()));
        let layer = tracing_opentelemetry::layer()
            .with_tracer(tracer)
            .with_location(false)
            .with_threads(false)
            .with_target(false)
            .with_tracked_inactivity(false);
        Some(layer.with_filter(ours.with_max_level_hint(LevelFilter::INFO)))
    }
}

/// The process's identity. One `service.instance.id` per process keeps the series of two sandboxes apart.
fn resource(settings: &Settings) -> Resource {
    let mut attributes = vec![
        KeyValue::new("service.name", settings.service.clone()),
        KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
        KeyValue::new("service.instance.id", instance_id()),
    ];
    if let Some(function) = &settings.function {
        attributes.push(KeyValue::new("faas.name", function.clone()));
    }
    Resource::builder_empty().with_attributes(attributes).build()
}

#[expect(clippy::disallowed_methods, reason = "an instance's id is random")]
fn instance_id() -> String {
    let mut bytes = [0; 16];
    // The operating system's generator does not fail after boot. If it does, the process id still tells most sandboxes apart.
    if getrandom::fill(&mut bytes).is_err() {
        return format!("process-{}", std::process::id());
    }
    format!("{:032x}", u128::from_be_bytes(bytes))
}
