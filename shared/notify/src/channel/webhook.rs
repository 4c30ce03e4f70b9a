//! Any webhook: a `CloudEvent` in structured JSON, signed if there is a secret.
//!
//! Format: <https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md>.

use std::fmt::Write as _;

use aws_lc_rs::hmac;
use heal_engine::Timestamp;
use heal_telemetry::logs::rfc3339;
use serde_json::{Value, json};

use super::http::Post;
use super::{Letter, SendError};

/// The header with the time of sending, in seconds since the epoch: a part of what is signed, so that a receiver can refuse an old message.
pub const TIMESTAMP_HEADER: &str = "heal-timestamp";
/// The header with the signature: `sha256=` and the hexadecimal HMAC-SHA256 of `{timestamp}.{body}`.
pub const SIGNATURE_HEADER: &str = "heal-signature";

pub(super) async fn post(letter: &Letter<'_>) -> Result<Post, SendError> {
    let url = letter.setting("url")?.to_owned();
    let body = event(letter).to_string();
    let mut headers = Vec::new();
    if let Some(secret) = letter.optional_secret("secret").await? {
        let (timestamp, signature) = sign(secret.expose().as_bytes(), letter.now, &body);
        headers = vec![(TIMESTAMP_HEADER, timestamp), (SIGNATURE_HEADER, signature)];
    }
    Ok(Post { url, content_type: "application/cloudevents+json; charset=utf-8", headers, body })
}

fn event(letter: &Letter<'_>) -> Value {
    let notice = letter.notice;
    let mut data = json!(notice);
    if let (Value::Object(fields), Some(link)) = (&mut data, &letter.link) {
        fields.insert("link".to_owned(), json!(link));
    }
    json!({
        "specversion": "1.0",
        "id": notice.key,
        "source": "/heal",
        "type": format!("heal.{}", notice.event.as_str()),
        "subject": notice.thread,
        "time": rfc3339(notice.at.0),
        "datacontenttype": "application/json",
        "data": data,
    })
}

/// The values of [`TIMESTAMP_HEADER`] and [`SIGNATURE_HEADER`].
pub fn sign(secret: &[u8], now: Timestamp, body: &str) -> (String, String) {
    let timestamp = (now.0 / 1_000).to_string();
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), format!("{timestamp}.{body}").as_bytes());
    let mut signature = String::from("sha256=");
    for byte in tag.as_ref() {
        let _ = write!(signature, "{byte:02x}");
    }
    (timestamp, signature)
}
