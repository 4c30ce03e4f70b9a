//! `CloudWatch` embedded metric format: lines on standard output that `CloudWatch` Logs turns into metrics, so that a deployment
//! without a collector has metrics too.
//!
//! The format is AWS' "Specification: CloudWatch embedded metric format". Sums and histograms cover the time since the last flush.

use std::collections::BTreeMap;
use std::fmt;
use std::io::Write;
use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use opentelemetry::KeyValue;
use opentelemetry_sdk::metrics::data::{AggregatedMetrics, HistogramDataPoint, Metric, MetricData};
use serde_json::{Map, Value, json};

use super::reader::Reader;
use crate::metrics::Id;

/// The writer of the lines.
pub(super) type Out = Box<dyn Write + Send>;

pub(super) struct Emf {
    reader: Reader,
    namespace: String,
    service: String,
    out: Mutex<Out>,
}

impl fmt::Debug for Emf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Emf").field("namespace", &self.namespace).finish_non_exhaustive()
    }
}

/// The dimension that every metric has.
const SERVICE: &str = "service_name";

/// Labels to metric name to unit and value: metrics with the same labels share a line.
type ByLabels = BTreeMap<BTreeMap<String, String>, BTreeMap<String, (&'static str, Value)>>;

impl Emf {
    pub(super) fn new(reader: Reader, namespace: String, service: String, out: Out) -> Self {
        Self { reader, namespace, service, out: Mutex::new(out) }
    }

    /// Writes the metrics recorded since the last call.
    pub(super) fn write(&self) {
        let Some(metrics) = self.reader.read() else { return };
        let mut lines = ByLabels::new();
        for metric in metrics.scope_metrics().flat_map(opentelemetry_sdk::metrics::data::ScopeMetrics::metrics) {
            add(&mut lines, metric);
        }
        #[expect(clippy::disallowed_methods, reason = "a metric carries the wall time")]
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
        let now = u64::try_from(now).unwrap_or(u64::MAX);
        let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        for (labels, values) in lines {
            // If standard output cannot be written, the metrics are lost; that must not fail the run.
            let _ = writeln!(out, "{}", self.line(now, labels, values));
        }
        let _ = out.flush();
    }

    /// Publishes each metric by service and labels, by service alone, and by its alarm label alone: an alarm names its dimensions exactly.
    fn line(
        &self,
        now_ms: u64,
        labels: BTreeMap<String, String>,
        values: BTreeMap<String, (&'static str, Value)>,
    ) -> Value {
        let own = [SERVICE].into_iter().chain(labels.keys().map(String::as_str));
        let mut dimensions = vec![json!(own.collect::<Vec<_>>())];
        if !labels.is_empty() {
            dimensions.push(json!([SERVICE]));
        }
        // Metrics with the same labels have the same alarm label.
        let alarm_label = values.keys().find_map(|name| Id::by_name(name)?.metric().alarm_label());
        dimensions.extend(alarm_label.map(|label| json!([label])));
        let definitions: Vec<_> = values.iter().map(|(name, (unit, _))| json!({"Name": name, "Unit": unit})).collect();
        let directive = json!({"Namespace": self.namespace, "Dimensions": dimensions, "Metrics": definitions});
        let mut line = Map::new();
        line.insert("_aws".to_owned(), json!({"Timestamp": now_ms, "CloudWatchMetrics": [directive]}));
        line.insert(SERVICE.to_owned(), json!(self.service));
        line.extend(labels.into_iter().map(|(name, value)| (name, Value::from(value))));
        line.extend(values.into_iter().map(|(name, (_, value))| (name, value)));
        Value::Object(line)
    }
}

fn add(lines: &mut ByLabels, metric: &Metric) {
    let mut put = |labels: BTreeMap<String, String>, unit, value| {
        lines.entry(labels).or_default().insert(metric.name().to_owned(), (unit, value));
    };
    match metric.data() {
        AggregatedMetrics::U64(MetricData::Sum(sum)) => {
            sum.data_points().for_each(|point| put(labels(point.attributes()), "Count", json!(point.value())));
        }
        AggregatedMetrics::U64(MetricData::Gauge(gauge)) => {
            gauge.data_points().for_each(|point| put(labels(point.attributes()), "None", json!(point.value())));
        }
        AggregatedMetrics::F64(MetricData::Histogram(histogram)) => {
            let unit = if metric.unit() == "s" { "Seconds" } else { "None" };
            histogram.data_points().for_each(|point| put(labels(point.attributes()), unit, distribution(point)));
        }
        // The table has no such metrics.
        AggregatedMetrics::U64(MetricData::Histogram(_) | MetricData::ExponentialHistogram(_))
        | AggregatedMetrics::F64(MetricData::Sum(_) | MetricData::Gauge(_) | MetricData::ExponentialHistogram(_))
        | AggregatedMetrics::I64(_) => {}
    }
}

fn labels<'a>(attributes: impl Iterator<Item = &'a KeyValue>) -> BTreeMap<String, String> {
    attributes.map(|label| (label.key.as_str().to_owned(), label.value.as_str().into_owned())).collect()
}

/// Values with their counts. Each filled bucket is represented by the middle of its bounds, clamped to the observed range.
fn distribution(point: &HistogramDataPoint<f64>) -> Value {
    let (min, max) = (point.min().unwrap_or_default(), point.max().unwrap_or_default());
    let uppers = point.bounds().chain([f64::INFINITY]);
    let lowers = [f64::NEG_INFINITY].into_iter().chain(point.bounds());
    let filled = lowers.zip(uppers).zip(point.bucket_counts()).filter(|(_, count)| *count > 0);
    let (values, counts): (Vec<f64>, Vec<u64>) =
        filled.map(|((lower, upper), count)| (f64::midpoint(lower.max(min), upper.min(max)), count)).unzip();
    json!({"Values": values, "Counts": counts, "Min": min, "Max": max, "Sum": point.sum(), "Count": point.count()})
}
