//! What the functions ask of AWS, counted: a proxy in front of the local AWS that they are told is AWS.

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

/// Bytes of a request that are passed on: more than any of ours has.
const BODY_BYTES: usize = 8 * 1024 * 1024;
/// SQS bills a request in chunks of so many bytes (SQS pricing).
const SQS_CHUNK_BYTES: u64 = 64 * 1024;

/// What was asked so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// Write request units of `DynamoDB`, with those of its index.
    pub write_units: u64,
    /// Read request units of `DynamoDB`, in halves.
    pub half_read_units: u64,
    /// Billed requests of SQS that the functions made: sends, and hidings. What the event source mappings receive and delete comes on top.
    pub sqs_requests: u64,
    /// Calls by their name.
    pub calls: BTreeMap<String, u64>,
}

/// The proxy.
#[derive(Debug)]
pub struct Meter {
    pub url: String,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    counts: Mutex<Counts>,
    /// Where the local AWS is: known only once it has started.
    upstream: OnceLock<String>,
    client: reqwest::Client,
}

impl Meter {
    /// Listens on a free port, on a thread of its own.
    pub fn start() -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address: SocketAddr = listener.local_addr().unwrap();
        let client = reqwest::Client::builder().no_proxy().tcp_nodelay(true).build().unwrap();
        let shared = Arc::new(Shared { counts: Mutex::default(), upstream: OnceLock::new(), client });
        let router = Router::new().fallback(pass_on).with_state(Arc::clone(&shared));
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

    pub fn lead_to(&self, upstream: &str) {
        self.shared.upstream.set(upstream.to_owned()).unwrap();
    }

    /// What was asked since the last call of this.
    pub fn take(&self) -> Counts {
        std::mem::take(&mut self.shared.counts.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

async fn pass_on(State(shared): State<Arc<Shared>>, request: Request) -> Response {
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
            let Units { write, half_reads } = units::of(&name, &json(asked), &json(answered));
            counts.write_units += write;
            counts.half_read_units += half_reads;
        } else if target.starts_with("AmazonSQS") {
            counts.sqs_requests += (asked.len() as u64).div_ceil(SQS_CHUNK_BYTES).max(1);
        }
        *counts.calls.entry(name).or_default() += 1;
    }
}
