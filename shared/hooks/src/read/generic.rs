//! Any JSON object, or a list of them.

use heal_engine::Map;
use serde::Deserialize;
use serde_json::Value;

use super::{ReadError, parse, scalars};
use crate::alert::Alert;
use crate::source::Source;

#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "expected an object, or a list of objects")]
enum Body {
    One(Map),
    Many(Vec<Map>),
}

/// The plain fields at the top are the labels; a rule's `fingerprint` and `resolved` say the rest.
pub(super) fn read(body: &[u8]) -> Result<Vec<Alert>, ReadError> {
    let fields = match parse(Source::Generic, body)? {
        Body::One(fields) => vec![fields],
        Body::Many(many) => many,
    };
    let alert = |fields: Map| Alert {
        source: Source::Generic,
        status: None,
        fingerprint: None,
        starts_at: String::new(),
        labels: scalars(&fields),
        annotations: Map::new(),
        group: Map::new(),
        payload: Value::Object(fields),
    };
    Ok(fields.into_iter().map(alert).collect())
}

#[cfg(test)]
mod tests {
    use super::super::{Headers, read};
    use super::*;

    #[test]
    fn an_object_is_an_alert_and_a_list_many() {
        let one = |body: &str| read(Source::Generic, &Headers::default(), body.as_bytes());
        let alerts = one(r#"{"host": "a", "load": 3, "tags": ["x"], "on": true}"#).unwrap();
        assert_eq!(alerts[0].labels.keys().collect::<Vec<_>>(), ["host", "load", "on"]);
        assert_eq!(alerts[0].payload["tags"][0], "x");
        assert_eq!(one(r#"[{"a": 1}, {"a": 2}]"#).unwrap().len(), 2);
        assert_eq!(one("[]").unwrap(), []);
        assert_eq!(one("3").unwrap_err().to_string(), "generic: body: expected an object, or a list of objects");
    }
}
