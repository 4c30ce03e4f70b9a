//! Alertmanager's webhook, version 4, and Grafana's, which has the same fields and more.

use heal_engine::Map;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{ReadError, parse};
use crate::alert::{Alert, AlertStatus};
use crate::source::Source;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Group {
    #[serde(default)]
    receiver: String,
    #[serde(default, rename = "groupKey")]
    key: String,
    #[serde(default, rename = "groupLabels")]
    labels: Map,
    #[serde(default)]
    common_labels: Map,
    #[serde(default)]
    common_annotations: Map,
    #[serde(default, rename = "externalURL")]
    external_url: String,
    #[serde(default)]
    truncated_alerts: u64,
    alerts: Vec<Value>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct One {
    status: Status,
    #[serde(default)]
    labels: Map,
    #[serde(default)]
    annotations: Map,
    #[serde(default)]
    starts_at: String,
    #[serde(default)]
    fingerprint: Option<String>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Status {
    Firing,
    Resolved,
}

/// What an alert of a group is read as; the group's own reading keeps the alert as it was sent.
#[derive(Debug, Deserialize)]
struct Typed {
    alerts: Vec<One>,
}

pub(super) fn read(source: Source, body: &[u8]) -> Result<Vec<Alert>, ReadError> {
    let Typed { alerts } = parse(source, body)?;
    let group: Group = parse(source, body)?;
    let common = Map::from_iter([
        ("annotations".to_owned(), Value::Object(group.common_annotations)),
        ("common_labels".to_owned(), Value::Object(group.common_labels)),
        ("key".to_owned(), json!(group.key)),
        ("labels".to_owned(), Value::Object(group.labels)),
        ("receiver".to_owned(), json!(group.receiver)),
        ("truncated_alerts".to_owned(), json!(group.truncated_alerts)),
        ("url".to_owned(), json!(group.external_url)),
    ]);
    let alert = |(one, payload): (One, Value)| Alert {
        source,
        status: Some(match one.status {
            Status::Firing => AlertStatus::Firing,
            Status::Resolved => AlertStatus::Resolved,
        }),
        fingerprint: one.fingerprint.filter(|fingerprint| !fingerprint.is_empty()),
        starts_at: one.starts_at,
        labels: one.labels,
        annotations: one.annotations,
        group: common.clone(),
        payload,
    };
    Ok(alerts.into_iter().zip(group.alerts).map(alert).collect())
}

#[cfg(test)]
mod tests {
    use super::super::{Headers, read};
    use super::*;

    #[test]
    fn every_alert_of_a_group_is_one_with_what_the_group_has_in_common() {
        let body = json!({
            "version": "4", "groupKey": "{}:{alertname=\"WorkerDown\"}", "truncatedAlerts": 3, "status": "firing",
            "receiver": "heal", "groupLabels": {"alertname": "WorkerDown"}, "commonLabels": {"team": "ops"},
            "commonAnnotations": {}, "externalURL": "http://alertmanager:9093",
            "alerts": [
                {"status": "firing", "labels": {"alertname": "WorkerDown", "worker": "worker-1"}, "annotations": {"summary": "down"},
                 "startsAt": "2026-11-28T10:00:00Z", "endsAt": "0001-01-01T00:00:00Z", "generatorURL": "", "fingerprint": "f1"},
                {"status": "resolved", "labels": {"worker": "worker-2"}, "startsAt": "2026-11-28T09:00:00Z", "fingerprint": "f2"},
            ],
        });
        let alerts = read(Source::Alertmanager, &Headers::default(), body.to_string().as_bytes()).unwrap();
        let told: Vec<_> = alerts.iter().map(|alert| (alert.status, alert.fingerprint.as_deref())).collect();
        assert_eq!(told, [(Some(AlertStatus::Firing), Some("f1")), (Some(AlertStatus::Resolved), Some("f2"))]);
        assert_eq!(alerts[0].annotations["summary"], "down");
        assert_eq!(alerts[1].group["common_labels"]["team"], "ops");
        assert_eq!(alerts[1].group["truncated_alerts"], 3);
        assert_eq!(alerts[0].payload["endsAt"], "0001-01-01T00:00:00Z");
    }
}
