//! A Lambda Runtime API for one function: starts its program, sends it one event, and measures the time until the reply.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use axum::serve::ListenerExt as _;
use tokio::sync::{Mutex, mpsc};
use tokio::time::Instant;

/// The time limit for the first reply.
const REPLY_TIMEOUT: Duration = Duration::from_secs(30);

/// The measured start of a function.
#[derive(Debug, Clone, PartialEq)]
pub struct Start {
    /// From the start of the process until it asks for its first event.
    pub init: Duration,
    /// From the start of the process to its first reply.
    pub first_reply: Duration,
    /// The resident memory at that time, in kilobytes (`VmRSS`).
    pub resident_kb: u64,
    /// The reply to the event, or the error that the function reported.
    pub reply: String,
}

struct Platform {
    events: Mutex<Vec<String>>,
    asked: Mutex<Option<Instant>>,
    replies: mpsc::UnboundedSender<String>,
}

/// Starts `program` with only `variables` in its environment, and sends it `event`.
///
/// # Panics
/// If the program cannot be started or does not reply.
pub async fn start(program: &Path, variables: &[(&str, String)], folder: &Path, event: &str) -> Start {
    let (replies, mut replied) = mpsc::unbounded_channel();
    let platform = Arc::new(Platform { events: Mutex::new(vec![event.to_owned()]), asked: Mutex::default(), replies });
    let router = Router::new()
        .route("/2018-06-01/runtime/invocation/next", get(next))
        .route("/2018-06-01/runtime/invocation/{id}/response", post(reply))
        .route("/2018-06-01/runtime/invocation/{id}/error", post(reply))
        .route("/2018-06-01/runtime/init/error", post(reply))
        .with_state(Arc::clone(&platform));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address: SocketAddr = listener.local_addr().unwrap();
    let listener = listener.tap_io(|stream| stream.set_nodelay(true).unwrap());
    let server = tokio::spawn(async move { axum::serve(listener, router).await });

    let mut command = Command::new(program);
    command.env_clear().envs(variables.iter().map(|(name, value)| (*name, value.as_str()))).current_dir(folder);
    command.env("AWS_LAMBDA_RUNTIME_API", address.to_string()).env("AWS_LAMBDA_FUNCTION_NAME", "measured");
    command.env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256").env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST");
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let started = Instant::now();
    let mut process = command.spawn().unwrap();
    let reply = tokio::time::timeout(REPLY_TIMEOUT, replied.recv()).await;
    let first_reply = started.elapsed();
    let resident_kb = resident_kb(process.id());
    process.kill().unwrap();
    process.wait().unwrap();
    server.abort();
    let reply = reply.expect("the function answers in time").expect("the server runs");
    let init = platform.asked.lock().await.map_or(first_reply, |asked| asked - started);
    Start { init, first_reply, resident_kb, reply }
}

/// Returns the event to the first call; later calls stay open.
#[expect(clippy::disallowed_methods, reason = "Lambda's deadline is a wall time")]
async fn next(State(platform): State<Arc<Platform>>) -> impl IntoResponse {
    platform.asked.lock().await.get_or_insert_with(Instant::now);
    let event = platform.events.lock().await.pop();
    let Some(event) = event else { return std::future::pending().await };
    let deadline_ms = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis() + 30_000;
    let mut headers = HeaderMap::new();
    for (name, value) in [
        ("lambda-runtime-aws-request-id", "00000000-0000-0000-0000-000000000001".to_owned()),
        ("lambda-runtime-deadline-ms", deadline_ms.to_string()),
        (
            "lambda-runtime-invoked-function-arn",
            "arn:aws:lambda:eu-central-1:000000000000:function:measured".to_owned(),
        ),
    ] {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_str(&value).unwrap());
    }
    (headers, event)
}

async fn reply(State(platform): State<Arc<Platform>>, body: String) -> StatusCode {
    // Fails only after the measurement has ended.
    let _ = platform.replies.send(body);
    StatusCode::ACCEPTED
}

fn resident_kb(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|rest| rest.trim().split(' ').next()).and_then(|kilobytes| kilobytes.parse().ok()).unwrap_or_default()
}
