//! How connections are opened, and the settings of a client over them.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tower::{BoxError, Service};

use crate::Paced;

/// Timeout of opening a connection, with the resolution of its name and TLS; a shorter call timeout wins.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// An idle connection is closed after this time: a Lambda sandbox that was frozen thaws with dead connections.
const POOL_IDLE: Duration = Duration::from_secs(15);

/// Idle connections kept per host: as many as a batch has calls in flight.
const POOL_SIZE: usize = 64;

/// Longest head of an HTTP/1.1 response.
const HEAD_BYTES: usize = 16 * 1024;

/// The settings of a client of HTTP/1.1.
pub fn client() -> legacy::Builder {
    let mut builder = legacy::Client::builder(TokioExecutor::new());
    builder
        .http1_max_buf_size(HEAD_BYTES)
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(POOL_IDLE)
        .pool_max_idle_per_host(POOL_SIZE);
    builder
}

/// A connection that is being opened.
type Connecting<S> = Pin<Box<dyn Future<Output = Result<S, BoxError>> + Send>>;

/// Connects over TCP; a server may send so many bytes unasked.
#[derive(Debug, Clone)]
pub struct Tcp(HttpConnector, usize);

impl Tcp {
    /// Connections whose server may send `unasked` bytes while this process sends nothing.
    pub fn bounded(unasked: usize) -> Self {
        let mut http = HttpConnector::new();
        http.enforce_http(false);
        http.set_nodelay(true);
        Self(http, unasked)
    }
}

impl Service<Uri> for Tcp {
    type Response = TokioIo<Paced<TcpStream>>;
    type Error = BoxError;
    type Future = Connecting<Self::Response>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.0.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let (connecting, unasked) = (self.0.call(uri), self.1);
        Box::pin(async move { Ok(TokioIo::new(Paced::bounded(connecting.await?.into_inner(), unasked))) })
    }
}

/// Gives a connection up after a time.
#[derive(Debug, Clone)]
pub struct Timed<C> {
    inner: C,
    time: Duration,
}

impl<C> Timed<C> {
    /// `inner`, whose connections have to be open within `time`.
    pub const fn new(inner: C, time: Duration) -> Self {
        Self { inner, time }
    }
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
