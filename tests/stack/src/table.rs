//! Tables and queues for one test, without a deployment.

use std::sync::atomic::{AtomicU64, Ordering};

use heal_aws::{AwsOverrides, Keys, QueueUrls, Queues, Session, Store};
use serde_json::{Value, json};

use crate::{ACCOUNT, MiniStack, REGION};

/// A session on the local AWS.
pub async fn session(stack: &MiniStack) -> Session {
    session_at(&stack.endpoint_url).await
}

/// A session on whatever stands before the local AWS.
pub async fn session_at(endpoint_url: &str) -> Session {
    let keys = Keys {
        access_key_id: "test".to_owned(),
        secret_access_key: "test".to_owned(),
        session_token: None,
        expires_at: None,
    };
    let given =
        AwsOverrides { region: Some(REGION.to_owned()), keys: Some(keys), endpoint_url: Some(endpoint_url.to_owned()) };
    Session::load(given).await.unwrap()
}

/// A name that is unique on this machine.
pub fn unique(stem: &str) -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    format!("{stem}-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// A new table with the schema in `template.yaml`; `tests/template` checks that both agree.
pub async fn empty(stack: &MiniStack) -> Store {
    named(stack, &unique("table")).await
}

/// Like [`empty`], with the given name.
pub async fn named(stack: &MiniStack, name: &str) -> Store {
    let text = |name: &str| json!({"AttributeName": name, "AttributeType": "S"});
    let key = |name: &str, kind: &str| json!({"AttributeName": name, "KeyType": kind});
    let definition = json!({
        "TableName": name,
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [text("pk"), text("sk"), text("gsi_pk"), text("gsi_sk")],
        "KeySchema": [key("pk", "HASH"), key("sk", "RANGE")],
        "GlobalSecondaryIndexes": [{
            "IndexName": "ended",
            "KeySchema": [key("gsi_pk", "HASH"), key("gsi_sk", "RANGE")],
            "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": INDEXED},
        }],
    });
    call(stack, "DynamoDB_20120810.CreateTable", &definition).await;
    Store::new(&session(stack).await, name).unwrap()
}

/// The attributes in the index of ended runs besides its keys.
pub const INDEXED: [&str; 10] = [
    "run_id",
    "incident_id",
    "playbook",
    "status",
    "outcome",
    "started_at",
    "updated_at",
    "wake_at",
    "last_seq",
    "reason",
];

/// New queues with a unique prefix before these names.
pub async fn queues(stack: &MiniStack, names: &[&str]) -> Queues {
    let stem = unique("queues");
    for name in names {
        call(stack, "AmazonSQS.CreateQueue", &json!({"QueueName": format!("{stem}-{name}")})).await;
    }
    let prefix = format!("{}/{ACCOUNT}/{stem}-", stack.endpoint_url);
    Queues::new(&session(stack).await, QueueUrls::parse("prefix", &prefix).unwrap()).unwrap()
}

/// Calls an operation of a JSON protocol. The local AWS accepts any signature.
pub async fn call(stack: &MiniStack, target: &str, body: &Value) -> Value {
    let service = match target.split_once('.') {
        Some(("AmazonSQS", _)) => "sqs",
        Some(("secretsmanager", _)) => "secretsmanager",
        Some(_) | None => "dynamodb",
    };
    let request = client().post(&stack.endpoint_url).header("content-type", "application/x-amz-json-1.0");
    answer(request.header("x-amz-target", target), service, target, body).await
}

/// Calls an operation of a query protocol, such as that of SNS. The values are sent as they are.
pub async fn query(stack: &MiniStack, service: &str, parameters: &[(&str, &str)]) {
    let pairs: Vec<String> = parameters.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let request = client().post(&stack.endpoint_url).header("content-type", "application/x-www-form-urlencoded");
    answer(request.body(pairs.join("&")), service, &format!("{parameters:?}"), &Value::Null).await;
}

/// The id of the one HTTP API.
pub async fn api_id(stack: &MiniStack) -> String {
    let request = client().get(format!("{}/v2/apis", stack.endpoint_url));
    let listed = answer(request, "apigateway", "GetApis", &Value::Null).await;
    listed
        .pointer("/items/0/apiId")
        .and_then(Value::as_str)
        .unwrap_or_else(|| panic!("no API is deployed: {listed}"))
        .to_owned()
}

/// Calls the Lambda API; a null `body` sends none.
pub async fn lambda(stack: &MiniStack, method: reqwest::Method, path: &str, body: &Value) -> Value {
    let url = format!("{}/2015-03-31/functions/{path}", stack.endpoint_url);
    answer(client().request(method, url), "lambda", path, body).await
}

fn client() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().build().unwrap()
}

async fn answer(request: reqwest::RequestBuilder, service: &str, what: &str, body: &Value) -> Value {
    let credential = format!("AWS4-HMAC-SHA256 Credential=test/20260101/{REGION}/{service}/aws4_request");
    let request = request.header("authorization", credential);
    let request = if body.is_null() { request } else { request.body(body.to_string()) };
    let answer = request.send().await.unwrap();
    let status = answer.status();
    let text = answer.text().await.unwrap();
    assert!(status.is_success(), "{what}: {status}: {text}");
    serde_json::from_str(&text).unwrap_or(Value::Null)
}
