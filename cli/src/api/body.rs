//! The text of a request's body.

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::http::{HeaderMap, StatusCode, header};

use super::Problem;
use heal_engine::limit;

/// The body of a request that says it is JSON.
///
/// Forms are refused, and that is more than a formality: a web page can make a browser send one here, but not JSON.
///
/// # Errors
/// 413, 415, or 422 for what is no text.
pub(super) fn text(headers: &HeaderMap, body: Result<Bytes, BytesRejection>) -> Result<String, Problem> {
    let claimed = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = claimed.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if essence != "application/json" && !essence.ends_with("+json") {
        let message = format!("content-type is `{claimed}`, application/json is needed");
        return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, message));
    }
    let bytes = body.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => {
            let message = format!("the body has more than {} bytes", limit::MESSAGE_BYTES);
            Problem::new(StatusCode::PAYLOAD_TOO_LARGE, message)
        }
        status => Problem::new(status, rejection.body_text()),
    })?;
    String::from_utf8(bytes.into()).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        Problem::field("body", format!("is not UTF-8 text, the first wrong byte is at offset {at}"))
    })
}

/// The W3C trace that the caller continues.
pub(super) fn traceparent(headers: &HeaderMap) -> Option<String> {
    headers.get("traceparent").and_then(|value| value.to_str().ok()).map(ToOwned::to_owned)
}
