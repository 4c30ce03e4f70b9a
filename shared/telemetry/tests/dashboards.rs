//! Dashboards and alerts, of Prometheus and of CloudWatch, query only metrics of the table, and every alert has its page.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may stop at the first surprise"
)]

use std::collections::BTreeSet;
use std::path::PathBuf;

use heal_telemetry::metrics::{Id, Kind, Metric, Values};
use serde_json::Value;

/// Labels that the metrics backend adds.
const BACKEND_LABELS: [&str; 3] = ["le", "job", "instance"];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn dashboard_queries() -> Vec<String> {
    let dashboard: Value = serde_json::from_str(&read("dashboards/self-healing-integration.json")).unwrap();
    let panels = dashboard["panels"].as_array().unwrap().iter();
    let targets = panels.flat_map(|panel| panel["targets"].as_array().cloned().unwrap_or_default());
    targets.map(|target| target["expr"].as_str().unwrap().to_owned()).collect()
}

/// Name, query and page of each alert.
fn alerts() -> Vec<[String; 3]> {
    let text = read("dashboards/alerts.yaml");
    let value = |line: &str, key: &str| line.trim().strip_prefix(key).map(|rest| rest.trim().to_owned());
    let mut alerts: Vec<[String; 3]> = Vec::new();
    for line in text.lines() {
        if let Some(name) = value(line, "- alert:") {
            alerts.push([name, String::new(), String::new()]);
        } else if let Some(query) = value(line, "expr:") {
            query.trim_matches('\'').clone_into(&mut alerts.last_mut().unwrap()[1]);
        } else if let Some(page) = value(line, "runbook_url:") {
            alerts.last_mut().unwrap()[2] = page;
        }
    }
    alerts
}

fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// The metric of a series. Panics if no metric has such a series.
fn metric(series: &str) -> &'static Metric {
    let find = |name: &str| Id::ALL.iter().map(|id| id.metric()).find(|metric| metric.name == name);
    if let Some(metric) = find(series) {
        assert!(
            !matches!(metric.kind, Kind::Histogram(_)),
            "{series} is a histogram: query its _bucket, _sum or _count"
        );
        return metric;
    }
    let base = ["_bucket", "_sum", "_count"].iter().find_map(|suffix| series.strip_suffix(suffix));
    let metric = base.and_then(find).unwrap_or_else(|| panic!("there is no series {series}"));
    assert!(matches!(metric.kind, Kind::Histogram(_)), "{series}: {} is not a histogram", metric.name);
    metric
}

/// The pages that the descriptions of CloudWatch's alarms name.
fn pages_of_alarms() -> BTreeSet<String> {
    let template = read("template.yaml");
    let descriptions = template.lines().filter_map(|line| line.trim().strip_prefix("AlarmDescription: "));
    descriptions.map(|text| text.rsplit(' ').next().unwrap().to_owned()).collect()
}

/// What follows `start` in `text`, up to `end`.
fn between<'t>(text: &'t str, start: &str, end: &str) -> &'t str {
    text.split_once(start)
        .and_then(|(_, rest)| rest.split_once(end))
        .unwrap_or_else(|| panic!("no {start} in {text}"))
        .0
}

fn metric_named(name: &str) -> &'static Metric {
    Id::by_name(name).unwrap_or_else(|| panic!("there is no metric {name}")).metric()
}

/// An alarm has to name a set of dimensions that is published, with values that occur.
fn check_dimensions(metric: &Metric, dimensions: &str) {
    let pairs = dimensions.split("Name: ").skip(1);
    let pairs: Vec<_> = pairs.map(|pair| (pair.split(',').next().unwrap(), between(pair, "Value: ", "}"))).collect();
    let [(name, value)] = pairs[..] else {
        panic!("{}: an alarm asks by one dimension, not {dimensions}", metric.name)
    };
    if name == "service_name" {
        assert!(root().join("functions").join(value).is_dir(), "{}: no function {value}", metric.name);
    } else {
        assert_eq!(metric.alarm_label(), Some(name), "{} is not published by {name} alone", metric.name);
        check_matcher(metric, &format!("{name}=\"{value}\""));
    }
}

/// A search finds the metric by all of its labels, or by its function alone.
fn check_search(metric: &Metric, schema: &str) {
    let searched: BTreeSet<_> = schema.split(',').collect();
    let by_function = BTreeSet::from(["SelfHealing", "service_name"]);
    let by_labels = metric.labels.iter().map(|label| label.name).chain(by_function.iter().copied()).collect();
    assert!(searched == by_function || searched == by_labels, "{} is not published by {schema}", metric.name);
}

fn check(query: &str) -> BTreeSet<&'static str> {
    let mut asked = BTreeSet::new();
    let mut labels = BTreeSet::new();
    for (start, _) in query.match_indices("self_healing_") {
        let series: String = query[start..].chars().take_while(|c| is_name(*c)).collect();
        let metric = metric(&series);
        asked.insert(metric.name);
        labels.extend(metric.labels.iter().map(|label| label.name));
        let rest = &query[start + series.len()..];
        if let Some((matchers, _)) = rest.strip_prefix('{').and_then(|rest| rest.split_once('}')) {
            matchers.split(',').for_each(|matcher| check_matcher(metric, matcher));
        }
    }
    for (start, _) in query.match_indices(" by (") {
        let names = query[start + " by (".len()..].split_once(')').unwrap().0;
        for name in names.split(',').map(str::trim) {
            assert!(labels.contains(name) || BACKEND_LABELS.contains(&name), "no label {name} in {query}");
        }
    }
    asked
}

fn check_matcher(metric: &Metric, matcher: &str) {
    let name: String = matcher.trim().chars().take_while(|c| is_name(*c)).collect();
    let label = metric.labels.iter().find(|label| label.name == name);
    let label = label.unwrap_or_else(|| panic!("{} has no label {name}", metric.name));
    let Values::Closed(values) = label.values else { panic!("{name} has no fixed values to match: {matcher}") };
    let asked = matcher.split('"').nth(1).unwrap_or_else(|| panic!("{matcher}"));
    for value in asked.split('|') {
        assert!(values.contains(&value), "{} is never {name}={value:?}", metric.name);
    }
}

#[test]
fn every_panel_queries_existing_metrics_and_every_metric_has_a_panel() {
    let asked: BTreeSet<_> = dashboard_queries().iter().flat_map(|query| check(query)).collect();
    for id in Id::ALL {
        assert!(asked.contains(id.metric().name), "no panel shows {}", id.metric().name);
    }
}

#[test]
fn the_dashboard_has_the_guides_groups() {
    let dashboard: Value = serde_json::from_str(&read("dashboards/self-healing-integration.json")).unwrap();
    assert_eq!(dashboard["uid"], "self-healing-integration");
    let panels = dashboard["panels"].as_array().unwrap();
    let rows = panels.iter().filter(|panel| panel["type"] == "row").map(|panel| panel["title"].as_str().unwrap());
    let rows: Vec<_> = rows.collect();
    for group in
        ["Ticket Reallocations", "Workflow Operations", "OPA Validations", "Integration Health", "Runs", "Guardrails"]
    {
        assert!(rows.contains(&group), "{group} in {rows:?}");
    }
    let ids: BTreeSet<_> = panels.iter().map(|panel| panel["id"].as_u64().unwrap()).collect();
    assert_eq!(ids.len(), panels.len(), "an id occurs twice");
}

#[test]
fn every_alert_queries_existing_metrics_and_has_its_page() {
    let alerts = alerts();
    assert!(alerts.len() >= 10, "{alerts:?}");
    for [name, query, page] in &alerts {
        assert!(!check(query).is_empty(), "{name} queries no metric: {query}");
        let page = read(page);
        assert!(page.contains(&format!("Alert `{name}`.")), "{name}");
        for heading in ["## Meaning", "## Check", "## Remedy"] {
            assert!(page.contains(heading), "{heading} of {name}");
        }
    }
}

#[test]
fn every_runbook_belongs_to_an_alert_or_to_an_alarm() {
    let named: BTreeSet<_> = alerts().into_iter().map(|[_, _, page]| page).chain(pages_of_alarms()).collect();
    let pages = std::fs::read_dir(root().join("docs/runbooks")).unwrap();
    let pages = pages.map(|page| format!("docs/runbooks/{}", page.unwrap().file_name().to_str().unwrap()));
    assert_eq!(pages.collect::<BTreeSet<_>>(), named);
}

#[test]
fn every_alarm_of_the_template_queries_published_metrics_and_has_its_page() {
    let template = read("template.yaml");
    let asked: Vec<_> = template.split("MetricName: self_healing_").skip(1).collect();
    assert!(asked.len() >= 10, "{}", asked.len());
    for alarm in asked {
        let name: String = alarm.chars().take_while(|c| is_name(*c)).collect();
        let metric = metric_named(&format!("self_healing_{name}"));
        check_dimensions(metric, between(alarm, "Dimensions: [", "]"));
    }
    for page in pages_of_alarms() {
        let page = read(&page);
        for heading in ["## Meaning", "## Check", "## Remedy"] {
            assert!(page.contains(heading), "{heading} in {page}");
        }
    }
}

#[test]
fn every_search_of_the_templates_dashboard_finds_published_metrics() {
    let template = read("template.yaml");
    let searches: Vec<_> = template.split("SEARCH('{").skip(1).collect();
    assert!(searches.len() >= 10, "{}", searches.len());
    for search in searches {
        let metric = metric_named(between(search, "MetricName=\\\"", "\\\""));
        check_search(metric, search.split('}').next().unwrap());
    }
}

#[test]
fn the_runbooks_name_only_existing_metrics() {
    for page in alerts().into_iter().map(|[_, _, page]| page).chain(pages_of_alarms()) {
        let text = read(&page);
        for (start, _) in text.match_indices("`self_healing_") {
            let name: String = text[start + 1..].chars().take_while(|c| is_name(*c)).collect();
            assert!(Id::ALL.iter().any(|id| id.metric().name == name), "{page}: {name}");
        }
    }
}

#[test]
fn the_reference_lists_every_metric_with_its_labels() {
    let text = read("docs/observability.md");
    for id in Id::ALL {
        let Metric { name, kind, labels, help, .. } = id.metric();
        let kind = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram(_) => "histogram",
        };
        let labels: Vec<_> = labels.iter().map(|label| label.name).collect();
        let labels = if labels.is_empty() { "-".to_owned() } else { labels.join(", ") };
        let row = format!("| `{name}` | {kind} | {labels} | {help} |");
        assert!(text.lines().any(|line| line == row), "docs/observability.md has no line\n{row}");
    }
}
