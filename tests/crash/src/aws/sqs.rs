//! SQS in the test's own time, as far as functions call it: the local AWS knows only the time of its machine.

use heal_runtime::port::{Message, QueueName, Receiver as _, Sender as _};
use heal_testkit::memory;
use serde_json::{Value, json};

/// The queue in the URL of a request, without the name of its stack.
pub(super) fn queue_of(asked: &Value) -> &str {
    let url = asked["QueueUrl"].as_str().unwrap_or_default();
    url.rsplit('/').next().and_then(|name| name.strip_prefix("heal-")).unwrap_or_default()
}

/// The answer to `operation`; `None` if no function should have called it, such as to park a message: every message of these lives can be
/// processed.
pub(super) async fn answer(queues: &memory::Queues, operation: &str, asked: &Value) -> Option<Value> {
    Some(match operation {
        "SendMessageBatch" => {
            let queue = QueueName::parse(queue_of(asked)).unwrap();
            let entries = asked["Entries"].as_array().unwrap();
            queues.send(entries.iter().map(|entry| message(&queue, entry)).collect()).await.unwrap();
            let accepted = |entry: &Value| json!({"Id": entry["Id"], "MessageId": entry["Id"], "MD5OfMessageBody": ""});
            json!({"Successful": entries.iter().map(accepted).collect::<Vec<_>>(), "Failed": []})
        }
        "ChangeMessageVisibility" => {
            let seconds = asked["VisibilityTimeout"].as_u64().unwrap();
            queues.nack(asked["ReceiptHandle"].as_str().unwrap(), seconds * 1_000).await.unwrap();
            json!({})
        }
        _ => return None,
    })
}

fn message(queue: &QueueName, entry: &Value) -> Message {
    let traceparent = entry.pointer("/MessageAttributes/traceparent/StringValue").and_then(Value::as_str);
    Message {
        queue: queue.clone(),
        body: entry["MessageBody"].as_str().unwrap().to_owned(),
        delay_ms: entry["DelaySeconds"].as_u64().unwrap_or_default() * 1_000,
        traceparent: traceparent.map(ToOwned::to_owned),
    }
}
