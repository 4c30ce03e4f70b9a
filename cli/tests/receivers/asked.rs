//! The queries of the dashboard and of the alerts.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::support::root;

/// What Grafana puts for it where Prometheus scrapes every 15 seconds, as it does by default: four scrapes.
const RATE_INTERVAL: &str = "1m";

/// The queries of the panels, as Grafana would send them; each with its panel's title.
pub(crate) fn queries_of_dashboard() -> Vec<(String, String)> {
    let text = std::fs::read_to_string(root().join("dashboards/self-healing-integration.json")).unwrap();
    let dashboard: Value = serde_json::from_str(&text).unwrap();
    let panels = dashboard["panels"].as_array().unwrap().iter();
    let queries = panels.flat_map(|panel| {
        let targets = panel["targets"].as_array().into_iter().flatten();
        targets
            .map(|target| (panel["title"].as_str().unwrap().to_owned(), substituted(target["expr"].as_str().unwrap())))
    });
    queries.collect()
}

fn substituted(query: &str) -> String {
    let query = query.replace("$__rate_interval", RATE_INTERVAL);
    assert!(!query.contains('$'), "a variable is left in {query}");
    query
}

/// An alert's query without its threshold.
pub(crate) fn without_threshold(alert: &str) -> &str {
    let end = [" > ", " == ", " < "].iter().find_map(|operator| alert.rfind(operator));
    &alert[..end.unwrap_or_else(|| panic!("{alert} is held against nothing"))]
}

/// The series that `query` selects, one for each value that it names of a label.
pub(crate) fn selectors(query: &str) -> BTreeSet<String> {
    let mut selectors = BTreeSet::new();
    for (start, _) in query.match_indices("self_healing_") {
        let rest = &query[start..];
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
        let (series, rest) = rest.split_at(end);
        match rest.strip_prefix('{').and_then(|rest| rest.split_once('}')) {
            None => {
                selectors.insert(series.to_owned());
            }
            Some((matchers, _)) => {
                selectors.extend(each_value(matchers).map(|matcher| format!("{series}{{{matcher}}}")));
            }
        }
    }
    selectors
}

/// `status=~"error|skipped"` as `status="error"` and `status="skipped"`.
fn each_value(matcher: &str) -> impl Iterator<Item = String> {
    assert!(!matcher.contains(','), "one matcher is all that is understood here: {matcher}");
    let (label, values) = matcher.split_once('=').unwrap();
    let values = values.trim_start_matches('~').trim_matches('"');
    values.split('|').map(move |value| format!("{label}=\"{value}\""))
}
