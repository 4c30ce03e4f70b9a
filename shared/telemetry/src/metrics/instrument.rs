//! OpenTelemetry's instruments, created from the table.

use std::sync::OnceLock;

use opentelemetry::KeyValue;
use opentelemetry::metrics::{Counter, Gauge, Histogram, Meter, MeterProvider};

use super::table::{Id, Kind, Metric};

/// The instrumentation scope of all instruments.
const SCOPE: &str = "self_healing";

/// One instrument per table entry, at the entry's index. Each is created at its first use: a function uses few of them, and its
/// cold start should not pay for the rest.
#[derive(Debug)]
pub(super) struct Instruments {
    meter: Meter,
    instruments: Vec<OnceLock<Instrument>>,
}

#[derive(Debug)]
enum Instrument {
    Counter(Counter<u64>),
    Gauge(Gauge<u64>),
    Histogram(Histogram<f64>),
}

impl Instruments {
    pub(super) fn new(provider: &dyn MeterProvider) -> Self {
        Self { meter: provider.meter(SCOPE), instruments: Id::ALL.iter().map(|_| OnceLock::new()).collect() }
    }

    fn get_or_create(&self, id: Id) -> Option<&Instrument> {
        self.instruments.get(id as usize).map(|cell| cell.get_or_init(|| Instrument::new(&self.meter, id.metric())))
    }

    pub(super) fn add(&self, id: Id, count: u64, attributes: &[KeyValue]) {
        if let Some(Instrument::Counter(counter)) = self.get_or_create(id) {
            counter.add(count, attributes);
        }
    }

    pub(super) fn set(&self, id: Id, value: u64, attributes: &[KeyValue]) {
        if let Some(Instrument::Gauge(gauge)) = self.get_or_create(id) {
            gauge.record(value, attributes);
        }
    }

    pub(super) fn record(&self, id: Id, value: f64, attributes: &[KeyValue]) {
        if let Some(Instrument::Histogram(histogram)) = self.get_or_create(id) {
            histogram.record(value, attributes);
        }
    }
}

impl Instrument {
    fn new(meter: &Meter, metric: &Metric) -> Self {
        let Metric { name, kind, unit, help, .. } = *metric;
        match kind {
            Kind::Counter => Self::Counter(meter.u64_counter(name).with_unit(unit).with_description(help).build()),
            Kind::Gauge => Self::Gauge(meter.u64_gauge(name).with_unit(unit).with_description(help).build()),
            Kind::Histogram(bounds) => {
                let histogram = meter.f64_histogram(name).with_unit(unit).with_description(help);
                Self::Histogram(histogram.with_boundaries(bounds.to_vec()).build())
            }
        }
    }
}
