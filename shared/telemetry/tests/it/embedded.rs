//! Lines of `CloudWatch`'s embedded metric format, checked against AWS' specification.

use heal_telemetry::Telemetry;
use heal_telemetry::export::Setup;
use heal_telemetry::metrics::{Id, Kind};
use serde_json::Value;

use crate::support::{Sink, count_all, names, settings};

fn telemetry(variables: &[(&str, &str)]) -> (Telemetry, Sink) {
    let sink = Sink::default();
    let setup = Setup::new(settings(variables)).with_embedded_metrics(sink.clone());
    (setup.build().unwrap(), sink)
}

/// Asserts that a line has the parts that AWS' specification requires, and stays within its limits.
fn assert_valid(line: &Value) {
    assert!(line.to_string().len() < 1_048_576);
    let aws = line["_aws"].as_object().unwrap();
    assert!(aws["Timestamp"].as_u64().unwrap() > 1_600_000_000_000, "milliseconds since the epoch: {aws:?}");
    for directive in aws["CloudWatchMetrics"].as_array().unwrap() {
        assert!((1..=255).contains(&directive["Namespace"].as_str().unwrap().len()));
        let sets = directive["Dimensions"].as_array().unwrap();
        assert!(!sets.is_empty());
        for set in sets {
            let set = set.as_array().unwrap();
            assert!(set.len() <= 30);
            for name in set {
                let value =
                    line[name.as_str().unwrap()].as_str().unwrap_or_else(|| panic!("{name} has no text in {line}"));
                assert!((1..=1024).contains(&value.len()));
            }
        }
        let metrics = directive["Metrics"].as_array().unwrap();
        assert!((1..=100).contains(&metrics.len()));
        for metric in metrics {
            let (name, unit) = (metric["Name"].as_str().unwrap(), metric["Unit"].as_str().unwrap());
            assert!(["Seconds", "Count", "None"].contains(&unit), "{unit}");
            match &line[name] {
                Value::Number(_) => {}
                Value::Object(set) => {
                    let (values, counts) = (set["Values"].as_array().unwrap(), set["Counts"].as_array().unwrap());
                    assert_eq!(values.len(), counts.len());
                    assert!((1..=100).contains(&values.len()));
                    let total: f64 = counts.iter().map(|count| count.as_f64().unwrap()).sum();
                    assert_eq!(Some(total), set["Count"].as_f64());
                    assert!(["Min", "Max", "Sum"].iter().all(|name| set[*name].is_number()));
                }
                other => panic!("{name} is {other}"),
            }
        }
    }
}

fn value(lines: &[Value], id: Id) -> Option<&Value> {
    lines.iter().find_map(|line| line.get(id.metric().name))
}

#[tokio::test]
async fn every_metric_of_the_table_is_in_a_valid_line_with_its_labels() {
    let (telemetry, sink) = telemetry(&[("HEAL_METRICS_NAMESPACE", "Team/Healing")]);
    count_all(&telemetry.metrics().with_names(names()));
    telemetry.flush().await;
    let lines = sink.lines();
    lines.iter().for_each(assert_valid);
    for id in Id::ALL {
        let metric = id.metric();
        let line = lines.iter().find(|line| line.get(metric.name).is_some());
        let line = line.unwrap_or_else(|| panic!("{} is missing", metric.name));
        assert_eq!(line["_aws"]["CloudWatchMetrics"][0]["Namespace"], "Team/Healing");
        assert_eq!(line["service_name"], "dispatcher");
        for label in metric.labels {
            assert!(line[label.name].is_string(), "{} of {line}", label.name);
        }
        assert_eq!(line[metric.name].is_object(), matches!(metric.kind, Kind::Histogram(_)), "{line}");
    }
}

/// The dimension sets of the line that has the metric.
async fn dimensions(id: Id, labels: &[&str]) -> Vec<Vec<String>> {
    let (telemetry, sink) = telemetry(&[]);
    let metrics = telemetry.metrics().with_names(names());
    match id.metric().kind {
        Kind::Counter => metrics.count(id, labels),
        Kind::Gauge => metrics.set(id, 1, labels),
        Kind::Histogram(_) => metrics.observe(id, 0.2, labels),
    }
    telemetry.flush().await;
    let lines = sink.lines();
    let line = lines.iter().find(|line| line.get(id.metric().name).is_some()).unwrap();
    serde_json::from_value(line["_aws"]["CloudWatchMetrics"][0]["Dimensions"].clone()).unwrap()
}

/// A metric, the values of its labels, and the dimension sets that it is published by.
type Case<'a> = (Id, &'a [&'a str], &'a [&'a [&'a str]]);

#[tokio::test]
async fn an_alarm_finds_an_outcome_over_all_functions_playbooks_and_actions() {
    let service = ["service_name"].as_slice();
    let cases: [Case<'_>; 8] = [
        (Id::RunsEnded, &["x", "FAILED"], &[&["service_name", "outcome", "playbook"], service, &["outcome"]]),
        (Id::StepDuration, &["x", "unknown"], &[&["service_name", "action", "outcome"], service, &["outcome"]]),
        (Id::OpaValidation, &["x", "error"], &[&["service_name", "action", "result"], service, &["result"]]),
        (Id::BreakerState, &["opa"], &[&["service_name", "service"], service, &["service"]]),
        (Id::Attempts, &["x", "error"], &[&["service_name", "action", "status"], service]),
        (Id::BuildInfo, &["x", "1"], &[&["service_name", "service", "version"], service]),
        (Id::RunsActive, &[], &[service]),
        (Id::RunsAwaitingApproval, &[], &[service]),
    ];
    for (id, labels, expected) in cases {
        assert_eq!(dimensions(id, labels).await, expected, "{id:?}");
    }
}

#[tokio::test]
async fn a_flush_writes_the_metrics_since_the_last_one() {
    let (telemetry, sink) = telemetry(&[]);
    let metrics = telemetry.metrics();
    metrics.count(Id::OpaValidation, &["x", "allow"]);
    metrics.count(Id::OpaValidation, &["x", "allow"]);
    telemetry.flush().await;
    metrics.count(Id::OpaValidation, &["x", "allow"]);
    telemetry.flush().await;
    let values: Vec<_> =
        sink.lines().iter().filter_map(|line| line.get(Id::OpaValidation.metric().name).cloned()).collect();
    assert_eq!(values, [2, 1]);
    let before = sink.text().len();
    telemetry.flush().await;
    assert_eq!(sink.text().len(), before, "a flush without new metrics wrote a line");
}

#[tokio::test]
async fn a_distribution_stays_within_the_observed_range() {
    let (telemetry, sink) = telemetry(&[]);
    for seconds in [0.2, 0.2, 0.3, 45.0] {
        telemetry.metrics().observe(Id::TicketReallocationDuration, seconds, &[]);
    }
    telemetry.flush().await;
    let lines = sink.lines();
    let set = value(&lines, Id::TicketReallocationDuration).unwrap();
    assert_eq!(set["Counts"], serde_json::json!([2, 1, 1]));
    let values: Vec<_> = set["Values"].as_array().unwrap().iter().map(|value| value.as_f64().unwrap()).collect();
    assert!(values.iter().all(|value| (0.2..=45.0).contains(value)), "{values:?}");
    assert_eq!((set["Min"].as_f64(), set["Max"].as_f64(), set["Count"].as_u64()), (Some(0.2), Some(45.0), Some(4)));
}

#[tokio::test]
async fn with_an_otlp_endpoint_no_line_is_written() {
    let (telemetry, sink) = telemetry(&[("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "http://127.0.0.1:9/v1/metrics")]);
    count_all(telemetry.metrics());
    telemetry.flush().await;
    assert_eq!(sink.text(), "");
}
