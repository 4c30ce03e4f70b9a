//! W3C Trace Context: the one line that joins the spans of several systems to a trace.

use crate::id::Digest;

/// Longest `traceparent` that is taken, in bytes: version 00 has 55, and a later version may have more.
pub const MAX_BYTES: usize = 256;

/// Whether `text` is a `traceparent` (W3C Trace Context, section 3.2): version 00 has four fields and no more.
pub fn is_valid(text: &str) -> bool {
    if text.len() > MAX_BYTES || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return false;
    }
    let mut parts = text.split('-');
    let (Some(version), Some(trace), Some(span), Some(flags)) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return false;
    };
    let fields = is_hex(version, 2) && is_hex(flags, 2) && is_id(trace, 32) && is_id(span, 16);
    fields && version != "ff" && (version != "00" || parts.next().is_none())
}

/// A `traceparent` of the trace `trace_id`, with a span id derived from `key`; `None` if the id is not one of W3C's.
pub(crate) fn from_trace_id(trace_id: &str, key: &str) -> Option<String> {
    let trace = trace_id.to_ascii_lowercase();
    let digest = Digest::of(key.as_bytes());
    let span = digest.as_str().get(..16)?;
    is_id(&trace, 32).then(|| format!("00-{trace}-{span}-01"))
}

/// An id of all zeros is invalid.
fn is_id(text: &str, digits: usize) -> bool {
    is_hex(text, digits) && text.bytes().any(|digit| digit != b'0')
}

fn is_hex(text: &str, digits: usize) -> bool {
    text.len() == digits && text.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn only_a_trace_context_of_bounded_length_is_one() {
        assert!(is_valid(GOOD));
        assert!(is_valid(&format!("01{}-{}", &GOOD[2..], "x".repeat(MAX_BYTES - GOOD.len() - 1))), "a later version");
        for bad in [
            format!("{GOOD}-more"),
            format!("01{}-{}", &GOOD[2..], "x".repeat(MAX_BYTES - GOOD.len())),
            format!("01{}-a b", &GOOD[2..]),
            format!("ff{}", &GOOD[2..]),
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01".to_owned(),
            GOOD.replace("00-4b", "0-4b"),
            GOOD.replace("00-4b", "0g-4b"),
            GOOD.replace("-01", "-0"),
            GOOD.replace("-01", "-0g"),
            GOOD.replace("-4bf9", "-4BF9"),
            GOOD.replace("-4bf9", "-4bf"),
            GOOD.replace("-00f0", "-00f"),
            "a".repeat(380_000),
            String::new(),
        ] {
            assert!(!is_valid(&bad), "{bad:.80}");
        }
    }
}
