//! URLs of the ticket service. An id becomes exactly one path segment, or is rejected.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use url::Url;

use heal_telemetry::text::is_risky;

use crate::config::BaseUrl;
use crate::error::Error;

/// Longest id that is sent, in bytes before its encoding.
pub const MAX_ID_BYTES: usize = 512;

/// Encodes everything but the unreserved characters of RFC 3986.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Joins `{base}/{segments…}` without encoding: [`segment`] has already encoded what needs it.
pub(super) fn url(base: &BaseUrl, segments: &[&str]) -> Result<Url, Error> {
    let text = format!("{base}/{}", segments.join("/"));
    let url = Url::parse(&text).map_err(|error| invalid("url", &error.to_string()))?;
    // A parser that normalises the path would send the call to another resource.
    if url.as_str() == text {
        Ok(url)
    } else {
        Err(invalid("url", &format!("{text:?} is rewritten to {:?} when parsed", url.as_str())))
    }
}

/// The URL of `path`, such as `/health`, at the root of the base URL's host.
pub(super) fn root(base: &BaseUrl, path: &str) -> Result<Url, Error> {
    let mut url = Url::parse(base.as_str()).map_err(|error| invalid("url", &error.to_string()))?;
    url.set_path(path);
    Ok(url)
}

/// Encodes `id` as one path segment.
///
/// # Errors
/// `Invalid` for an id that a parser or proxy on the way could read as another path (`.` or `..`, also between slashes or
/// percent-encoded), an empty one, one over [`MAX_ID_BYTES`], or one with control characters or bidirectional marks.
pub(super) fn segment(field: &'static str, id: &str) -> Result<String, Error> {
    if id.is_empty() {
        return Err(invalid(field, "is empty"));
    }
    if id.len() > MAX_ID_BYTES {
        return Err(invalid(field, &format!("has {} bytes, expected at most {MAX_ID_BYTES}", id.len())));
    }
    if let Some(mark) = id.chars().find(|char| is_risky(*char)) {
        let problem = format!("contains the control character U+{:04X}", u32::from(mark));
        return Err(invalid(field, &problem));
    }
    if has_dot_segment(id) {
        return Err(invalid(field, "contains the path segment `.` or `..`, which would lead to another path"));
    }
    Ok(utf8_percent_encode(id, SEGMENT).to_string())
}

/// Whether `id` has a segment `.` or `..`, in any layer of percent-encoding.
fn has_dot_segment(id: &str) -> bool {
    let mut text = id.to_owned();
    loop {
        if text.split(['/', '\\']).any(|piece| piece == "." || piece == "..") {
            return true;
        }
        let decoded = percent_decode_str(&text).decode_utf8_lossy().into_owned();
        // Each effective decoding shortens the text, so the loop ends.
        if decoded.len() >= text.len() {
            return false;
        }
        text = decoded;
    }
}

fn invalid(field: &'static str, problem: &str) -> Error {
    Error::Invalid { field, problem: problem.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_becomes_one_segment_whatever_it_contains() {
        for (id, encoded) in [
            ("t-1", "t-1"),
            ("{{ 7*7 }}", "%7B%7B%207%2A7%20%7D%7D"),
            ("a/b", "a%2Fb"),
            ("a%2Fb", "a%252Fb"),
            ("...", "..."),
            ("a..b", "a..b"),
            ("ü?#&", "%C3%BC%3F%23%26"),
        ] {
            assert_eq!(segment("ticket_id", id).as_deref(), Ok(encoded), "{id}");
        }
    }

    #[test]
    fn an_id_that_a_path_cannot_carry_is_rejected_with_its_field() {
        for id in [
            "",
            ".",
            "..",
            "../",
            "../../admin",
            "a/../b",
            "..\\x",
            "%2e%2e",
            "%2E.",
            "%252e%252e",
            "%2e%2e%2f",
            "a\r\nHost: x",
            "a\0",
            "a\u{202e}b",
            "\u{7f}",
        ] {
            let error = segment("ticket_id", id).unwrap_err();
            assert!(error.to_string().starts_with("ticket_id: "), "{id:?}: {error}");
        }
        assert!(segment("ticket_id", &"x".repeat(MAX_ID_BYTES)).is_ok());
        let error = segment("ticket_id", &"x".repeat(MAX_ID_BYTES + 1)).unwrap_err();
        assert_eq!(error.to_string(), "ticket_id: has 513 bytes, expected at most 512");
    }

    #[test]
    fn the_path_of_the_base_url_stays_a_prefix() {
        let base = BaseUrl::parse("http://ets:8000/api/v1/").unwrap();
        let url = url(&base, &["tickets", "t-1", "reallocate"]).unwrap();
        assert_eq!(url.as_str(), "http://ets:8000/api/v1/tickets/t-1/reallocate");
    }
}
