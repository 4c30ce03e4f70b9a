//! Connections that are opened in time and read within bounds, whatever their server does: what it sends costs this process little memory, and
//! holds up no other work.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::{Connect, Connected, Connection, HttpConnector};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use kube::client::ConfigExt as _;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tower::{BoxError, Service};

/// Timeout of opening a connection, with the resolution of its name and TLS; a shorter call timeout wins.
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// An idle connection is closed after this time: a Lambda sandbox that was frozen thaws with dead connections.
const POOL_IDLE: Duration = Duration::from_secs(15);

/// Idle connections kept per host: as many as a batch has calls in flight.
const POOL_SIZE: usize = 10;

/// Longest head of an HTTP/1.1 response.
const HEAD_BYTES: usize = 16 * 1024;

/// Bytes of one connection that are read before other work has its turn. A server that sends faster than this process reads would hold a
/// thread for seconds otherwise: tokio lets a connection read 128 times in a row.
const TURN_BYTES: usize = 8 * 1024;

/// Bytes that a server may send while this process sends nothing: the longest body four times. It ends what has no other bound, such as
/// interim responses (1xx) without an end.
const UNASKED_BYTES: usize = 4 * crate::http::MAX_BODY_BYTES;

/// A stream that is read in turns, and ends with an error after [`UNASKED_BYTES`].
#[derive(Debug)]
pub(crate) struct Paced<S> {
    stream: S,
    /// Bytes read in this turn.
    turn: usize,
    /// Bytes read since the last write.
    unasked: usize,
}

impl<S> Paced<S> {
    pub(crate) const fn new(stream: S) -> Self {
        Self { stream, turn: 0, unasked: 0 }
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
        if self.unasked > UNASKED_BYTES {
            return Poll::Ready(Err(io::Error::other(format!(
                "the server sent more than {UNASKED_BYTES} bytes that nobody asked for"
            ))));
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

/// The settings of a client of HTTP/1.1.
pub(crate) fn client() -> legacy::Builder {
    let mut builder = legacy::Client::builder(TokioExecutor::new());
    builder
        .http1_max_buf_size(HEAD_BYTES)
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(POOL_IDLE)
        .pool_max_idle_per_host(POOL_SIZE);
    builder
}

/// Opens connections within `time`, over TLS as `tls` says.
///
/// Not over reqwest, which bounds neither the reading nor the head, and connects to the server name that it verifies: a kubeconfig's
/// `tls-server-name` is another name, or an address.
///
/// # Errors
/// The certificate authorities cannot be used.
pub(crate) fn connector(
    tls: &kube::Config,
    time: Duration,
) -> Result<impl Connect + Clone + Send + Sync + use<>, kube::Error> {
    let mut http = HttpConnector::new();
    http.enforce_http(false);
    http.set_nodelay(true);
    Ok(Timed { inner: tls.rustls_https_connector_with_connector(Tcp(http))?, time })
}

type Connecting<S> = Pin<Box<dyn Future<Output = Result<S, BoxError>> + Send>>;

/// Connects over TCP.
#[derive(Clone)]
struct Tcp(HttpConnector);

impl Service<Uri> for Tcp {
    type Response = TokioIo<Paced<TcpStream>>;
    type Error = BoxError;
    type Future = Connecting<Self::Response>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.0.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connecting = self.0.call(uri);
        Box::pin(async move { Ok(TokioIo::new(Paced::new(connecting.await?.into_inner()))) })
    }
}

/// Gives a connection up after `time`.
#[derive(Clone)]
struct Timed<C> {
    inner: C,
    time: Duration,
}

impl<C> Service<Uri> for Timed<C>
where
    C: Service<Uri, Error = BoxError>,
    C::Future: Send + 'static,
{
    type Response = C::Response;
    type Error = BoxError;
    type Future = Connecting<C::Response>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let (connecting, time) = (self.inner.call(uri), self.time);
        Box::pin(async move {
            tokio::time::timeout(time, connecting).await.unwrap_or_else(|_| {
                let detail = format!("no connection within {} ms", time.as_millis());
                Err(io::Error::new(io::ErrorKind::TimedOut, detail).into())
            })
        })
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
