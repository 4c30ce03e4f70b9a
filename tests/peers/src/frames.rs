//! Frames of HTTP/2 (RFC 9113, section 4), written by hand, and compressed headers (RFC 7541).

pub const DATA: u8 = 0;
pub const HEADERS: u8 = 1;
pub const RST_STREAM: u8 = 3;
pub const SETTINGS: u8 = 4;
pub const PUSH_PROMISE: u8 = 5;
pub const PING: u8 = 6;
pub const GOAWAY: u8 = 7;
pub const WINDOW_UPDATE: u8 = 8;
pub const CONTINUATION: u8 = 9;

pub const END_HEADERS: u8 = 4;

/// What a client sends before its first frame.
const PREFACE_BYTES: usize = 24;
const HEAD_BYTES: usize = 9;

/// The stream of the client's first request.
pub const STREAM: u32 = 1;

pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut frame = u32::try_from(payload.len()).unwrap().to_be_bytes()[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// Whether the client has sent the headers of a request.
pub fn has_request(seen: &[u8]) -> bool {
    let mut rest = seen.get(PREFACE_BYTES..).unwrap_or_default();
    while let Some(head) = rest.get(..HEAD_BYTES) {
        if head[3] == HEADERS {
            return true;
        }
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        rest = rest.get(HEAD_BYTES + usize::try_from(length).unwrap()..).unwrap_or_default();
    }
    false
}

/// The head of a response of gRPC, compressed.
pub fn grpc_head() -> Vec<u8> {
    // `:status: 200`, from the static table; `content-type`, whose name is from there.
    let mut block = vec![0x88, 0x0f, 0x10];
    block.extend(text("application/grpc"));
    block
}

/// A header that the receiver does not remember.
pub fn header(name: &str, value: &str) -> Vec<u8> {
    [vec![0], text(name), text(value)].concat()
}

/// A header that the receiver remembers: as 62 until the next one.
pub fn remembered(name: &str, value: &str) -> Vec<u8> {
    [vec![0x40], text(name), text(value)].concat()
}

/// The header that was remembered last.
pub const LAST: u8 = 0x80 | 0x3e;

/// Not in Huffman's code; the length in 7 bits, and more bytes after them (RFC 7541, section 5.1).
fn text(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    match u8::try_from(text.len()) {
        Ok(length) if length < 127 => bytes.push(length),
        _ => {
            bytes.push(127);
            let mut rest = text.len() - 127;
            while rest >= 128 {
                bytes.push(u8::try_from(rest % 128).unwrap() | 128);
                rest /= 128;
            }
            bytes.push(u8::try_from(rest).unwrap());
        }
    }
    bytes.extend(text.as_bytes());
    bytes
}
