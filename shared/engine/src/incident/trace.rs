//! The trace that a message continues.

use super::field::text;
use crate::{Digest, Map};

/// W3C `traceparent`: the message's own where it is valid, else one made from its `trace_id`. `key` names the span that
/// the producer did not name.
pub(super) fn parent(variables: &Map, key: &str) -> Option<String> {
    let given = text(variables, "traceparent").filter(|parent| is_valid(parent));
    given.map(ToOwned::to_owned).or_else(|| from_trace_id(text(variables, "trace_id")?, key))
}

/// W3C Trace Context, section 3.2: version 00 has four fields and no more, a later version may have more.
fn is_valid(parent: &str) -> bool {
    let mut parts = parent.split('-');
    let (Some(version), Some(trace), Some(span), Some(flags)) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return false;
    };
    let fields = is_hex(version, 2) && is_hex(flags, 2) && is_id(trace, 32) && is_id(span, 16);
    fields && version != "ff" && (version != "00" || parts.next().is_none())
}

fn from_trace_id(trace_id: &str, key: &str) -> Option<String> {
    let trace = trace_id.to_ascii_lowercase();
    let digest = Digest::of(key.as_bytes());
    let span = digest.as_str().get(..16)?;
    is_id(&trace, 32).then(|| format!("00-{trace}-{span}-01"))
}

/// An id of all zeros is none.
fn is_id(text: &str, digits: usize) -> bool {
    is_hex(text, digits) && text.bytes().any(|digit| digit != b'0')
}

fn is_hex(text: &str, digits: usize) -> bool {
    text.len() == digits && text.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'))
}
