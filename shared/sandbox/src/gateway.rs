//! Every request of every service passes through here: it is read whole, recorded in the journal, and then either
//! performed or answered by a fault.

use std::future::{Future, pending};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Request, Response};
use hyper::body::Incoming;
use tokio::sync::Notify;

use crate::fault::{self, FaultBoard, FaultKind};
use crate::journal::{BODY_KEPT_BYTES, Call, Described, Entry, Journal, Status};
use crate::service::Service;

/// The largest request that a service reads, in bytes; a larger one is answered with 413.
pub const REQUEST_BODY_LIMIT_BYTES: usize = 4 * 1024 * 1024;

/// The client of one connection, with the means to reset that connection.
#[derive(Clone, Debug, Default)]
pub(crate) struct Peer {
    reset: Arc<Reset>,
    /// The SPIFFE id in the client's certificate.
    pub(crate) spiffe_id: Option<String>,
}

impl Peer {
    /// Resets the TCP connection; the caller must not send a response.
    pub(crate) fn reset(&self) {
        self.reset.requested.store(true, Ordering::Release);
        self.reset.notify.notify_one();
    }

    pub(crate) fn reset_handle(&self) -> Arc<Reset> {
        Arc::clone(&self.reset)
    }
}

/// Whether a connection is to be reset, shared between its gateway and its socket.
#[derive(Debug, Default)]
pub(crate) struct Reset {
    requested: AtomicBool,
    notify: Notify,
}

impl Reset {
    pub(crate) fn is_requested(&self) -> bool {
        self.requested.load(Ordering::Acquire)
    }

    /// Completes once a reset is requested.
    pub(crate) async fn requested(&self) {
        self.notify.notified().await;
    }
}

/// The pending response to a call.
pub(crate) type Answer<'a> = Pin<Box<dyn Future<Output = Response<Body>> + Send + 'a>>;

/// A service behind its gateway.
pub(crate) trait Backend: Send + Sync + 'static {
    /// Describes the call for the journal and for finding its fault. Changes nothing.
    fn describe(&self, parts: &Parts, body: &Bytes) -> Described;

    /// Performs the call and records its effect in `entry`.
    ///
    /// All state changes happen before the first await, so a client that hangs up cannot leave a call half done.
    fn perform(&self, request: Request<Bytes>, peer: &Peer, entry: &Entry) -> Answer<'_>;
}

/// The entrance to one service.
pub(crate) struct Gateway {
    pub(crate) service: Service,
    pub(crate) backend: Arc<dyn Backend>,
    pub(crate) faults: Arc<FaultBoard>,
    pub(crate) journal: Arc<Journal>,
}

impl Gateway {
    /// Whether to reset a new connection before reading a byte from it; uses up one call of the fault.
    pub(crate) fn refuses_connection(&self) -> bool {
        let refused = self.faults.take_refusal(self.service);
        if refused {
            self.connection_ended("connect", String::new()).fault(FaultKind::Refuse.name());
        }
        refused
    }

    /// Records a connection whose TLS handshake failed.
    pub(crate) fn handshake_failed(&self, error: &io::Error) {
        self.connection_ended("handshake", error.to_string());
    }

    fn connection_ended(&self, operation: &'static str, reason: String) -> Entry {
        let described = Described { operation, body: Some(reason), ..Described::default() };
        self.journal.open(Call::new(self.service, described, String::new()))
    }

    /// The response to `request`; pends forever if a fault resets the connection or hangs.
    pub(crate) async fn answer(&self, request: Request<Incoming>, peer: &Peer) -> Response<Body> {
        let (parts, body) = request.into_parts();
        let Ok(body) = axum::body::to_bytes(Body::new(body), REQUEST_BODY_LIMIT_BYTES).await else {
            return fault::empty(413, None);
        };
        let described = self.backend.describe(&parts, &body);
        let operation = described.operation;
        let entry = self.journal.open(call(self.service, described, &parts, &body, peer));
        let faulty = self.faults.take(self.service, operation);
        if let Some(kind) = &faulty {
            entry.fault(kind.name());
        }
        let perform = || self.backend.perform(Request::from_parts(parts, body), peer, &entry);
        let response = match faulty {
            None => perform().await,
            Some(kind) => with_fault(kind, perform, peer).await,
        };
        entry.answered(status(&response));
        response
    }
}

async fn with_fault<'a>(kind: FaultKind, perform: impl FnOnce() -> Answer<'a>, peer: &Peer) -> Response<Body> {
    match kind {
        FaultKind::Refuse => cut(peer).await,
        FaultKind::Hang => pending().await,
        FaultKind::Status { code, retry_after_seconds } => fault::empty(code, retry_after_seconds),
        FaultKind::GrpcStatus { code, message } => fault::grpc_status(&code, &message),
        FaultKind::AbortAfterEffect { code, message } => {
            perform().await;
            fault::grpc_status(&code, &message)
        }
        FaultKind::StatusAfterEffect { code } => {
            perform().await;
            fault::empty(code, None)
        }
        FaultKind::DropAnswer => {
            perform().await;
            cut(peer).await
        }
        FaultKind::Slow { by_ms } => {
            let response = perform().await;
            tokio::time::sleep(Duration::from_millis(by_ms)).await;
            response
        }
        FaultKind::WrongContentType { content_type, body } => {
            let mut response = match body {
                Some(body) => Response::new(Body::from(body)),
                None => perform().await,
            };
            if let Ok(content_type) = HeaderValue::from_str(&content_type) {
                response.headers_mut().insert(CONTENT_TYPE, content_type);
            }
            response
        }
        FaultKind::HugeBody { bytes } => fault::huge(perform().await, bytes),
        FaultKind::Drip { interval_ms } => fault::drip(perform().await, Duration::from_millis(interval_ms)),
        FaultKind::Redirect { location, status } => fault::redirect(status, &location),
    }
}

async fn cut(peer: &Peer) -> Response<Body> {
    peer.reset();
    pending().await
}

fn call(service: Service, described: Described, parts: &Parts, body: &Bytes, peer: &Peer) -> Call {
    let shown = described.body.as_deref().map_or(body.as_ref(), str::as_bytes);
    let kept = shown.get(..BODY_KEPT_BYTES).unwrap_or(shown);
    let kept = String::from_utf8_lossy(kept).into_owned();
    let path = parts.uri.path_and_query().map_or(String::new(), ToString::to_string);
    let mut call = Call::new(service, described, path);
    call.body = kept;
    call.traceparent = header(&parts.headers, "traceparent");
    call.authorization = header(&parts.headers, AUTHORIZATION.as_str());
    call.spiffe_id.clone_from(&peer.spiffe_id);
    call
}

/// The value of a header as text.
pub(crate) fn header(headers: &HeaderMap, name: &str) -> Option<String> {
    let value = headers.get(name)?;
    Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
}

fn status(response: &Response<Body>) -> Status {
    let headers = response.headers();
    let grpc = |value: &HeaderValue| value.as_bytes().starts_with(b"application/grpc");
    if response.status() != 200 || !headers.get(CONTENT_TYPE).is_some_and(grpc) {
        return Status::Http(response.status().as_u16());
    }
    // A failed unary call has its status in the headers, a successful one in the trailers.
    let code = headers.get("grpc-status").map_or(tonic::Code::Ok, |value| tonic::Code::from_bytes(value.as_bytes()));
    Status::Grpc(heal_proto::code_name(code).to_owned())
}
