//! Answers with an entity tag: a reader that polls sends `If-None-Match`, and what has not changed costs it no transfer.

use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::hash;
use crate::problem::Problem;

/// Hexadecimal digits of the hash that a tag keeps.
const TAG_DIGITS: usize = 32;

/// `value` as JSON with its entity tag, or 304 if the reader has it.
///
/// # Errors
/// 500 if the value cannot be written as JSON.
pub(crate) fn tagged(headers: &HeaderMap, value: &impl Serialize) -> Result<Response, Problem> {
    Tagged::new(value)?.to_response(headers)
}

/// A value as JSON with its entity tag.
#[derive(Debug, Clone)]
pub(crate) struct Tagged {
    tag: String,
    pub body: Bytes,
}

impl Tagged {
    /// # Errors
    /// 500 if the value cannot be written as JSON.
    pub(crate) fn new(value: &impl Serialize) -> Result<Self, Problem> {
        let body = serde_json::to_vec(value).map_err(|error| {
            Problem::new(StatusCode::INTERNAL_SERVER_ERROR, format!("failed to write the answer: {error}"))
        })?;
        Ok(Self { tag: tag(&body), body: body.into() })
    }

    /// The answer, or 304 if the reader has it.
    ///
    /// # Errors
    /// 500 if the tag is not a header.
    pub(crate) fn to_response(&self, headers: &HeaderMap) -> Result<Response, Problem> {
        let Ok(tag) = HeaderValue::from_str(&self.tag) else {
            return Err(Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "the entity tag is not a header"));
        };
        if has(headers, &self.tag) {
            return Ok((StatusCode::NOT_MODIFIED, [(header::ETAG, tag)]).into_response());
        }
        let content_type = HeaderValue::from_static("application/json");
        let fields = [(header::ETAG, tag), (header::CONTENT_TYPE, content_type)];
        Ok((fields, self.body.clone()).into_response())
    }
}

fn tag(body: &[u8]) -> String {
    format!("\"{}\"", hash::hex(body, TAG_DIGITS))
}

/// Whether the reader has this version. Tags are compared weakly, as RFC 9110 says for `If-None-Match`.
fn has(headers: &HeaderMap, tag: &str) -> bool {
    let sent = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let mut tags = sent.flat_map(|value| value.split(',')).map(str::trim);
    tags.any(|sent| sent == "*" || sent.strip_prefix("W/").unwrap_or(sent) == tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(sent: &str, value: &str) -> StatusCode {
        let mut headers = HeaderMap::new();
        headers.insert(header::IF_NONE_MATCH, HeaderValue::from_str(sent).unwrap());
        tagged(&headers, &value).unwrap().status()
    }

    #[test]
    fn a_reader_that_has_the_value_gets_304() {
        let tag = tag(br#""a""#);
        for sent in [tag.clone(), format!("W/{tag}"), format!("\"other\", {tag}"), "*".to_owned()] {
            assert_eq!(status(&sent, "a"), StatusCode::NOT_MODIFIED, "{sent}");
            assert_eq!(status(&tag, "b"), StatusCode::OK);
        }
        assert_eq!(status("\"other\"", "a"), StatusCode::OK);
    }
}
