//! One call: a request, and an answer of bounded size.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper_rustls::{ConfigBuilderExt as _, HttpsConnectorBuilder};
use hyper_util::client::legacy;
use tower::ServiceExt as _;
use tower::util::BoxCloneSyncService;

use crate::connect::{self, Tcp, Timed};

/// How this process names itself.
const NAME: HeaderValue = HeaderValue::from_static(concat!("self-healing-engine/", env!("CARGO_PKG_VERSION")));
/// Bytes that a server may send beside a body: heads, and chunks smaller than they need be.
const BESIDE_BODY_BYTES: usize = 1024 * 1024;

/// Makes calls. Cheap to clone; a clone uses the same connections.
#[derive(Debug, Clone)]
pub struct Client {
    inner: BoxCloneSyncService<Request<Full<Bytes>>, Response<Incoming>, legacy::Error>,
    body_bytes: usize,
}

/// What a [`Client`] is made of.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Bytes of a body that are read.
    pub body_bytes: usize,
    /// Longest time to open a connection.
    pub connect_time: Duration,
    /// Idle connections that are kept for each host.
    pub idle: usize,
}

/// An answer.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its header fields.
    pub headers: HeaderMap,
    /// Its body, as far as it is read.
    pub body: Bytes,
    /// Whether the body is longer.
    pub is_cut: bool,
}

/// The machine's certificates cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("failed to read the machine's root certificates")]
pub struct TlsError(#[from] std::io::Error);

/// Why a call has no answer. No text has the address, which may be a secret.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No head of an answer came.
    #[error("the call failed")]
    Call(#[source] legacy::Error),
    /// The body broke off.
    #[error("the answer broke off")]
    Body(#[source] hyper::Error),
}

impl Error {
    /// Whether no connection could be opened, so that nothing was sent.
    pub fn is_connect(&self) -> bool {
        match self {
            Self::Call(error) => error.is_connect(),
            Self::Body(_) => false,
        }
    }
}

/// The TLS of a client that verifies servers by the machine's root certificates; with none of them if it `is_plain`.
///
/// # Errors
/// The certificates cannot be read.
pub fn tls(is_plain: bool) -> Result<rustls::ClientConfig, TlsError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(std::io::Error::other)?;
    Ok(if is_plain {
        tls.with_root_certificates(rustls::RootCertStore::empty()).with_no_client_auth()
    } else {
        tls.with_native_roots()?.with_no_client_auth()
    })
}

impl Client {
    /// A client that verifies servers by the machine's root certificates, which it reads at once unless it `is_plain`: for `http` alone.
    ///
    /// # Errors
    /// The certificates cannot be read.
    pub fn new(options: Options, is_plain: bool) -> Result<Self, TlsError> {
        let tls = tls(is_plain)?;
        let tcp = Tcp::bounded(options.body_bytes.saturating_add(BESIDE_BODY_BYTES));
        let https =
            HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1().wrap_connector(tcp);
        let client = connect::client()
            .pool_max_idle_per_host(options.idle)
            .retry_canceled_requests(options.idle > 0)
            .build(Timed::new(https, options.connect_time));
        Ok(Self { inner: BoxCloneSyncService::new(client), body_bytes: options.body_bytes })
    }

    /// Sends `request`, and reads the answer. The caller bounds the time: a call that is dropped is given up.
    ///
    /// # Errors
    /// There is no answer.
    pub async fn send(&self, request: Request<Bytes>) -> Result<Answer, Error> {
        self.send_reading(request, self.body_bytes).await
    }

    /// As [`Client::send`], with at most `bytes` of the body.
    ///
    /// # Errors
    /// There is no answer.
    pub async fn send_reading(&self, request: Request<Bytes>, bytes: usize) -> Result<Answer, Error> {
        let mut request = request.map(Full::new);
        request.headers_mut().entry(header::USER_AGENT).or_insert(NAME);
        let (head, mut body) = self.inner.clone().oneshot(request).await.map_err(Error::Call)?.into_parts();
        let (mut read, mut is_cut) = (Vec::new(), false);
        while let Some(frame) = body.frame().await {
            let data = frame.map_err(Error::Body)?.into_data().unwrap_or_default();
            let room = bytes.min(self.body_bytes) - read.len();
            is_cut = data.len() > room;
            read.extend(data.into_iter().take(room));
            if is_cut {
                break;
            }
        }
        Ok(Answer { status: head.status, headers: head.headers, body: read.into(), is_cut })
    }
}
