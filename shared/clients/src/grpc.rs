//! One HTTP/2 connection, made when it is needed and made anew when it may be dead.
//!
//! Not tonic's channel: that one cannot say whether a failed call was sent, and hands an old connection error to the next call.

mod tls;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant, SystemTime};

use hyper::body::Incoming;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use tonic::body::Body;
use tonic::codegen::Service;

use crate::config::SpiffeId;
use crate::error::{OutageKind, chain};
use crate::identity::{IdentityError, IdentityProvider, X509Identity};

/// Longest wait for a connection, handshake included, within the time of the call.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// An unused connection older than this is not trusted: a frozen Lambda sandbox wakes up with dead ones.
const MAX_IDLE: Duration = Duration::from_secs(20);

/// While a call waits, a ping after this long tells a dead connection from a slow answer. Not shorter: servers count pings, and
/// the usual limit (gRPC core: 2 without data) ends the connection.
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(4);

/// How long a ping may stay unanswered.
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(3);

/// A way to one server.
pub(crate) struct Connection {
    /// `host:port`.
    authority: String,
    host: String,
    security: Security,
    current: Mutex<Option<Open>>,
}

/// How the connection is protected.
#[derive(Debug)]
pub(crate) enum Security {
    Plain,
    /// Mutual TLS as `identity`, towards `server_id` and nobody else.
    Mutual {
        identity: Arc<dyn IdentityProvider>,
        server_id: SpiffeId,
    },
}

struct Open {
    sender: http2::SendRequest<Body>,
    /// Who this process was when the connection was made.
    identity: Option<Arc<X509Identity>>,
    used: Instant,
    /// Beside the monotonic time, which stands still while a sandbox is frozen.
    used_wall: SystemTime,
}

/// Why there is no connection. Nothing was sent.
#[derive(Debug, thiserror::Error)]
#[error("{detail}")]
pub(crate) struct ConnectFault {
    pub kind: OutageKind,
    pub detail: String,
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("authority", &self.authority).finish_non_exhaustive()
    }
}

impl Connection {
    pub(crate) fn new(host: &str, port: u16, security: Security) -> Self {
        Self { authority: format!("{host}:{port}"), host: host.to_owned(), security, current: Mutex::new(None) }
    }

    /// Whether a token may be sent on it: never in plain text.
    pub(crate) fn is_protected(&self) -> bool {
        match self.security {
            Security::Plain => false,
            Security::Mutual { .. } => true,
        }
    }

    /// Where calls say they go.
    pub(crate) fn origin(&self) -> String {
        let scheme = match self.security {
            Security::Plain => "http",
            Security::Mutual { .. } => "https",
        };
        format!("{scheme}://{}", self.authority)
    }

    /// The connection to send the next call on. Of many callers one makes it, the others wait for that one.
    ///
    /// A rotated identity gets a connection of its own; calls under way on the old one end there.
    pub(crate) async fn sender(&self) -> Result<Sender, ConnectFault> {
        let identity = match &self.security {
            Security::Plain => None,
            Security::Mutual { identity, .. } => Some(identity.x509().await.map_err(|error| no_identity(&error))?),
        };
        let mut current = self.current.lock().await;
        let usable = current.take().filter(|open| open.is_fresh() && same(open.identity.as_ref(), identity.as_ref()));
        let sender = match usable {
            Some(open) => open.sender,
            None => self.open_in_time(identity.as_deref()).await?,
        };
        let handle = Sender(sender.clone());
        *current = Some(Open { sender, identity, used: Instant::now(), used_wall: SystemTime::now() });
        Ok(handle)
    }

    /// Lets go of the connection, which ended or did not answer. Calls under way on it go on.
    pub(crate) async fn forget(&self) {
        *self.current.lock().await = None;
    }

    async fn open_in_time(&self, identity: Option<&X509Identity>) -> Result<http2::SendRequest<Body>, ConnectFault> {
        tokio::time::timeout(CONNECT_TIMEOUT, self.open(identity)).await.unwrap_or_else(|_| {
            let detail = format!("no connection within {} ms", CONNECT_TIMEOUT.as_millis());
            Err(ConnectFault { kind: OutageKind::Timeout, detail })
        })
    }

    async fn open(&self, identity: Option<&X509Identity>) -> Result<http2::SendRequest<Body>, ConnectFault> {
        let stream = TcpStream::connect(&self.authority).await.map_err(|error| connect_fault(chain(&error)))?;
        stream.set_nodelay(true).map_err(|error| connect_fault(chain(&error)))?;
        match (&self.security, identity) {
            (Security::Mutual { server_id, .. }, Some(identity)) => {
                talk(tls::handshake(stream, &self.host, identity, server_id).await?).await
            }
            (Security::Plain, _) => talk(stream).await,
            (Security::Mutual { .. }, None) => Err(no_identity(&IdentityError::NotConfigured)),
        }
    }
}

/// Starts HTTP/2 on a connected stream.
async fn talk<S>(stream: S) -> Result<http2::SendRequest<Body>, ConnectFault>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (sender, connection) = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .keep_alive_interval(KEEP_ALIVE_INTERVAL)
        .keep_alive_timeout(KEEP_ALIVE_TIMEOUT)
        .keep_alive_while_idle(false)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(|error| connect_fault(chain(&error)))?;
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(error = chain(&error), "grpc.connection_ended");
        }
    });
    Ok(sender)
}

/// Whether a connection made by `then` is one that `now` would make.
fn same(then: Option<&Arc<X509Identity>>, now: Option<&Arc<X509Identity>>) -> bool {
    match (then, now) {
        (Some(then), Some(now)) => Arc::ptr_eq(then, now),
        (None, None) => true,
        (Some(_), None) | (None, Some(_)) => false,
    }
}

impl Open {
    fn is_fresh(&self) -> bool {
        let wall = SystemTime::now().duration_since(self.used_wall).unwrap_or(Duration::ZERO);
        !self.sender.is_closed() && is_trusted(self.used.elapsed(), wall)
    }
}

/// Whether a connection unused for so long, by two clocks, is likely to be alive.
fn is_trusted(idle: Duration, idle_wall: Duration) -> bool {
    idle < MAX_IDLE && idle_wall < MAX_IDLE
}

fn connect_fault(detail: String) -> ConnectFault {
    ConnectFault { kind: OutageKind::Connect, detail }
}

fn no_identity(error: &IdentityError) -> ConnectFault {
    ConnectFault { kind: OutageKind::NoIdentity, detail: chain(error) }
}

/// The connection as one call sees it.
#[derive(Clone)]
pub(crate) struct Sender(http2::SendRequest<Body>);

/// The call ended without an answer.
#[derive(Debug, thiserror::Error)]
#[error("{detail}")]
pub(crate) struct SendFault {
    /// `false`: the request came back, no byte of it left.
    pub sent: bool,
    detail: String,
}

type Answering = Pin<Box<dyn Future<Output = Result<http::Response<Incoming>, SendFault>> + Send>>;

impl Service<http::Request<Body>> for Sender {
    type Response = http::Response<Incoming>;
    type Error = SendFault;
    type Future = Answering;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), SendFault>> {
        // A connection that is closed says so in `call`, where it is known that nothing was sent.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Answering {
        let answer = self.0.try_send_request(request);
        Box::pin(async move {
            answer.await.map_err(|error| SendFault { sent: error.message().is_none(), detail: chain(error.error()) })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_is_not_trusted_after_a_freeze_that_only_the_wall_clock_saw() {
        let little = Duration::from_secs(1);
        assert!(is_trusted(little, Duration::from_millis(19_999)));
        assert!(!is_trusted(little, MAX_IDLE));
        assert!(!is_trusted(MAX_IDLE, little));
    }
}
