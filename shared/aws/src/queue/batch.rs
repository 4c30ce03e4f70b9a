//! Batches of messages within SQS's limits.

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{MessageAttributeValue, SendMessageBatchRequestEntry};
use heal_runtime::port::{BackendError, Message, Result};

use super::TRACEPARENT;
use crate::error::Error;
use crate::limit::{DELAY_SECONDS, MESSAGE_BYTES, SEND_BATCH_MESSAGES};

pub(super) const OPERATION: &str = "queues.send";
/// Tries of a batch that the service accepted in part.
const PARTIAL_TRIES: u32 = 3;

/// # Errors
/// One message is over the service's limit.
pub(super) fn check(messages: &[Message]) -> Result<()> {
    match messages.iter().map(bytes).max() {
        Some(observed_bytes) if observed_bytes > MESSAGE_BYTES => Err(BackendError::TooLarge {
            operation: OPERATION,
            what: "message",
            observed_bytes,
            limit_bytes: MESSAGE_BYTES,
        }),
        Some(_) | None => Ok(()),
    }
}

/// Splits the messages into batches within the service's limits of number and bytes.
///
/// # Errors
/// One message is over the limit.
pub(super) fn batches(messages: Vec<Message>) -> Result<Vec<Vec<Message>>> {
    check(&messages)?;
    let mut batches: Vec<Vec<Message>> = Vec::new();
    let mut room = 0;
    for message in messages {
        let bytes = bytes(&message);
        match batches.last_mut() {
            Some(batch) if batch.len() < SEND_BATCH_MESSAGES && bytes <= room => {
                room -= bytes;
                batch.push(message);
            }
            Some(_) | None => {
                room = MESSAGE_BYTES - bytes;
                batches.push(vec![message]);
            }
        }
    }
    Ok(batches)
}

/// The service's size of a message: body and attributes.
fn bytes(message: &Message) -> usize {
    let attribute = message.traceparent.as_ref().map_or(0, |value| TRACEPARENT.len() + "String".len() + value.len());
    message.body.len() + attribute
}

/// Sends the batch, and resends the messages that the service did not accept.
pub(super) async fn send(client: &Client, url: String, batch: Vec<Message>) -> Result<()> {
    let mut entries =
        batch.iter().enumerate().map(|(index, message)| entry(index, message)).collect::<Result<Vec<_>>>()?;
    let mut refusal = String::new();
    for _ in 0..PARTIAL_TRIES {
        let call = client.send_message_batch().queue_url(&url).set_entries(Some(entries.clone()));
        let sent = Box::pin(call.send()).await;
        let sent = sent
            .map_err(|error| BackendError::unavailable(OPERATION, Error::from_sdk(format!("queue {url}"), &error)))?;
        let failed = sent.failed();
        if failed.is_empty() {
            return Ok(());
        }
        refusal = failed
            .iter()
            .map(|entry| format!("{}: {}", entry.code(), entry.message().unwrap_or_default()))
            .collect::<Vec<_>>()
            .join("; ");
        entries.retain(|entry| failed.iter().any(|failed| failed.id() == entry.id()));
    }
    Err(BackendError::unavailable(
        OPERATION,
        format!(
            "queue {url} refused {} messages at each of {PARTIAL_TRIES} tries: {}",
            entries.len(),
            crate::text::one_line(&refusal)
        ),
    ))
}

fn entry(index: usize, message: &Message) -> Result<SendMessageBatchRequestEntry> {
    let mut entry = SendMessageBatchRequestEntry::builder()
        .id(index.to_string())
        .message_body(&message.body)
        .set_delay_seconds(delay_seconds(message));
    if let Some(traceparent) = &message.traceparent {
        entry = entry.message_attributes(TRACEPARENT, text(traceparent)?);
    }
    entry.build().map_err(|error| BackendError::corrupt(OPERATION, error.to_string()))
}

/// The message's delay in whole seconds, rounded up so that it never arrives early.
pub(super) fn delay_seconds(message: &Message) -> Option<i32> {
    let seconds = message.delay_ms.div_ceil(1_000).min(DELAY_SECONDS);
    (seconds > 0).then(|| i32::try_from(seconds).unwrap_or(i32::MAX))
}

pub(super) fn text(value: &str) -> Result<MessageAttributeValue> {
    let value = MessageAttributeValue::builder().data_type("String").string_value(value).build();
    value.map_err(|error| BackendError::corrupt(OPERATION, error.to_string()))
}

#[cfg(test)]
mod tests {
    use heal_runtime::port::QueueName;

    use super::*;

    fn message(bytes: usize) -> Message {
        Message { queue: QueueName::Results, body: "x".repeat(bytes), delay_ms: 0, traceparent: None }
    }

    fn sizes(messages: Vec<Message>) -> Vec<usize> {
        batches(messages).unwrap().iter().map(Vec::len).collect()
    }

    #[test]
    fn a_batch_has_ten_messages_at_most() {
        assert_eq!(sizes((0..25).map(|_| message(10)).collect()), [10, 10, 5]);
        assert_eq!(sizes(Vec::new()), [0; 0]);
    }

    #[test]
    fn a_batch_has_the_bytes_of_one_message_at_most() {
        let third = MESSAGE_BYTES / 3;
        assert_eq!(sizes((0..4).map(|_| message(third)).collect()), [3, 1]);
        assert_eq!(sizes(vec![message(MESSAGE_BYTES), message(1)]), [1, 1]);
    }

    #[test]
    fn a_message_over_the_limit_is_refused_with_its_size() {
        let error = batches(vec![message(MESSAGE_BYTES + 1)]).unwrap_err().to_string();
        assert_eq!(error, "queues.send: message has 262145 bytes, the limit is 262144 bytes");
    }

    #[test]
    fn a_delay_is_never_shorter_than_asked_for() {
        let delay = |delay_ms| entry(0, &Message { delay_ms, ..message(1) }).unwrap().delay_seconds();
        assert_eq!(
            [delay(0), delay(1), delay(1_000), delay(1_001), delay(10_000_000)],
            [None, Some(1), Some(1), Some(2), Some(900)]
        );
    }
}
