//! `PagerDuty`'s webhook, version 3: one event a delivery.

use heal_engine::Map;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{ReadError, parse};
use crate::alert::{Alert, AlertStatus};
use crate::source::Source;

#[derive(Debug, Deserialize)]
struct Delivery {
    event: Event,
}

#[derive(Debug, Deserialize)]
struct Event {
    event_type: String,
    #[serde(default)]
    data: Value,
}

#[derive(Debug, Deserialize)]
struct Incident {
    id: String,
    #[serde(default)]
    title: String,
    #[serde(default)]
    created_at: String,
    #[serde(default)]
    urgency: Option<String>,
    #[serde(default, rename = "incident_key")]
    key: Option<String>,
    #[serde(default)]
    html_url: Option<String>,
    #[serde(default)]
    service: Option<Named>,
    #[serde(default)]
    priority: Option<Named>,
}

#[derive(Debug, Deserialize)]
struct Named {
    #[serde(default)]
    summary: String,
}

/// What is read of an event about an incident.
#[derive(Debug, Deserialize)]
struct AboutIncident {
    event: IncidentEvent,
}

#[derive(Debug, Deserialize)]
struct IncidentEvent {
    data: Incident,
}

/// The incident of an event that opens or closes one. An incident that is opened again is the same one: its id stays.
pub(super) fn read(body: &[u8]) -> Result<Vec<Alert>, ReadError> {
    let source = Source::Pagerduty;
    let Delivery { event } = parse(source, body)?;
    let status = match event.event_type.as_str() {
        "incident.triggered" | "incident.reopened" => AlertStatus::Firing,
        "incident.resolved" => AlertStatus::Resolved,
        // Other events are about people who work on it, or test the connection.
        _ => return Ok(Vec::new()),
    };
    let AboutIncident { event: IncidentEvent { data: incident } } = parse(source, body)?;
    let name = |named: Option<Named>| named.map(|named| named.summary);
    let labels = [
        ("event_type", Some(event.event_type)),
        ("incident_key", incident.key),
        ("priority", name(incident.priority)),
        ("service", name(incident.service)),
        ("title", Some(incident.title.clone())),
        ("urgency", incident.urgency),
    ];
    let labels = labels.into_iter().filter_map(|(name, value)| Some((name.to_owned(), json!(value?))));
    let annotations = [("summary", Some(incident.title)), ("url", incident.html_url)];
    let annotations = annotations.into_iter().filter_map(|(name, value)| Some((name.to_owned(), json!(value?))));
    Ok(vec![Alert {
        source,
        status: Some(status),
        fingerprint: Some(incident.id),
        starts_at: incident.created_at,
        labels: labels.collect(),
        annotations: annotations.collect(),
        group: Map::new(),
        payload: event.data,
    }])
}

#[cfg(test)]
mod tests {
    use super::super::{Headers, read};
    use super::*;

    fn event(event_type: &str) -> Vec<Alert> {
        let body = json!({"event": {
            "id": "01", "event_type": event_type, "resource_type": "incident", "occurred_at": "2026-11-28T10:05:00Z",
            "data": {"id": "PT4", "type": "incident", "title": "worker-1 is down", "created_at": "2026-11-28T10:00:00Z",
                "urgency": "high", "service": {"id": "S", "summary": "workers"}, "priority": null},
        }});
        read(Source::Pagerduty, &Headers::default(), body.to_string().as_bytes()).unwrap()
    }

    #[test]
    fn an_incident_keeps_its_id_from_its_opening_to_its_end() {
        for (event_type, status) in [
            ("incident.triggered", AlertStatus::Firing),
            ("incident.reopened", AlertStatus::Firing),
            ("incident.resolved", AlertStatus::Resolved),
        ] {
            let alert = event(event_type).remove(0);
            assert_eq!(alert.status, Some(status), "{event_type}");
            assert_eq!((alert.fingerprint.as_deref(), alert.starts_at.as_str()), (Some("PT4"), "2026-11-28T10:00:00Z"));
            assert_eq!(alert.labels["service"], "workers");
            assert!(!alert.labels.contains_key("priority"));
        }
    }

    #[test]
    fn events_about_the_people_who_work_on_it_are_no_alerts() {
        for event_type in ["incident.acknowledged", "incident.annotated", "pagey.ping"] {
            assert_eq!(event(event_type), [], "{event_type}");
        }
        let ping =
            br#"{"event": {"id": "1", "event_type": "pagey.ping", "data": {"message": "Hello", "type": "ping"}}}"#;
        assert_eq!(read(Source::Pagerduty, &Headers::default(), ping).unwrap(), []);
    }
}
