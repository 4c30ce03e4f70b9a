//! `CloudEvents` 1.0 over HTTP, in its three content modes: structured, batched and binary.

use heal_engine::Map;
use serde_json::{Value, json};

use super::{Headers, ReadError, parse, scalars, shape};
use crate::alert::Alert;
use crate::source::Source;

const SOURCE: Source = Source::Cloudevents;
const BATCHED: &str = "application/cloudevents-batch+json";
const STRUCTURED: &str = "application/cloudevents+json";
/// Before the name of each attribute in the headers of the binary mode.
const PREFIX: &str = "ce-";
/// Attributes that every event has.
const REQUIRED: [&str; 4] = ["id", "source", "specversion", "type"];

pub(super) fn read(headers: &Headers, body: &[u8]) -> Result<Vec<Alert>, ReadError> {
    let content_type = headers.get("content-type").unwrap_or_default();
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match essence.as_str() {
        BATCHED => {
            let events: Vec<Map> = parse(SOURCE, body)?;
            events.into_iter().enumerate().map(|(index, event)| alert(event, &format!("[{index}]."))).collect()
        }
        STRUCTURED => Ok(vec![alert(parse(SOURCE, body)?, "")?]),
        _ => {
            let attributes = headers.iter().filter_map(|(name, value)| Some((name.strip_prefix(PREFIX)?, value)));
            let mut event: Map = attributes.map(|(name, value)| (name.to_owned(), json!(value))).collect();
            if event.is_empty() {
                let detail = format!(
                    "is {content_type:?} without headers {PREFIX}…, expected {STRUCTURED}, {BATCHED}, or the binary mode"
                );
                return Err(shape(SOURCE, "content-type", &detail));
            }
            let is_json = essence == "application/json" || essence.ends_with("+json");
            let data = if is_json { parse(SOURCE, body)? } else { json!(String::from_utf8_lossy(body)) };
            event.insert("data".to_owned(), data);
            Ok(vec![alert(event, PREFIX)?])
        }
    }
}

/// An event; its id names it alone, so a rule's fingerprint has to join those of one alert.
fn alert(event: Map, place: &str) -> Result<Alert, ReadError> {
    let text = |name: &str| event.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    if let Some(missing) = REQUIRED.into_iter().find(|name| text(name).is_none()) {
        return Err(shape(SOURCE, &format!("{place}{missing}"), "is missing, expected a text"));
    }
    let version = text("specversion").unwrap_or_default();
    if !version.starts_with("1.") {
        return Err(shape(SOURCE, &format!("{place}specversion"), &format!("is {version:?}, expected 1.0")));
    }
    let fingerprint = format!("{}#{}", text("source").unwrap_or_default(), text("id").unwrap_or_default());
    let starts_at = text("time").unwrap_or_default().to_owned();
    let mut labels = scalars(&event);
    labels.remove("data");
    labels.remove("data_base64");
    Ok(Alert {
        source: SOURCE,
        status: None,
        fingerprint: Some(fingerprint),
        starts_at,
        labels,
        annotations: Map::new(),
        group: Map::new(),
        payload: Value::Object(event),
    })
}

#[cfg(test)]
mod tests {
    use super::super::read;
    use super::*;

    fn event(id: &str) -> Value {
        json!({"specversion": "1.0", "id": id, "source": "/monitor", "type": "worker.down", "data": {"worker": "worker-1"}})
    }

    fn typed(content_type: &str) -> Headers {
        Headers::from_iter([("Content-Type", content_type)])
    }

    #[test]
    fn the_three_modes_say_the_same() {
        let structured = typed("application/cloudevents+json; charset=utf-8");
        let one = read(SOURCE, &structured, event("7").to_string().as_bytes()).unwrap();
        let batch = json!([event("7")]).to_string();
        assert_eq!(read(SOURCE, &typed(BATCHED), batch.as_bytes()).unwrap(), one);
        let binary = Headers::from_iter([
            ("content-type", "application/json"),
            ("ce-specversion", "1.0"),
            ("ce-id", "7"),
            ("CE-Source", "/monitor"),
            ("ce-type", "worker.down"),
        ]);
        assert_eq!(read(SOURCE, &binary, br#"{"worker": "worker-1"}"#).unwrap(), one);
        assert_eq!(one[0].fingerprint.as_deref(), Some("/monitor#7"));
        assert_eq!(one[0].labels["type"], "worker.down");
        assert_eq!(one[0].payload["data"]["worker"], "worker-1");
    }

    #[test]
    fn what_is_missing_is_named_with_its_place() {
        let fault = |headers: &Headers, body: &Value| {
            read(SOURCE, headers, body.to_string().as_bytes()).unwrap_err().to_string()
        };
        let mut second = event("8");
        second.as_object_mut().unwrap().remove("type");
        let missing = fault(&typed(BATCHED), &json!([event("7"), second]));
        assert_eq!(missing, "cloudevents: [1].type: is missing, expected a text");
        let mut old = event("9");
        old["specversion"] = json!("0.3");
        assert!(fault(&typed(STRUCTURED), &old).ends_with("specversion: is \"0.3\", expected 1.0"));
        assert!(fault(&typed("application/json"), &event("9")).starts_with("cloudevents: content-type: is"));
    }
}
