//! The first bytes that a server sends, which say what it speaks.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::oneshot;

/// The place of the type in an HTTP/2 frame (RFC 9113, section 4.1): after its length, three bytes.
const FRAME_TYPE_AT: usize = 3;

/// The type of the frame that a server sends first (RFC 9113, section 3.4).
const SETTINGS: u8 = 4;

/// The types of the TLS records that a TLS server may send first, alert and handshake, and the major version after it.
const TLS_RECORDS: [[u8; 2]; 2] = [[21, 3], [22, 3]];

/// How a server opened the connection.
#[derive(Debug)]
pub(super) enum Opening {
    Http2,
    Http1,
    Tls,
    /// Any other protocol.
    Other,
    /// It closed the connection without a byte.
    Closed,
    Failed(io::Error),
}

/// A stream that reports once how its server opened the connection.
pub(super) struct Watched<S> {
    stream: S,
    report: Option<oneshot::Sender<Opening>>,
}

impl<S> Watched<S> {
    pub(super) fn new(stream: S) -> (Self, oneshot::Receiver<Opening>) {
        let (report, opening) = oneshot::channel();
        (Self { stream, report: Some(report) }, opening)
    }

    fn report(&mut self, opening: Opening) {
        if let Some(report) = self.report.take() {
            // The receiver is gone if opening the connection timed out.
            drop(report.send(opening));
        }
    }
}

impl<S: AsyncRead + Unpin> Watched<S> {
    /// After a failed write: a server that refuses the connection closes it behind its explanation, which can still be read.
    fn read_last_words(&mut self, cx: &mut Context<'_>) {
        if self.report.is_none() {
            return;
        }
        let mut bytes = [0; 16];
        let mut buf = ReadBuf::new(&mut bytes);
        match Pin::new(&mut self.stream).poll_read(cx, &mut buf) {
            Poll::Ready(Ok(())) => self.report(opening(buf.filled())),
            Poll::Ready(Err(error)) => self.report(Opening::Failed(error)),
            Poll::Pending => {}
        }
    }
}

fn opening(first: &[u8]) -> Opening {
    if first.is_empty() {
        return Opening::Closed;
    }
    if first.starts_with(b"HTTP/") {
        return Opening::Http1;
    }
    if TLS_RECORDS.iter().any(|record| first.starts_with(record)) {
        return Opening::Tls;
    }
    match first.get(FRAME_TYPE_AT) {
        // Too few bytes to tell: HTTP/2 itself finds out.
        Some(&SETTINGS) | None => Opening::Http2,
        Some(_) => Opening::Other,
    }
}

/// An error of the same kind and text. Errors of TLS are copied, so that both can be explained.
fn copy(error: &io::Error) -> io::Error {
    match error.get_ref().and_then(|cause| cause.downcast_ref::<rustls::Error>()) {
        Some(cause) => io::Error::new(error.kind(), cause.clone()),
        None => match error.raw_os_error() {
            Some(code) => io::Error::from_raw_os_error(code),
            None => io::Error::new(error.kind(), error.to_string()),
        },
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(cx, buf);
        match &polled {
            Poll::Ready(Ok(())) => self.report(opening(buf.filled().get(before..).unwrap_or_default())),
            Poll::Ready(Err(error)) => self.report(Opening::Failed(copy(error))),
            Poll::Pending => {}
        }
        polled
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(cx, bytes);
        if let Poll::Ready(Err(_)) = polled {
            self.read_last_words(cx);
        }
        polled
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_flush(cx);
        if let Poll::Ready(Err(_)) = polled {
            self.read_last_words(cx);
        }
        polled
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        if let Poll::Ready(Err(_)) = polled {
            self.read_last_words(cx);
        }
        polled
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_bytes_say_what_a_server_speaks() {
        for (first, expected) in [
            (&[0, 0, 18, 4, 0, 0, 0, 0, 0][..], "Http2"),
            (&[0, 0], "Http2"),
            (b"HTTP/1.1 400 Bad Request", "Http1"),
            (&[21, 3, 3, 0, 2, 2, 50], "Tls"),
            (b"SSH-2.0-OpenSSH", "Other"),
            (&[], "Closed"),
        ] {
            assert_eq!(format!("{:?}", opening(first)), expected, "{first:?}");
        }
    }
}
