//! The connection to a mail server: opened, encrypted, and read within bounds, whatever the server does.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use heal_engine::text::chain;
use heal_http::Paced;
use lettre::transport::smtp::client::{AsyncSmtpConnection, AsyncTokioStream, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// Bytes that the server may send before this process says something: a reply has a few lines of at most 512 bytes (RFC 5321, section 4.5.3.1.5).
const REPLY_BYTES: usize = 16 * 1024;
/// Lines of a reply. The library reads all of them again with each further one, so a thousand of them would take seconds.
const REPLY_LINES: usize = 100;
/// Bytes of the records below TLS, with the server's certificates.
const TLS_BYTES: usize = 128 * 1024;

/// How the connection is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Security {
    /// TLS after the server's greeting, or no mail.
    StartTls,
    /// TLS from the beginning.
    Tls,
    /// None.
    Plain,
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error("failed to connect to the mail server")]
    Connect(#[from] io::Error),
    #[error(transparent)]
    Smtp(#[from] lettre::transport::smtp::Error),
    #[error("failed to set up TLS: {0}")]
    Tls(String),
}

/// A connection whose server has greeted.
pub(super) async fn connect(host: &str, port: u16, security: Security) -> Result<AsyncSmtpConnection, Error> {
    let tcp = TcpStream::connect((host, port)).await?;
    tcp.set_nodelay(true)?;
    let (peer, hello) = (tcp.peer_addr()?, ClientId::default());
    if security == Security::Tls {
        let tls = heal_http::tls(false).map_err(|error| Error::Tls(chain(&error)))?;
        let name = ServerName::try_from(host.to_owned()).map_err(|error| Error::Tls(error.to_string()))?;
        let tls = TlsConnector::from(Arc::new(tls)).connect(name, Paced::bounded(tcp, TLS_BYTES)).await?;
        let stream = Bounded::new(tls, peer);
        return Ok(AsyncSmtpConnection::connect_with_transport(Box::new(stream), &hello).await?);
    }
    let stream = Bounded::new(tcp, peer);
    let mut connection = AsyncSmtpConnection::connect_with_transport(Box::new(stream), &hello).await?;
    if security == Security::StartTls {
        connection.starttls(TlsParameters::new(host.to_owned())?, &hello).await?;
    }
    Ok(connection)
}

/// A stream with its peer's address, as the library wants it, that ends with a reply of too many lines.
#[derive(Debug)]
struct Bounded<S> {
    stream: Paced<S>,
    peer: SocketAddr,
    /// Lines read since the last write.
    lines: usize,
}

impl<S> Bounded<S> {
    const fn new(stream: S, peer: SocketAddr) -> Self {
        Self { stream: Paced::bounded(stream, REPLY_BYTES), peer, lines: 0 }
    }
}

impl<S> AsyncTokioStream for Bounded<S>
where
    S: AsyncRead + AsyncWrite + Send + Sync + Unpin + std::fmt::Debug,
{
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.peer)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Bounded<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(cx, buf);
        self.lines += buf.filled().iter().skip(before).filter(|byte| **byte == b'\n').count();
        if self.lines > REPLY_LINES {
            let detail = format!("the mail server sent a reply of more than {REPLY_LINES} lines");
            return Poll::Ready(Err(io::Error::other(detail)));
        }
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Bounded<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.lines = 0;
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
