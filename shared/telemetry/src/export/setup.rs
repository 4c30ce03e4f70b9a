//! A process's telemetry put together, from its settings.

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
use super::spans::Kept;
use super::{FLUSH_CAP, Inner, Telemetry};
use crate::logs::{self, Format, Lines};
use crate::metrics::{Id, Metrics};
use crate::trace;

/// Why telemetry could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Otlp(#[from] OtlpError),
    #[error("the registry for scrapes cannot be made")]
    Scrape(#[from] opentelemetry_sdk::error::OTelSdkError),
    #[error(transparent)]
    Logs(#[from] logs::Error),
}

/// What a process's telemetry is to be.
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
    /// OTLP where an endpoint is configured, and nothing else.
    pub const fn new(settings: Settings) -> Self {
        Self { settings, cap: FLUSH_CAP, scrape: false, embedded: None }
    }

    /// Another cap than [`FLUSH_CAP`], for a test that does not want to wait.
    #[must_use]
    pub const fn with_cap(mut self, cap: Duration) -> Self {
        self.cap = cap;
        self
    }

    /// Keeps what [`Telemetry::exposition`] gives.
    #[must_use]
    pub const fn with_scrape(mut self) -> Self {
        self.scrape = true;
        self
    }

    /// Writes metrics to `out` in the embedded metric format where no endpoint for metrics is configured.
    #[must_use]
    pub fn with_embedded_metrics(mut self, out: impl std::io::Write + Send + 'static) -> Self {
        self.embedded = Some(Box::new(out));
        self
    }

    /// # Errors
    /// An endpoint is no URL.
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
                let kept = Kept::default();
                let spans = OtlpSpans::new(endpoint, &resource, kept.clone())?;
                let tracers = SdkTracerProvider::builder()
                    .with_id_generator(XrayIdGenerator::default())
                    .with_span_processor(kept)
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
    /// A function's telemetry, installed: JSON lines on standard error, and by OTLP what an endpoint is configured for; metrics without one go
    /// to standard output in the embedded metric format. `get` reads a variable.
    ///
    /// Whatever is wrong with the settings of telemetry is a warning, and costs what it is about: it is no reason not to heal.
    pub fn lambda(service: &str, get: &dyn Fn(&str) -> Option<String>) -> Self {
        let setup = Setup::new(Settings::read(service, get)).with_embedded_metrics(std::io::stdout());
        let (telemetry, fault) = match setup.build() {
            Ok(telemetry) => (telemetry, None),
            Err(error) => (Self::silent(), Some(error)),
        };
        let directives = get(logs::ENV_RUST_LOG).unwrap_or_default();
        let (filter, misread) = match logs::Filter::parse(&directives, logs::DEFAULT) {
            Ok(filter) => (filter, None),
            Err(error) => (logs::Filter::default(), Some(error)),
        };
        let lines = Lines::new(Format::Json, std::io::stderr);
        let installed = telemetry.subscriber(filter, lines).try_init();
        for error in fault.map(|error| error.to_string()).into_iter().chain(misread.map(|error| error.to_string())) {
            tracing::warn!(event = "telemetry.misconfigured", error, "telemetry is not what was asked for");
        }
        if installed.is_err() {
            tracing::warn!(event = "telemetry.misconfigured", "logging was set up already");
        }
        telemetry
    }

    /// A long-running service's telemetry, installed: log lines on standard error, [`Telemetry::exposition`], and OTLP where it is configured.
    ///
    /// # Errors
    /// An endpoint is no URL, `RUST_LOG` cannot be read, or logging is set up already.
    pub fn serve(service: &str, format: Format, get: &dyn Fn(&str) -> Option<String>) -> Result<Self, Error> {
        let telemetry = Setup::new(Settings::read(service, get)).with_scrape().build()?;
        let filter = logs::Filter::parse(&get(logs::ENV_RUST_LOG).unwrap_or_default(), logs::DEFAULT)?;
        let subscriber = telemetry.subscriber(filter, Lines::new(format, std::io::stderr));
        subscriber.try_init().map_err(logs::Error::from)?;
        Ok(telemetry)
    }

    /// Log lines by `filter`, and spans where they are exported: the two do not depend on each other.
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
        // Only our spans, and no events: what is said in the log needs no second place where it could say too much.
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

/// Who this is: one `service.instance.id` per process, so that the series of two sandboxes stay apart.
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
    // The operating system's generator does not fail after boot; the process' id still tells most sandboxes apart.
    if getrandom::fill(&mut bytes).is_err() {
        return format!("process-{}", std::process::id());
    }
    format!("{:032x}", u128::from_be_bytes(bytes))
}
