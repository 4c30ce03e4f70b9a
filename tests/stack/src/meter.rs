//! Counts the requests of the functions to AWS, as a proxy between them and the local AWS.

mod units;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::serve::ListenerExt as _;

use units::Units;

/// The largest forwarded request, in bytes: larger than any request of the functions.
const BODY_BYTES: usize = 8 * 1024 * 1024;
/// SQS bills a request per started chunk of this many bytes (SQS pricing).
const SQS_CHUNK_BYTES: u64 = 64 * 1024;

/// The requests so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// Write request units of `DynamoDB`, with those of its index.
    pub write_units: u64,
    /// Read request units of `DynamoDB`, in halves.
    pub half_read_units: u64,
    /// Billed SQS requests of the functions: sends and visibility changes. The receives and deletes of the event source
    /// mappings are not included.
    pub sqs_requests: u64,
    /// The number of calls by operation.
    pub calls: BTreeMap<String, u64>,
    /// Write units by kind of row, such as `RUN` or `CLAIM`.
    pub written: BTreeMap<String, u64>,
    /// Read units by kind of row, in halves.
    pub half_read: BTreeMap<String, u64>,
}

/// A counting proxy.
#[derive(Debug)]
pub struct Meter {
    /// The base URL of the proxy.
    pub url: String,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    counts: Mutex<Counts>,
    /// The URL of the local AWS, known once it has started.
    upstream: OnceLock<String>,
    client: reqwest::Client,
}

impl Meter {
    /// Listens on a free port, on a separate thread.
    pub fn start() -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address: SocketAddr = listener.local_addr().unwrap();
        let client = reqwest::Client::builder().no_proxy().tcp_nodelay(true).build().unwrap();
        let shared = Arc::new(Shared { counts: Mutex::default(), upstream: OnceLock::new(), client });
        let router = Router::new().fallback(forward).with_state(Arc::clone(&shared));
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async move {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                let listener = listener.tap_io(|stream| stream.set_nodelay(true).unwrap());
                axum::serve(listener, router).await.unwrap();
            });
        });
        Self { url: format!("http://{address}"), shared }
    }

    /// Sets the URL of the local AWS, once.
    pub fn forward_to(&self, upstream: &str) {
        self.shared.upstream.set(upstream.to_owned()).unwrap();
    }

    /// The requests since the last call.
    pub fn take(&self) -> Counts {
        std::mem::take(&mut self.shared.counts.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

async fn forward(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(asked) = to_bytes(body, BODY_BYTES).await else { return StatusCode::PAYLOAD_TOO_LARGE.into_response() };
    let Some(upstream) = shared.upstream.get() else { return StatusCode::SERVICE_UNAVAILABLE.into_response() };
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    let mut headers = parts.headers.clone();
    headers.remove("host");
    let call = shared.client.request(parts.method, format!("{upstream}{path}")).headers(headers).body(asked.clone());
    let answer = match call.send().await {
        Ok(answer) => answer,
        Err(error) => return (StatusCode::BAD_GATEWAY, error.to_string()).into_response(),
    };
    let (status, headers) = (answer.status(), answer.headers().clone());
    let Ok(answered) = answer.bytes().await else { return StatusCode::BAD_GATEWAY.into_response() };
    if let Some(target) = parts.headers.get("x-amz-target").and_then(|target| target.to_str().ok()) {
        shared.count(target, &asked, &answered);
    }
    let mut response = Response::new(Body::from(answered));
    *response.status_mut() = status;
    for (name, value) in &headers {
        if name != "transfer-encoding" && name != "connection" && name != "content-length" {
            response.headers_mut().insert(name, value.clone());
        }
    }
    response
}

impl Shared {
    fn count(&self, target: &str, asked: &Bytes, answered: &Bytes) {
        let json = |bytes: &Bytes| serde_json::from_slice(bytes).unwrap_or(serde_json::Value::Null);
        let name = target.rsplit('.').next().unwrap_or(target).to_owned();
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if target.starts_with("DynamoDB") {
            for (kind, Units { write, half_reads }) in units::units_of(&name, &json(asked), &json(answered)) {
                counts.write_units += write;
                counts.half_read_units += half_reads;
                if write > 0 {
                    *counts.written.entry(kind.clone()).or_default() += write;
                }
                if half_reads > 0 {
                    *counts.half_read.entry(kind).or_default() += half_reads;
                }
            }
        } else if target.starts_with("AmazonSQS") {
            counts.sqs_requests += (asked.len() as u64).div_ceil(SQS_CHUNK_BYTES).max(1);
        }
        *counts.calls.entry(name).or_default() += 1;
    }
}
