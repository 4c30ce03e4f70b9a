//! A stream that is read in turns and within bounds.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper_util::client::legacy::connect::{Connected, Connection};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Bytes of one connection that are read before other work has its turn. A server that sends faster than this process reads would hold a
/// thread for seconds otherwise: tokio lets a connection read 128 times in a row.
const TURN_BYTES: usize = 8 * 1024;

/// Bytes that a server may usually send while this process sends nothing: the longest body of 1 MiB four times. It ends what has no other bound,
/// such as interim responses (1xx) without an end.
pub const UNASKED_BYTES: usize = 4 * 1024 * 1024;

/// A stream that is read in turns, and ends with an error after as many bytes as a server may send unasked.
#[derive(Debug)]
pub struct Paced<S> {
    stream: S,
    /// Bytes that the server may send unasked.
    bound: usize,
    /// Bytes read in this turn.
    turn: usize,
    /// Bytes read since the last write.
    unasked: usize,
}

impl<S> Paced<S> {
    /// `stream`, whose server may send [`UNASKED_BYTES`] unasked.
    pub const fn new(stream: S) -> Self {
        Self::bounded(stream, UNASKED_BYTES)
    }

    /// `stream`, whose server may send `bound` bytes unasked.
    pub const fn bounded(stream: S, bound: usize) -> Self {
        Self { stream, bound, turn: 0, unasked: 0 }
    }

    /// The stream itself.
    pub const fn get_ref(&self) -> &S {
        &self.stream
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Paced<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.turn >= TURN_BYTES {
            self.turn = 0;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(cx, buf);
        let read = buf.filled().len().saturating_sub(before);
        self.turn += read;
        self.unasked += read;
        if self.unasked > self.bound {
            let detail = format!("the server sent more than {} bytes that nobody asked for", self.bound);
            return Poll::Ready(Err(io::Error::other(detail)));
        }
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Paced<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.unasked = 0;
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.unasked = 0;
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

impl<S: Connection> Connection for Paced<S> {
    fn connected(&self) -> Connected {
        self.stream.connected()
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    #[tokio::test]
    async fn a_stream_that_is_never_asked_ends_and_one_that_is_asked_goes_on() {
        let (near, mut far) = tokio::io::duplex(TURN_BYTES);
        let mut near = Paced::new(near);
        tokio::spawn(async move { while far.write_all(&[0; 1024]).await.is_ok() {} });
        let mut half = vec![0; UNASKED_BYTES / 2];
        near.read_exact(&mut half).await.unwrap();
        assert!(near.write(b"a").await.is_ok());
        near.read_exact(&mut half).await.unwrap();
        near.read_exact(&mut half).await.unwrap();
        let error = near.read_exact(&mut half).await.unwrap_err();
        assert!(error.to_string().contains("nobody asked for"), "{error}");
    }

    #[tokio::test]
    async fn other_work_has_its_turn_while_a_server_floods() {
        let flood = tokio::io::repeat(b'a');
        let mut near = Paced::new(tokio::io::join(flood, tokio::io::sink()));
        let others = std::rc::Rc::new(std::cell::Cell::new(0));
        let counted = std::rc::Rc::clone(&others);
        let other = async move {
            loop {
                counted.set(counted.get() + 1);
                tokio::task::yield_now().await;
            }
        };
        let reading = async {
            let mut block = [0; 1024];
            for _ in 0..4 * TURN_BYTES / block.len() {
                near.read_exact(&mut block).await.unwrap();
            }
        };
        tokio::select! {
            biased;
            () = reading => {}
            () = other => {}
        }
        assert_eq!(others.get(), 3);
    }
}
