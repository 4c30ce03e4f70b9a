//! From a delivery to its alerts.

use std::collections::BTreeMap;

use heal_engine::Map;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::alert::Alert;
use crate::limit;
use crate::source::Source;

mod cloudevents;
mod generic;
mod pagerduty;
mod prometheus;

/// The headers of a delivery, with names in lower case.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Headers(BTreeMap<String, String>);

impl Headers {
    /// The value of a header; `name` is in lower case.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// Names and values, sorted by name.
    fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

impl<N: AsRef<str>, V: Into<String>> FromIterator<(N, V)> for Headers {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(headers: I) -> Self {
        Self(headers.into_iter().map(|(name, value)| (name.as_ref().to_ascii_lowercase(), value.into())).collect())
    }
}

/// A delivery that cannot be read. Sending it again does not help.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// It has more bytes than [`limit::DELIVERY_BYTES`].
    #[error("the delivery has {observed} bytes, the limit is {} bytes", limit::DELIVERY_BYTES)]
    TooLarge {
        /// Its size in bytes.
        observed: usize,
    },
    /// It is not JSON, or a field of it is missing or of another type.
    #[error("{source_name}: {path}: {detail}")]
    Shape {
        /// The source's name.
        source_name: &'static str,
        /// The path of the field, such as `alerts[3].labels`; `body` for the whole.
        path: String,
        /// What is wrong with it.
        detail: String,
    },
    /// It has more alerts than [`limit::ALERTS`].
    #[error(
        "the delivery has {observed} alerts, the limit is {}: group less, or bound a group at its sender",
        limit::ALERTS
    )]
    TooMany {
        /// The number of alerts.
        observed: usize,
    },
}

/// The alerts of a delivery of `source`; none for one that reports nothing, such as a test of the connection.
///
/// # Errors
/// See [`ReadError`].
pub fn read(source: Source, headers: &Headers, body: &[u8]) -> Result<Vec<Alert>, ReadError> {
    if body.len() > limit::DELIVERY_BYTES {
        return Err(ReadError::TooLarge { observed: body.len() });
    }
    let alerts = match source {
        Source::Alertmanager | Source::Grafana => prometheus::read(source, body),
        Source::Pagerduty => pagerduty::read(body),
        Source::Cloudevents => cloudevents::read(headers, body),
        Source::Generic => generic::read(body),
    }?;
    if alerts.len() > limit::ALERTS {
        return Err(ReadError::TooMany { observed: alerts.len() });
    }
    Ok(alerts)
}

/// The body as `T`.
fn parse<T: DeserializeOwned>(source: Source, body: &[u8]) -> Result<T, ReadError> {
    let mut reader = serde_json::Deserializer::from_slice(body);
    let parsed = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let path = error.path().to_string();
        shape(source, if matches!(path.as_str(), "." | "?") { "body" } else { &path }, &error.inner().to_string())
    })?;
    reader.end().map_err(|error| shape(source, "body", &error.to_string()))?;
    Ok(parsed)
}

fn shape(source: Source, path: &str, detail: &str) -> ReadError {
    ReadError::Shape { source_name: source.as_str(), path: path.to_owned(), detail: detail.to_owned() }
}

/// The fields whose values are plain, as labels.
fn scalars(fields: &Map) -> Map {
    let is_plain = |value: &Value| matches!(value, Value::String(_) | Value::Number(_) | Value::Bool(_));
    fields.iter().filter(|(_, value)| is_plain(value)).map(|(name, value)| (name.clone(), value.clone())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delivery_has_bounds_and_a_place_for_each_fault() {
        let fault = |source, body: &str| read(source, &Headers::default(), body.as_bytes()).unwrap_err().to_string();
        let long = " ".repeat(limit::DELIVERY_BYTES + 1);
        assert!(fault(Source::Generic, &long).starts_with("the delivery has 1048577 bytes, the limit is 1048576"));
        assert!(fault(Source::Alertmanager, "{").starts_with("alertmanager: body: EOF"));
        assert!(fault(Source::Alertmanager, "{\"alerts\": []} {}").starts_with("alertmanager: body: trailing"));
        let wrong = r#"{"alerts": [{"status": "firing", "labels": {"a": "b"}}, {"status": "on"}]}"#;
        assert!(fault(Source::Alertmanager, wrong).starts_with("alertmanager: alerts[1].status: unknown variant `on`"));
        let many = format!("[{}]", vec!["{}"; limit::ALERTS + 1].join(","));
        assert!(fault(Source::Generic, &many).starts_with("the delivery has 2001 alerts, the limit is 2000"));
    }
}
