//! One accepted connection: plain text or TLS, HTTP/1.1 or HTTP/2, and a reset at any moment.

use std::convert::Infallible;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use axum::Router;
use http::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt;

use crate::gateway::Gateway;
use crate::tls::{self, ServerTls};

/// Who is at the other end, and the means to cut the connection.
#[derive(Clone, Debug, Default)]
pub(crate) struct Peer {
    reset: Arc<Reset>,
    /// The SPIFFE id of the client's certificate.
    pub(crate) spiffe_id: Option<String>,
}

impl Peer {
    /// Cuts the connection with a TCP reset; the caller answers nothing.
    pub(crate) fn reset(&self) {
        self.reset.requested.store(true, Ordering::Release);
        self.reset.notify.notify_one();
    }
}

#[derive(Debug, Default)]
struct Reset {
    requested: AtomicBool,
    notify: Notify,
}

/// A TCP stream that ends with a reset, instead of an orderly close, when asked to.
struct Wire {
    stream: TcpStream,
    reset: Arc<Reset>,
}

impl Drop for Wire {
    fn drop(&mut self) {
        if self.reset.requested.load(Ordering::Acquire) {
            let _ = self.stream.set_zero_linger();
        }
    }
}

impl AsyncRead for Wire {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
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
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

/// Ends the connection with a TCP reset before a byte of it is read.
pub(crate) fn refuse(stream: &TcpStream) {
    let _ = stream.set_zero_linger();
}

/// Serves `stream` through `gateway` until either end closes or the gateway resets it.
pub(crate) async fn serve(stream: TcpStream, tls: Option<Arc<ServerTls>>, gateway: Arc<Gateway>) {
    let mut peer = Peer::default();
    let wire = Wire { stream, reset: Arc::clone(&peer.reset) };
    let Some(tls) = tls else {
        return serve_http(wire, peer, gateway).await;
    };
    match TlsAcceptor::from(tls.config()).accept(wire).await {
        Ok(stream) => {
            let certificates = stream.get_ref().1.peer_certificates();
            peer.spiffe_id = certificates.and_then(tls::spiffe_id);
            serve_http(stream, peer, gateway).await;
        }
        Err(error) => gateway.handshake_failed(&error),
    }
}

/// Serves `stream` through `router`: no fault, no journal.
pub(crate) async fn serve_router<S>(stream: S, router: Router)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(move |request: Request<Incoming>| router.clone().oneshot(request));
    let builder = auto::Builder::new(TokioExecutor::new());
    let _ = builder.serve_connection(TokioIo::new(stream), service).await;
}

async fn serve_http<S>(stream: S, peer: Peer, gateway: Arc<Gateway>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let reset = Arc::clone(&peer.reset);
    let service = service_fn(move |request| {
        let (gateway, peer) = (Arc::clone(&gateway), peer.clone());
        async move { Ok::<_, Infallible>(gateway.answer(request, &peer).await) }
    });
    let builder = auto::Builder::new(TokioExecutor::new());
    let serving = builder.serve_connection(TokioIo::new(stream), service);
    tokio::select! {
        // The client's trouble (a timeout, a reset) is no trouble of the platform's.
        _ = serving => {}
        () = reset.notify.notified() => {}
    }
}
