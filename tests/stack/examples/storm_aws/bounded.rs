//! A ticket service that serves so many calls a second, as a proxy before the stand-in.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse as _, Response};
use tokio::time::Instant;

/// The largest forwarded body, in bytes: larger than any of the ticket service.
const BODY_BYTES: usize = 1024 * 1024;

/// The bounded service.
pub(crate) struct Bounded {
    upstream: String,
    client: reqwest::Client,
    interval: Duration,
    next: Mutex<Instant>,
    calls: Mutex<Calls>,
}

/// The calls so far.
#[derive(Debug, Clone, Default)]
pub(crate) struct Calls {
    /// All of them.
    pub served: u64,
    /// Those that change a ticket, by method and path.
    pub changes: BTreeMap<String, u64>,
}

impl Bounded {
    /// Listens on a free port before `upstream`. Returns the service and its URL.
    pub(crate) async fn start(upstream: &str, calls_per_second: u32) -> (Arc<Self>, String) {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let bounded = Arc::new(Self {
            upstream: upstream.trim_end_matches('/').to_owned(),
            client: reqwest::Client::builder().no_proxy().build().unwrap(),
            interval: Duration::from_secs(1) / calls_per_second,
            next: Mutex::new(Instant::now()),
            calls: Mutex::default(),
        });
        let router = Router::new().fallback(forward).with_state(Arc::clone(&bounded));
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        (bounded, url)
    }

    pub(crate) fn calls(&self) -> Calls {
        self.calls.lock().unwrap().clone()
    }

    /// The moment at which the next call is served.
    fn turn(&self) -> Instant {
        let mut next = self.next.lock().unwrap();
        let turn = (*next).max(Instant::now());
        *next = turn + self.interval;
        turn
    }
}

async fn forward(State(bounded): State<Arc<Bounded>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, BODY_BYTES).await.unwrap();
    tokio::time::sleep_until(bounded.turn()).await;
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    let mut headers = parts.headers.clone();
    headers.remove("host");
    let url = format!("{}{path}", bounded.upstream);
    let call = bounded.client.request(parts.method.clone(), url).headers(headers).body(body);
    let answer = match call.send().await {
        Ok(answer) => answer,
        Err(error) => return (StatusCode::BAD_GATEWAY, error.to_string()).into_response(),
    };
    {
        let mut calls = bounded.calls.lock().unwrap();
        calls.served += 1;
        if parts.method != Method::GET {
            *calls.changes.entry(format!("{} {path}", parts.method)).or_default() += 1;
        }
    }
    let (status, headers) = (answer.status(), answer.headers().clone());
    let mut response = Response::new(Body::from(answer.bytes().await.unwrap()));
    *response.status_mut() = status;
    for (name, value) in &headers {
        if name != "transfer-encoding" && name != "connection" && name != "content-length" {
            response.headers_mut().insert(name, value.clone());
        }
    }
    response
}
