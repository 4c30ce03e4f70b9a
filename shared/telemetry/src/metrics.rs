//! The engine's metrics: their names, labels and instruments.
//!
//! [`table`] is the one place that defines them, as data, with the labels' [`values`]. [`Metrics`] counts, sets and records. It replaces every label value
//! outside its label's closed set, so that no text from outside can create a time series. [`Metrics::silent`] records nothing.

mod instrument;
pub mod label;
pub mod table;
pub mod values;

use std::sync::Arc;
use std::time::Duration;

use opentelemetry::KeyValue;

pub use label::{Label, Names, OTHER, Values};
pub use table::{Id, Kind, Metric};

use instrument::Instruments;

/// Records the engine's metrics. Cheap to clone; no method blocks or fails.
#[derive(Debug, Clone, Default)]
pub struct Metrics {
    instruments: Option<Arc<Instruments>>,
    names: Arc<Names>,
}

impl Metrics {
    /// Metrics that record nothing.
    pub fn silent() -> Self {
        Self::default()
    }

    pub(crate) fn new(provider: &dyn opentelemetry::metrics::MeterProvider) -> Self {
        Self { instruments: Some(Arc::new(Instruments::new(provider))), names: Arc::default() }
    }

    /// The same metrics, with the playbooks and actions that may occur as label values; all others become `other`.
    #[must_use]
    pub fn with_names(&self, names: Names) -> Self {
        Self { instruments: self.instruments.clone(), names: Arc::new(names) }
    }

    /// Adds one to a counter; `labels` in the order of the metric's table entry.
    pub fn count(&self, id: Id, labels: &[&str]) {
        if let Some(instruments) = &self.instruments {
            instruments.add(id, 1, &self.attributes(id, labels));
        }
    }

    /// Creates every counter at zero, for each combination of its known label values. A rate needs a sample from before the first
    /// event, and so does an alert on it; for a service that is scraped from its start.
    pub fn show_zeros(&self) {
        let Some(instruments) = &self.instruments else { return };
        for id in Id::ALL.iter().filter(|id| id.metric().kind == Kind::Counter) {
            for attributes in self.known_attributes(*id) {
                instruments.add(*id, 0, &attributes);
            }
        }
    }

    /// Adds an observation to a histogram, in the metric's own unit.
    pub fn observe(&self, id: Id, value: f64, labels: &[&str]) {
        if let Some(instruments) = &self.instruments {
            instruments.record(id, value, &self.attributes(id, labels));
        }
    }

    /// Adds a duration to a histogram of seconds.
    pub fn time(&self, id: Id, took: Duration, labels: &[&str]) {
        self.observe(id, took.as_secs_f64(), labels);
    }

    /// Sets a gauge; `labels` in the order of the metric's table entry.
    pub fn set(&self, id: Id, value: u64, labels: &[&str]) {
        if let Some(instruments) = &self.instruments {
            instruments.set(id, value, &self.attributes(id, labels));
        }
    }

    /// Every combination of the labels' known values.
    fn known_attributes(&self, id: Id) -> Vec<Vec<KeyValue>> {
        id.metric().labels.iter().fold(vec![Vec::new()], |combinations, label| {
            let values = label.known(&self.names);
            let with = |rest: &Vec<KeyValue>, value: &str| {
                rest.iter().cloned().chain([KeyValue::new(label.name, value.to_owned())]).collect()
            };
            combinations.iter().flat_map(|rest| values.iter().map(|value| with(rest, value))).collect()
        })
    }

    fn attributes(&self, id: Id, labels: &[&str]) -> Vec<KeyValue> {
        let declared = id.metric().labels.iter();
        declared
            .zip(labels)
            .map(|(label, value)| KeyValue::new(label.name, label.admit(value, &self.names).into_owned()))
            .collect()
    }
}
