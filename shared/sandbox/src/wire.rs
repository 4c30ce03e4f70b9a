//! The services' wire forms: times, JSON requests and JSON responses.

use std::time::{SystemTime, UNIX_EPOCH};

use axum::body::Body;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Response, StatusCode};
use serde::de::DeserializeOwned;
use serde_json::Value;

/// The current time in epoch milliseconds.
#[expect(clippy::disallowed_methods, reason = "the stand-in platform has the wall clock of a service")]
pub(crate) fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// `ms` (epoch milliseconds) in RFC 3339 with whole seconds, as the Kubernetes API writes times.
pub(crate) fn rfc3339(ms: i64) -> String {
    jiff::Timestamp::from_second(ms.div_euclid(1000)).unwrap_or(jiff::Timestamp::UNIX_EPOCH).to_string()
}

/// Why a text could not be read as JSON of the expected shape.
#[derive(Debug)]
pub(crate) struct Unreadable {
    /// The offending field, such as `tickets[0].status`; `.` for the whole text.
    pub(crate) path: String,
    pub(crate) reason: String,
}

/// Reads exactly one JSON value from `text`.
pub(crate) fn read_json<T: DeserializeOwned>(text: &[u8]) -> Result<T, Unreadable> {
    let mut reader = serde_json::Deserializer::from_slice(text);
    let read = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let path = error.path().to_string();
        Unreadable {
            // `?` means that the text ended where a key was expected.
            path: if path == "?" { ".".to_owned() } else { path },
            reason: error.into_inner().to_string(),
        }
    })?;
    reader.end().map_err(|error| Unreadable { path: ".".to_owned(), reason: error.to_string() })?;
    Ok(read)
}

/// A response with a JSON body.
pub(crate) fn json_response(status: StatusCode, body: &Value) -> Response<Body> {
    response(status, "application/json", body.to_string())
}

/// A response with a plain text body.
pub(crate) fn text_response(status: StatusCode, body: impl Into<String>) -> Response<Body> {
    response(status, "text/plain; charset=utf-8", body.into())
}

fn response(status: StatusCode, content_type: &'static str, body: String) -> Response<Body> {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}
