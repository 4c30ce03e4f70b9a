//! One accepted connection: plain text or TLS, HTTP/1.1 or HTTP/2; it can be reset at any moment.

use std::convert::Infallible;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::Router;
use http::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt;

use crate::gateway::{Gateway, Peer, Reset};
use crate::tls::{self, ServerTls};

/// A TCP stream that closes with a reset if one was requested.
struct Wire {
    stream: TcpStream,
    reset: Arc<Reset>,
}

impl Drop for Wire {
    fn drop(&mut self) {
        if self.reset.is_requested() {
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

/// Resets the connection before reading a byte from it.
pub(crate) fn refuse(stream: &TcpStream) {
    let _ = stream.set_zero_linger();
}

/// Serves `stream` through `gateway` until either end closes or the gateway resets it.
pub(crate) async fn serve(stream: TcpStream, tls: Option<Arc<ServerTls>>, gateway: Arc<Gateway>) {
    let mut peer = Peer::default();
    let wire = Wire { stream, reset: peer.reset_handle() };
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

/// Serves `stream` through `router`, without faults and without the journal.
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
    let reset = peer.reset_handle();
    let service = service_fn(move |request| {
        let (gateway, peer) = (Arc::clone(&gateway), peer.clone());
        async move { Ok::<_, Infallible>(gateway.answer(request, &peer).await) }
    });
    let builder = auto::Builder::new(TokioExecutor::new());
    let serving = builder.serve_connection(TokioIo::new(stream), service);
    tokio::select! {
        // A client that times out or resets the connection is not an error of the platform.
        _ = serving => {}
        () = reset.requested() => {}
    }
}
