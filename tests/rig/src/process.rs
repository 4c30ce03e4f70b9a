//! The program of a function as a process: a Runtime API that sends it one event, an AWS that refuses every call, and everything that it writes.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use heal_guard::Guardrails;
use heal_runtime::port::{Clock as _, SystemClock};
use serde_json::Value;
use tokio::sync::mpsc;

use crate::canary;

/// Longest time until the reply.
const PATIENCE: Duration = Duration::from_mins(1);

/// What came of one event.
#[derive(Debug, Clone)]
pub struct Ran {
    /// Standard output and standard error.
    pub log: String,
    /// The reply to the event, or the error that the function reported.
    pub reply: String,
    /// The body of each call of AWS.
    pub sent: Vec<String>,
}

struct World {
    event: Mutex<Option<String>>,
    replies: mpsc::UnboundedSender<String>,
    sent: Mutex<Vec<String>>,
}

/// Starts `program` with only `variables` in its environment, sends it a batch of messages from `queue` with these bodies, and stops it once it asks for
/// more. AWS refuses every call, each time with another of the secrets of [`canary`].
pub async fn run(program: &Path, variables: &[(&str, String)], queue: &str, bodies: &[String]) -> Ran {
    let (replies, mut replied) = mpsc::unbounded_channel();
    let event = Mutex::new(Some(event(queue, bodies).to_string()));
    let world = Arc::new(World { event, replies, sent: Mutex::default() });
    let router = Router::new()
        .route("/2018-06-01/runtime/invocation/next", get(next))
        .route("/2018-06-01/runtime/invocation/{id}/response", post(reply))
        .route("/2018-06-01/runtime/invocation/{id}/error", post(reply))
        .route("/2018-06-01/runtime/init/error", post(reply))
        .fallback(refuse)
        .with_state(Arc::clone(&world));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(async move { axum::serve(listener, router).await });

    let folder = tempfile::tempdir().unwrap();
    let (guardrails, log) = (folder.path().join("guardrails.json"), folder.path().join("log"));
    std::fs::write(&guardrails, serde_json::to_string(&Guardrails::default()).unwrap()).unwrap();
    let file = std::fs::File::create(&log).unwrap();
    let mut command = Command::new(program);
    command.env_clear().envs(variables.iter().map(|(name, value)| (*name, value.as_str())));
    command.env("AWS_LAMBDA_RUNTIME_API", address.to_string()).env("AWS_LAMBDA_FUNCTION_NAME", "tested");
    command.env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256").env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST");
    command.env("AWS_ENDPOINT_URL", format!("http://{address}")).env("AWS_REGION", REGION);
    command.env("AWS_ACCESS_KEY_ID", "test").env("AWS_SECRET_ACCESS_KEY", "test");
    command.env("HEAL_TABLE", "table").env("HEAL_QUEUE_URL_PREFIX", format!("http://{address}/000000000000/heal-"));
    command.env("HEAL_GUARDRAILS_FILE", guardrails);
    command.stdout(Stdio::from(file.try_clone().unwrap())).stderr(Stdio::from(file));
    let mut process = command.spawn().unwrap();
    let reply = tokio::time::timeout(PATIENCE, replied.recv()).await;
    // Its telemetry follows the reply; then it asks for the next event.
    let asked = tokio::time::timeout(PATIENCE, replied.recv()).await;
    process.kill().unwrap();
    process.wait().unwrap();
    server.abort();
    let log = std::fs::read_to_string(log).unwrap();
    let (Ok(Some(reply)), Ok(Some(_))) = (reply, asked) else { panic!("the function does not answer: {log}") };
    let sent = world.sent.lock().unwrap().clone();
    Ran { log, reply, sent }
}

const REGION: &str = "eu-central-1";

fn event(queue: &str, bodies: &[String]) -> Value {
    let record = |(number, body): (usize, &String)| {
        serde_json::json!({
            "messageId": format!("m-{number}"), "receiptHandle": "r", "body": body,
            "attributes": {"ApproximateReceiveCount": "1"}, "messageAttributes": {}, "eventSource": "aws:sqs",
            "awsRegion": REGION, "eventSourceARN": format!("arn:aws:sqs:{REGION}:000000000000:heal-{queue}"),
        })
    };
    let records: Vec<Value> = bodies.iter().enumerate().map(record).collect();
    serde_json::json!({ "Records": records })
}

/// The event for the first call; the second one says that the first is done, and stays open.
async fn next(State(world): State<Arc<World>>) -> Response {
    let Some(event) = world.event.lock().unwrap().take() else {
        // Fails only after the test has ended.
        let _ = world.replies.send(String::new());
        return std::future::pending().await;
    };
    let deadline = SystemClock.now().plus_ms(30_000).0.to_string();
    let arn = format!("arn:aws:lambda:{REGION}:000000000000:function:tested");
    let headers = [
        ("lambda-runtime-aws-request-id", "00000000-0000-0000-0000-000000000001"),
        ("lambda-runtime-deadline-ms", &deadline),
        ("lambda-runtime-invoked-function-arn", &arn),
    ];
    let mut response = event.into_response();
    for (name, value) in headers {
        response.headers_mut().insert(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
    }
    response
}

async fn reply(State(world): State<Arc<World>>, body: String) -> StatusCode {
    let _ = world.replies.send(body);
    StatusCode::ACCEPTED
}

/// The protocol `awsJson1_0` of SQS and `DynamoDB`.
async fn refuse(State(world): State<Arc<World>>, body: Bytes) -> Response {
    let calls = {
        let mut sent = world.sent.lock().unwrap();
        sent.push(String::from_utf8_lossy(&body).into_owned());
        sent.len()
    };
    let refusal = serde_json::json!({"__type": "com.amazonaws#AccessDeniedException", "message": canary::text(calls)});
    (StatusCode::BAD_REQUEST, [("content-type", "application/x-amz-json-1.0")], refusal.to_string()).into_response()
}
