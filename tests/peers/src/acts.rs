//! What a server over HTTP/1.1 may do to its client.

use std::sync::Arc;
use std::time::Duration;

use crate::hostile::{Act, Then};

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n";

fn act(answer: impl Into<Vec<u8>>, then: Then) -> Act {
    let has_request = |seen: &[u8]| seen.windows(4).any(|four| four == b"\r\n\r\n");
    Act { opening: Vec::new(), speaks_first: false, has_request, answer: Arc::new(answer.into()), then }
}

fn flood(answer: impl Into<Vec<u8>>, block: &str) -> Act {
    // A large block, so that the client always has something to read.
    act(answer, Then::Repeat(block.repeat(64 * 1024 / block.len() + 1).into_bytes(), Duration::ZERO))
}

fn drip(answer: impl Into<Vec<u8>>, block: &str) -> Act {
    act(answer, Then::Repeat(block.into(), Duration::from_millis(20)))
}

/// What follows a request.
pub fn acts() -> Vec<(&'static str, Act)> {
    let large = "a".repeat(1024 * 1024);
    vec![
        ("says nothing", act("", Then::Stay)),
        ("resets", act("", Then::Reset)),
        ("resets in the body", act(format!("{OK}content-length: 100\r\n\r\n{{"), Then::Reset)),
        ("drips the head", drip(format!("{OK}x-a: "), "a")),
        ("drips the body", drip(format!("{OK}content-length: 100000\r\n\r\n"), " ")),
        ("never ends the body", act(format!("{OK}content-length: 100000\r\n\r\n{{"), Then::Stay)),
        ("announces a body of 8 EiB", flood(format!("{OK}content-length: 9223372036854775807\r\n\r\n"), " ")),
        ("floods with a body", flood(format!("{OK}transfer-encoding: chunked\r\n\r\n"), "4\r\n    \r\n")),
        ("floods with chunk extensions", flood(format!("{OK}transfer-encoding: chunked\r\n\r\n1"), ";a=b")),
        ("floods with trailers", flood(format!("{OK}transfer-encoding: chunked\r\n\r\n0\r\n"), "a: b\r\n")),
        ("floods with headers", flood(OK, "x-a: b\r\n")),
        ("sends one header of 1 MiB", act(format!("{OK}x-a: {large}\r\ncontent-length: 2\r\n\r\n{{}}"), Then::Stay)),
        ("floods with interim answers", flood("", "HTTP/1.1 100 Continue\r\n\r\n")),
        ("floods with interim answers that have headers", flood("", "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n")),
        ("floods with garbage", flood("", "\u{0}\u{7f}x\n")),
        ("floods after its answer", flood(format!("{OK}content-length: 2\r\n\r\n[]"), "HTTP/1.1 200 OK\r\n\r\n")),
        ("sends a gzip bomb", act(gzip_bomb(), Then::Stay)),
    ]
}

/// What a server does to a client that waits for its part of TLS.
pub fn acts_before_tls() -> Vec<(&'static str, Act)> {
    let record = "\u{16}\u{3}\u{3}\u{40}\u{0}";
    let acts = [
        ("says nothing", act("", Then::Stay)),
        ("resets", act("", Then::Reset)),
        ("drips a record", drip(record, "\u{2}")),
        ("floods with garbage", flood("", "\u{0}\u{7f}x\n")),
        ("floods with HTTP", flood("", "HTTP/1.1 200 OK\r\n\r\n")),
        // Change of cipher (RFC 8446, section 5): dropped, as often as it comes.
        ("floods with records that say nothing", flood("", "\u{14}\u{3}\u{3}\u{0}\u{1}\u{1}")),
    ];
    acts.into_iter().map(|(name, act)| (name, Act { has_request: |seen| !seen.is_empty(), ..act })).collect()
}

/// What a mail server does to a client (RFC 5321).
pub fn acts_of_smtp() -> Vec<(&'static str, Act)> {
    let acts = [
        ("says nothing", act("", Then::Stay)),
        ("resets", act("", Then::Reset)),
        ("drips its greeting", drip("220 ", "a")),
        ("never ends its greeting", flood("220-a\r\n", "220-a\r\n")),
        ("floods with one line", flood("220 ", "a")),
        ("floods with garbage", flood("", "\u{0}\u{7f}x\n")),
        ("never ends its extensions", flood("220 a\r\n", "250-a\r\n")),
    ];
    // It speaks first.
    acts.into_iter().map(|(name, act)| (name, Act { has_request: |_| true, speaks_first: true, ..act })).collect()
}

/// An answer of 130 KB that stands for 20 MB of zeros.
fn gzip_bomb() -> Vec<u8> {
    // RFC 1952: the head. RFC 1951: the last block, with fixed codes; a zero, then copies of the 258 bytes before.
    let mut bits = vec![true, true, false];
    let mut code = |value: u32, length: u32| bits.extend((0..length).rev().map(|bit| value >> bit & 1 == 1));
    code(0b0011_0000, 8);
    for _ in 0..80_000 {
        code(0b1100_0101, 8);
        code(0, 5);
    }
    code(0, 7);
    let mut body = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    let byte = |bits: &[bool]| bits.iter().rev().fold(0, |byte, bit| byte << 1 | u8::from(*bit));
    body.extend(bits.chunks(8).map(byte));
    let mut answer = format!("{OK}content-encoding: gzip\r\ncontent-length: {}\r\n\r\n", body.len()).into_bytes();
    answer.extend(body);
    answer
}
