//! The endpoint of one process: every request that changes something passes the process' gate.
//!
//! A port call of several requests has a crash point between any two of them, and the first and the last one are those of the call itself.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Json, Response};
use axum::serve::ListenerExt as _;
use heal_stack::MiniStack;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::{Account, sqs};
use crate::gate::Gate;

/// The endpoint, until it is dropped.
pub(super) struct Front {
    pub url: String,
    serving: JoinHandle<()>,
}

struct Shared {
    account: Arc<Account>,
    gate: Arc<Gate>,
}

impl Front {
    pub(super) async fn start(account: Arc<Account>, gate: Arc<Gate>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(pass).with_state(Arc::new(Shared { account, gate }));
        let listener = listener.tap_io(|stream| stream.set_nodelay(true).unwrap());
        let serving = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, serving }
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn pass(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response {
    let target = headers.get("x-amz-target").and_then(|target| target.to_str().ok()).unwrap_or_default().to_owned();
    let operation = target.rsplit('.').next().unwrap_or_default();
    let asked: Value = serde_json::from_slice(&body).unwrap_or_default();
    let Shared { account, gate } = &*shared;
    if target.starts_with("AmazonSQS") {
        let name = format!("{operation} {}", sqs::queue_of(&asked));
        let answered = gate.around(&name, sqs::answer(&account.queues, operation, &asked)).await;
        let Some(answered) = answered else {
            account.note_surprise(format!("{name}: {asked}"));
            return StatusCode::NOT_IMPLEMENTED.into_response();
        };
        return Json(answered).into_response();
    }
    let forwarded = forward(account, headers, body);
    match operation {
        "GetItem" | "Query" | "BatchGetItem" => {
            gate.check_alive().await;
            forwarded.await
        }
        _ => gate.around(&format!("{operation} {}", rows(&asked)), forwarded).await,
    }
}

async fn forward(account: &Account, mut headers: HeaderMap, body: Bytes) -> Response {
    headers.remove("host");
    let call = account.client.post(&MiniStack::shared().endpoint_url).headers(headers).body(body);
    // The client tries again.
    let Ok(answer) = call.send().await else { return StatusCode::BAD_GATEWAY.into_response() };
    let (status, headers) = (answer.status(), answer.headers().clone());
    let Ok(body) = answer.bytes().await else { return StatusCode::BAD_GATEWAY.into_response() };
    let mut response = (status, body).into_response();
    for (name, value) in &headers {
        if !["transfer-encoding", "connection", "content-length"].contains(&name.as_str()) {
            response.headers_mut().insert(name, value.clone());
        }
    }
    response
}

/// The kinds of the rows that a request writes, such as `RUN`.
fn rows(asked: &Value) -> String {
    let mut kinds = BTreeSet::new();
    collect(asked, &mut kinds);
    kinds.into_iter().collect::<Vec<_>>().join("+")
}

fn collect<'v>(value: &'v Value, kinds: &mut BTreeSet<&'v str>) {
    if let Some(key) = value.pointer("/pk/S").and_then(Value::as_str) {
        kinds.extend(key.split('#').next());
    }
    match value {
        Value::Object(members) => members.values().for_each(|member| collect(member, kinds)),
        Value::Array(items) => items.iter().for_each(|item| collect(item, kinds)),
        _ => {}
    }
}
