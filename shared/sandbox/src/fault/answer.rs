//! The responses of faulty services.

use std::time::Duration;

use axum::body::Body;
use bytes::{BufMut, Bytes, BytesMut};
use futures_util::stream;
use http::header::{CONTENT_TYPE, LOCATION, RETRY_AFTER};
use http::{HeaderValue, Response, StatusCode};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use tonic::Code;

/// The size of one chunk of a huge body, in bytes.
const CHUNK_BYTES: usize = 64 * 1024;

/// A response with a status and a body that a client cannot parse.
pub(crate) fn empty(code: u16, retry_after_seconds: Option<u64>) -> Response<Body> {
    let mut response = Response::new(Body::from("injected fault of the sandbox\n"));
    *response.status_mut() = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    if let Some(seconds) = retry_after_seconds {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// A redirect to `location`.
pub(crate) fn redirect(status: u16, location: &str) -> Response<Body> {
    let mut response = empty(status, None);
    if let Ok(location) = HeaderValue::from_str(location) {
        response.headers_mut().insert(LOCATION, location);
    }
    response
}

/// A gRPC response without a message.
pub(crate) fn grpc_status(code: &str, message: &str) -> Response<Body> {
    let code = grpc_code(code).unwrap_or(Code::Unknown);
    tonic::Status::new(code, message).into_http::<Body>()
}

/// `response` with its body replaced by `bytes` bytes: one JSON string, or one gRPC message.
pub(crate) fn huge(response: Response<Body>, bytes: u64) -> Response<Body> {
    let (mut parts, _) = response.into_parts();
    parts.headers.remove(http::header::CONTENT_LENGTH);
    let mut first = BytesMut::new();
    if is_grpc(&parts.headers) {
        first.put_u8(0);
        first.put_u32(u32::try_from(bytes.saturating_sub(5)).unwrap_or(u32::MAX));
    } else {
        first.put_u8(b'"');
    }
    let chunk = Bytes::from(vec![b'x'; CHUNK_BYTES]);
    let rest = bytes.saturating_sub(first.len() as u64);
    let pieces = stream::unfold((Some(first.freeze()), rest), move |(first, rest)| {
        let chunk = chunk.clone();
        async move {
            if let Some(first) = first {
                return Some((Ok::<_, std::io::Error>(first), (None, rest)));
            }
            let length = usize::try_from(rest).unwrap_or(usize::MAX).min(CHUNK_BYTES);
            (length > 0).then(|| (Ok(chunk.slice(..length)), (None, rest - length as u64)))
        }
    });
    Response::from_parts(parts, Body::from_stream(pieces))
}

/// `response` with its body sent byte by byte; trailers are kept.
pub(crate) fn drip(response: Response<Body>, interval: Duration) -> Response<Body> {
    let (mut parts, body) = response.into_parts();
    // With a known length hyper would write a small body in one piece.
    parts.headers.remove(http::header::CONTENT_LENGTH);
    let frames = stream::unfold((body, Bytes::new()), move |(mut body, mut left)| async move {
        if left.is_empty() {
            match body.frame().await?.map(Frame::into_data) {
                Ok(Ok(data)) => left = data,
                Ok(Err(trailers)) => return Some((Ok(trailers), (body, left))),
                Err(error) => return Some((Err(error), (body, left))),
            }
        }
        tokio::time::sleep(interval).await;
        let byte = left.split_to(1.min(left.len()));
        Some((Ok(Frame::data(byte)), (body, left)))
    });
    Response::from_parts(parts, Body::new(StreamBody::new(frames)))
}

pub(super) fn is_loopback(location: &str) -> bool {
    let Ok(url) = url::Url::parse(location) else {
        return false;
    };
    url.scheme() == "http"
        && match url.host() {
            Some(url::Host::Ipv4(address)) => address.is_loopback(),
            Some(url::Host::Ipv6(address)) => address.is_loopback(),
            Some(url::Host::Domain(name)) => name == "localhost",
            None => false,
        }
}

fn is_grpc(headers: &http::HeaderMap) -> bool {
    headers.get(CONTENT_TYPE).is_some_and(|value| value.as_bytes().starts_with(b"application/grpc"))
}

/// The code with this name, spelled as in the gRPC documentation, such as `UNAVAILABLE`.
pub(super) fn grpc_code(name: &str) -> Option<Code> {
    (0..=16).map(Code::from_i32).find(|code| heal_proto::code_name(*code) == name)
}
