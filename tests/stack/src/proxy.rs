//! A proxy between the functions and the local AWS: it sees every request of theirs, and may answer one itself.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::serve::ListenerExt as _;
use serde_json::json;

/// The largest forwarded request, in bytes: larger than any request of the functions.
const BODY_BYTES: usize = 8 * 1024 * 1024;

/// What happens to the requests.
pub trait Watch: Send + Sync + 'static {
    /// Answers `call`; `forward` has the local AWS do so.
    fn pass(&self, call: &Call, forward: Forward<'_>) -> impl Future<Output = Answer> + Send;
}

/// One request.
#[derive(Debug, Clone)]
pub struct Call {
    /// The caller's end of the connection.
    pub peer: SocketAddr,
    /// The operation with its service, such as `DynamoDB_20120810.PutItem`; empty for a protocol without it.
    pub target: String,
    /// What was asked.
    pub body: Bytes,
    method: Method,
    path: String,
    headers: HeaderMap,
}

/// The answer to one request.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// What was answered.
    pub body: Bytes,
    headers: HeaderMap,
}

/// One request on its way to the local AWS. Dropped, it never gets there.
#[derive(Debug)]
pub struct Forward<'c> {
    call: &'c Call,
    upstream: Option<&'c str>,
    client: &'c reqwest::Client,
}

/// A listening proxy.
#[derive(Debug)]
pub struct Proxy {
    /// The base URL of the proxy.
    pub url: String,
    upstream: Arc<OnceLock<String>>,
}

struct Shared<W> {
    watch: Arc<W>,
    upstream: Arc<OnceLock<String>>,
    client: reqwest::Client,
}

impl Call {
    /// The operation without its service, such as `PutItem`.
    pub fn operation(&self) -> &str {
        self.target.rsplit('.').next().unwrap_or(&self.target)
    }
}

impl Answer {
    /// An error as the JSON protocols of AWS have it.
    pub fn error(status: u16, code: &str) -> Self {
        let body = json!({"__type": code, "message": "the proxy before the local AWS says so"});
        let headers = [("content-type", "application/x-amz-json-1.0"), ("x-amzn-errortype", code)];
        let headers = headers.map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
        Self { status, body: body.to_string().into(), headers: headers.into_iter().collect() }
    }
}

impl Forward<'_> {
    /// The answer of the local AWS.
    pub async fn send(self) -> Answer {
        let Some(upstream) = self.upstream else { return Answer::error(503, "NotStarted") };
        let Call { method, path, headers, body, .. } = self.call;
        let mut headers = headers.clone();
        headers.remove("host");
        let call = self.client.request(method.clone(), format!("{upstream}{path}")).headers(headers).body(body.clone());
        let Ok(answer) = call.send().await else { return Answer::error(502, "NoAnswer") };
        let (status, mut headers) = (answer.status().as_u16(), answer.headers().clone());
        for name in ["transfer-encoding", "connection", "content-length"] {
            headers.remove(name);
        }
        match answer.bytes().await {
            Ok(body) => Answer { status, body, headers },
            Err(_) => Answer::error(502, "NoAnswer"),
        }
    }
}

impl Proxy {
    /// Listens on a free port, on a separate thread.
    ///
    /// # Panics
    /// No port of the loopback address is free.
    pub fn start(watch: Arc<impl Watch>) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let client = reqwest::Client::builder().no_proxy().tcp_nodelay(true).build().unwrap();
        let upstream = Arc::<OnceLock<String>>::default();
        let shared = Arc::new(Shared { watch, upstream: Arc::clone(&upstream), client });
        let router = Router::new().fallback(pass).with_state(shared);
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async move {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                let listener = listener.tap_io(|stream| stream.set_nodelay(true).unwrap());
                let service = router.into_make_service_with_connect_info::<SocketAddr>();
                axum::serve(listener, service).await.unwrap();
            });
        });
        Self { url, upstream }
    }

    /// Sets the URL of the local AWS, once. Until then every request is answered with 503.
    ///
    /// # Panics
    /// It was set before.
    pub fn forward_to(&self, upstream: &str) {
        self.upstream.set(upstream.to_owned()).unwrap();
    }
}

async fn pass<W: Watch>(
    State(shared): State<Arc<Shared<W>>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, BODY_BYTES).await else { return StatusCode::PAYLOAD_TOO_LARGE.into_response() };
    let target = parts.headers.get("x-amz-target").and_then(|target| target.to_str().ok()).unwrap_or_default();
    let call = Call {
        peer,
        target: target.to_owned(),
        body,
        method: parts.method,
        path: parts.uri.path_and_query().map_or("/", |path| path.as_str()).to_owned(),
        headers: parts.headers,
    };
    let forward = Forward { call: &call, upstream: shared.upstream.get().map(String::as_str), client: &shared.client };
    let Answer { status, body, headers } = shared.watch.pass(&call, forward).await;
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
    *response.headers_mut() = headers;
    response
}
