//! The metrics that an alarm watches.

use serde_json::Value;

use crate::Map;

/// The JSON pointer to the metrics of an alarm, and their form.
#[derive(Debug)]
pub(super) enum Source {
    /// A list of `{metricStat: {metric: {name, namespace, dimensions: {name: value}}}}`.
    Configuration(&'static str),
    /// `{MetricName, Namespace, Dimensions: [{name, value}]}`, or a list `Metrics` of `{MetricStat: {Metric}}` with the
    /// same in it.
    Trigger(&'static str),
}

/// Every dimension of every metric, under its own name and under its `snake_case` form. The first of a name wins.
pub(super) fn dimensions(event: &Value, source: &Source) -> Map {
    let mut fields = Map::new();
    for (name, value) in metrics(event, source).into_iter().flat_map(|metric| dimensions_of(metric, source)) {
        fields.entry(name).or_insert_with(|| Value::from(value));
        fields.entry(snake_case(name)).or_insert_with(|| Value::from(value));
    }
    fields
}

/// Name and namespace of the first metric that is not an expression over others.
pub(super) fn facts(event: &Value, source: &Source) -> impl Iterator<Item = (String, Value)> {
    let keys = match source {
        Source::Configuration(_) => ["name", "namespace"],
        Source::Trigger(_) => ["MetricName", "Namespace"],
    };
    let metric = metrics(event, source).into_iter().find(|metric| metric.get(keys[0]).is_some());
    let named = ["metric_name", "metric_namespace"].into_iter().zip(keys);
    named.filter_map(move |(name, key)| {
        Some((name.to_owned(), metric?.get(key).filter(|value| value.is_string())?.clone()))
    })
}

fn metrics<'a>(event: &'a Value, source: &Source) -> Vec<&'a Value> {
    let items = |value: Option<&'a Value>| value.and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    match source {
        Source::Configuration(pointer) => {
            items(event.pointer(pointer)).iter().filter_map(|item| item.pointer("/metricStat/metric")).collect()
        }
        Source::Trigger(pointer) => {
            let trigger = event.pointer(pointer);
            let listed = items(trigger.and_then(|trigger| trigger.get("Metrics")));
            trigger.into_iter().chain(listed.iter().filter_map(|item| item.pointer("/MetricStat/Metric"))).collect()
        }
    }
}

fn dimensions_of<'a>(metric: &'a Value, source: &Source) -> Vec<(&'a str, &'a str)> {
    match source {
        Source::Configuration(_) => {
            let fields = metric.get("dimensions").and_then(Value::as_object).into_iter().flatten();
            fields.filter_map(|(name, value)| Some((name.as_str(), value.as_str()?))).collect()
        }
        Source::Trigger(_) => {
            let items = metric.get("Dimensions").and_then(Value::as_array).into_iter().flatten();
            items.filter_map(|item| Some((item.get("name")?.as_str()?, item.get("value")?.as_str()?))).collect()
        }
    }
}

/// `PodName` → `pod_name`, `DBInstanceIdentifier` → `db_instance_identifier`, `Worker Id` → `worker_id`.
fn snake_case(name: &str) -> String {
    let mut text = String::with_capacity(name.len() + 4);
    let mut before = None;
    let mut rest = name.chars().peekable();
    while let Some(c) = rest.next() {
        let ends_word = before.is_some_and(|b: char| b.is_lowercase() || b.is_ascii_digit());
        let ends_initials =
            before.is_some_and(char::is_uppercase) && rest.peek().is_some_and(|next| next.is_lowercase());
        if c.is_uppercase() && (ends_word || ends_initials) {
            text.push('_');
        }
        if c.is_alphanumeric() {
            text.extend(c.to_lowercase());
        } else {
            text.push('_');
        }
        before = Some(c);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dimension_gets_the_name_that_playbooks_use() {
        let cases = [
            ("PodName", "pod_name"),
            ("DBInstanceIdentifier", "db_instance_identifier"),
            ("Worker Id", "worker_id"),
            ("worker-id", "worker_id"),
            ("worker_id", "worker_id"),
            ("ClusterID", "cluster_id"),
            ("Ipv4Address", "ipv4_address"),
            ("ÜberName", "über_name"),
            ("", ""),
        ];
        for (name, expected) in cases {
            assert_eq!(snake_case(name), expected, "{name}");
        }
    }
}
