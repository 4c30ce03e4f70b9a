//! A writer that records its input, settings from pairs, and sample label values.

use std::io::Write;
use std::sync::{Arc, Mutex};

use heal_telemetry::export::Settings;
use heal_telemetry::metrics::{Id, Kind, Metrics, Names, Values};
use serde_json::Value;

#[derive(Debug, Clone, Default)]
pub struct Sink(Arc<Mutex<Vec<u8>>>);

impl Sink {
    pub fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }

    /// Each line as JSON.
    pub fn lines(&self) -> Vec<Value> {
        self.text().lines().map(|line| serde_json::from_str(line).expect(line)).collect()
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

pub fn settings(variables: &[(&str, &str)]) -> Settings {
    let get = |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
    Settings::read("dispatcher", &get)
}

pub fn names() -> Names {
    Names { actions: ["restart_pod".to_owned()].into(), playbooks: ["worker_failure_recovery".to_owned()].into() }
}

/// A label value from the closed set.
pub fn known(values: Values) -> &'static str {
    match values {
        Values::Closed(values) => values[0],
        Values::Actions => "restart_pod",
        Values::Playbooks => "worker_failure_recovery",
        Values::Build => "x",
    }
}

/// Records every metric of the table once, with label values from their closed sets.
pub fn count_all(metrics: &Metrics) {
    for id in Id::ALL {
        let labels: Vec<_> = id.metric().labels.iter().map(|label| known(label.values)).collect();
        match id.metric().kind {
            Kind::Counter => metrics.count(*id, &labels),
            Kind::Gauge => metrics.set(*id, 1, &labels),
            Kind::Histogram(_) => metrics.observe(*id, 0.2, &labels),
        }
    }
}
