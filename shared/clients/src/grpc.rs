//! One HTTP/2 connection per server: opened by the first call, reopened when it may be dead or the identity was rotated.
//!
//! Replaces tonic's channel, which does not report whether a failed call was sent, and fails a call with the connection error of
//! an earlier one. Nothing is sent on a connection before its server has shown that it speaks HTTP/2.

mod fault;
mod handshake;
mod preface;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime};

use hyper::body::Incoming;
use hyper::client::conn::http2;
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use tokio::task::AbortHandle;
use tokio::time::Instant;
use tonic::body::Body;
use tonic::codegen::Service;

use crate::config::SpiffeId;
use crate::connect::{CONNECT_TIMEOUT, Paced};
use crate::error::{OutageKind, chain};
use crate::identity::{IdentityError, IdentityProvider, X509Identity};
use crate::own;
use handshake::{Ends, http2_handshake, tls_handshake};

pub(crate) use fault::{ConnectError, Misfit, Setting};

/// A connection idle for longer is reopened: a Lambda sandbox that was frozen thaws with dead connections.
const MAX_IDLE: Duration = Duration::from_secs(20);

/// The connection to one server.
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
    /// Mutual TLS: authenticates as `identity` and accepts only the server with `server_id`.
    Mutual {
        identity: Arc<dyn IdentityProvider>,
        server_id: SpiffeId,
    },
}

struct Open {
    sender: Sender,
    /// The identity that the connection was opened with; `None` in plain text.
    identity: Option<Arc<X509Identity>>,
    last_used: Instant,
    /// The wall clock too: the monotonic clock stops while a sandbox is frozen.
    last_used_wall: SystemTime,
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

    /// Whether a token may be sent on this connection: never in plain text.
    pub(crate) fn is_protected(&self) -> bool {
        match self.security {
            Security::Plain => false,
            Security::Mutual { .. } => true,
        }
    }

    /// Scheme and authority of the requests.
    pub(crate) fn origin(&self) -> String {
        let scheme = match self.security {
            Security::Plain => "http",
            Security::Mutual { .. } => "https",
        };
        format!("{scheme}://{}", self.authority)
    }

    /// Returns the connection for the next call; concurrent callers wait for the one that opens it.
    ///
    /// A rotated identity opens a new connection. Calls in flight finish on the old one.
    pub(crate) async fn sender(&self) -> Result<Sender, ConnectError> {
        let identity = match &self.security {
            Security::Plain => None,
            Security::Mutual { identity, .. } => {
                Some(identity.x509().await.map_err(|error| ConnectError::no_identity(&error))?)
            }
        };
        let mut current = self.current.lock().await;
        let usable = current
            .take()
            .filter(|open| open.is_fresh() && is_same_identity(open.identity.as_ref(), identity.as_ref()));
        let sender = match usable {
            Some(open) => open.sender,
            None => self.open_in_time(identity.as_deref()).await?,
        };
        let handle = sender.clone();
        *current = Some(Open { sender, identity, last_used: Instant::now(), last_used_wall: SystemTime::now() });
        Ok(handle)
    }

    /// Drops a connection that ended or did not respond. Calls in flight on it go on.
    pub(crate) async fn forget(&self) {
        *self.current.lock().await = None;
    }

    async fn open_in_time(&self, identity: Option<&X509Identity>) -> Result<Sender, ConnectError> {
        tokio::time::timeout(CONNECT_TIMEOUT, self.open(identity)).await.unwrap_or_else(|_| {
            let detail = format!("no connection within {} ms", CONNECT_TIMEOUT.as_millis());
            Err(ConnectError::Outage { kind: OutageKind::Timeout, detail })
        })
    }

    async fn open(&self, identity: Option<&X509Identity>) -> Result<Sender, ConnectError> {
        let stream = TcpStream::connect(&self.authority).await.map_err(|error| ConnectError::failed(&error))?;
        stream.set_nodelay(true).map_err(|error| ConnectError::failed(&error))?;
        let stream = Paced::new(stream);
        match (&self.security, identity) {
            (Security::Mutual { server_id, .. }, Some(identity)) => {
                let ends = Ends { identity, server_id };
                let stream = tls_handshake(stream, &self.host, &ends).await?;
                http2_handshake(stream, &self.authority, Some(&ends)).await
            }
            (Security::Plain, _) => http2_handshake(stream, &self.authority, None).await,
            (Security::Mutual { .. }, None) => Err(ConnectError::no_identity(&IdentityError::NotConfigured)),
        }
    }
}

/// Whether the identity was not rotated since the connection was opened.
fn is_same_identity(then: Option<&Arc<X509Identity>>, now: Option<&Arc<X509Identity>>) -> bool {
    match (then, now) {
        (Some(then), Some(now)) => Arc::ptr_eq(then, now),
        (None, None) => true,
        (Some(_), None) | (None, Some(_)) => false,
    }
}

impl Open {
    fn is_fresh(&self) -> bool {
        let wall = SystemTime::now().duration_since(self.last_used_wall).unwrap_or(Duration::ZERO);
        !self.sender.requests.is_closed() && is_alive(self.last_used.elapsed(), wall)
    }
}

/// Whether a connection that was idle for these times, by the monotonic and the wall clock, is probably alive.
fn is_alive(idle: Duration, idle_wall: Duration) -> bool {
    idle < MAX_IDLE && idle_wall < MAX_IDLE
}

/// A handle for one call on the connection. The last handle to be dropped ends the connection, whatever its server does.
#[derive(Clone)]
pub(crate) struct Sender {
    requests: http2::SendRequest<Body>,
    _driver: Arc<Driver>,
}

/// The task that reads and writes the connection; it ends when this is dropped. A server that never ends a stream, or never stops sending,
/// would keep it otherwise.
struct Driver(AbortHandle);

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The call ended without a response of gRPC.
#[derive(Debug, thiserror::Error)]
#[error("{detail}")]
pub(crate) struct SendError {
    /// `false` if hyper handed the request back unsent.
    pub sent: bool,
    /// Whether a server answered with success that speaks HTTP/2, but not gRPC.
    pub is_foreign: bool,
    /// Whether the cause is trouble of this process or its machine.
    pub is_own_trouble: bool,
    detail: String,
}

type ResponseFuture = Pin<Box<dyn Future<Output = Result<http::Response<Incoming>, SendError>> + Send>>;

impl Service<http::Request<Body>> for Sender {
    type Response = http::Response<Incoming>;
    type Error = SendError;
    type Future = ResponseFuture;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        // A closed connection fails in `call`, which knows that nothing was sent.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> ResponseFuture {
        let answer = self.requests.try_send_request(request);
        Box::pin(async move {
            let response = answer.await.map_err(|error| SendError {
                sent: error.message().is_none(),
                is_foreign: false,
                is_own_trouble: own::is_own_trouble(error.error()),
                detail: chain(error.error()),
            })?;
            match foreign_content(&response) {
                Some(found) => Err(SendError {
                    sent: true,
                    is_foreign: true,
                    is_own_trouble: false,
                    detail: format!("HTTP {} with content type {found}", response.status().as_u16()),
                }),
                None => Ok(response),
            }
        })
    }
}

/// The content type of a successful response that is not one of gRPC. A proxy's error is not a success, and stands for the server.
fn foreign_content(response: &http::Response<Incoming>) -> Option<String> {
    let content = response.headers().get(http::header::CONTENT_TYPE).map_or(&b"none"[..], |value| value.as_bytes());
    let is_foreign = response.status().is_success() && !content.starts_with(b"application/grpc");
    is_foreign.then(|| String::from_utf8_lossy(content).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_is_reopened_after_a_freeze_that_only_the_wall_clock_shows() {
        let short = Duration::from_secs(1);
        assert!(is_alive(short, Duration::from_millis(19_999)));
        assert!(!is_alive(short, MAX_IDLE));
        assert!(!is_alive(MAX_IDLE, short));
    }
}
