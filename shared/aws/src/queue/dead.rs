//! Messages that nobody could carry out: they lie in the stack's parking queue with the reason, until a person looks at them.

use std::collections::BTreeMap;

use aws_sdk_sqs::types::{Message as SqsMessage, MessageSystemAttributeName};
use runtime::Timestamp;
use runtime::port::{BackendError, DeadLetter, Message, QueueName, Result, Sender as _};

use super::{Queues, TRACEPARENT, batch};
use crate::error::Error;

/// Message attributes of a parked message.
const QUEUE: &str = "queue";
const REASON: &str = "reason";
const MESSAGE_ID: &str = "message_id";
const RECEIVE_COUNT: &str = "receive_count";
/// Characters of a reason that are kept.
const REASON_CHARS: usize = 1_000;
/// Seconds for which a listing hides what it has read, so that it does not read it twice.
const LISTING_VISIBILITY_SECONDS: i32 = 20;
/// Messages of one receive: the service's bound.
const RECEIVE_MESSAGES: i32 = 10;
/// Empty answers after which a listing believes that there is nothing more: a receive asks only some of the servers.
const EMPTY_ANSWERS: u32 = 2;

/// A message that is to be parked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unworkable<'a> {
    pub queue: &'a QueueName,
    pub message_id: &'a str,
    pub body: &'a str,
    pub receive_count: u32,
    pub traceparent: Option<&'a str>,
    /// One sentence.
    pub reason: &'a str,
}

/// A parked message as it was received, with what removes it.
struct Parked {
    letter: DeadLetter,
    traceparent: Option<String>,
    receipt: String,
}

impl Queues {
    /// Parks a message: at least once.
    pub async fn park(&self, message: &Unworkable<'_>) -> Result<()> {
        let operation = "queues.park";
        let reason: String = crate::text::one_line(message.reason).chars().take(REASON_CHARS).collect();
        let url = self.urls.parked();
        let mut call = self
            .client
            .send_message()
            .queue_url(&url)
            .message_body(message.body)
            .message_attributes(QUEUE, batch::text(&message.queue.to_string())?)
            .message_attributes(MESSAGE_ID, batch::text(message.message_id)?)
            .message_attributes(RECEIVE_COUNT, batch::text(&message.receive_count.to_string())?)
            .message_attributes(REASON, batch::text(if reason.is_empty() { "unknown" } else { &reason })?);
        if let Some(traceparent) = message.traceparent {
            call = call.message_attributes(TRACEPARENT, batch::text(traceparent)?);
        }
        let sent = Box::pin(call.send()).await;
        sent.map(drop)
            .map_err(|error| BackendError::unavailable(operation, Error::of_sdk(format!("queue {url}"), &error)))
    }

    /// Up to `limit` parked messages, oldest first. They are hidden from another listing for some seconds.
    pub async fn parked(&self, limit: usize) -> Result<Vec<DeadLetter>> {
        let found = self.receive_parked(limit, |_| true).await?;
        let mut letters: Vec<DeadLetter> = found.into_iter().map(|parked| parked.letter).collect();
        letters.sort_by(|a, b| a.sent_at.cmp(&b.sent_at).then_with(|| a.message_id.cmp(&b.message_id)));
        Ok(letters)
    }

    /// Puts a parked message back on the queue that it came from. False where it is not there.
    ///
    /// Sent before it is removed: a crash in between leaves it in both places, and its consumer recognises it.
    pub async fn redrive(&self, message_id: &str) -> Result<bool> {
        let operation = "queues.redrive";
        let found = self.receive_parked(usize::MAX, |letter| letter.message_id == message_id).await?;
        for parked in &found {
            let DeadLetter { queue, body, .. } = &parked.letter;
            let traceparent = parked.traceparent.clone();
            self.send(vec![Message { queue: queue.clone(), body: body.clone(), delay_ms: 0, traceparent }]).await?;
            let url = self.urls.parked();
            let gone =
                Box::pin(self.client.delete_message().queue_url(&url).receipt_handle(&parked.receipt).send()).await;
            gone.map_err(|error| BackendError::unavailable(operation, Error::of_sdk(format!("queue {url}"), &error)))?;
        }
        Ok(!found.is_empty())
    }

    /// How many messages wait on a queue and are with consumers, nearly: the service counts only so exactly.
    pub async fn depth(&self, url: &str) -> Result<u64> {
        use aws_sdk_sqs::types::QueueAttributeName as Name;
        let call = self
            .client
            .get_queue_attributes()
            .queue_url(url)
            .attribute_names(Name::ApproximateNumberOfMessages)
            .attribute_names(Name::ApproximateNumberOfMessagesNotVisible)
            .attribute_names(Name::ApproximateNumberOfMessagesDelayed);
        let found = Box::pin(call.send()).await;
        let found = found.map_err(|error| {
            BackendError::unavailable("queues.depth", Error::of_sdk(format!("queue {url}"), &error))
        })?;
        Ok(found.attributes.unwrap_or_default().values().filter_map(|count| count.parse::<u64>().ok()).sum())
    }

    pub const fn urls(&self) -> &super::QueueUrls {
        &self.urls
    }

    /// Receives until there is nothing more, or `limit` messages were wanted. Each message counts once.
    async fn receive_parked(&self, limit: usize, wanted: impl Fn(&DeadLetter) -> bool) -> Result<Vec<Parked>> {
        let operation = "queues.parked";
        let url = self.urls.parked();
        let mut found: BTreeMap<String, Parked> = BTreeMap::new();
        let mut empty = 0;
        while empty < EMPTY_ANSWERS && found.len() < limit {
            let call = self
                .client
                .receive_message()
                .queue_url(&url)
                .max_number_of_messages(RECEIVE_MESSAGES)
                .visibility_timeout(LISTING_VISIBILITY_SECONDS)
                .message_system_attribute_names(MessageSystemAttributeName::All)
                .message_attribute_names("All");
            let answer = Box::pin(call.send()).await;
            let answer = answer
                .map_err(|error| BackendError::unavailable(operation, Error::of_sdk(format!("queue {url}"), &error)))?;
            let messages = answer.messages.unwrap_or_default();
            empty = if messages.is_empty() { empty + 1 } else { 0 };
            for parked in messages.into_iter().filter_map(read).filter(|parked| wanted(&parked.letter)) {
                found.insert(parked.receipt.clone(), parked);
            }
        }
        Ok(found.into_values().collect())
    }
}

/// The message as it was before it was parked. One that somebody else has put there has no reason, and came from the incidents queue at best.
fn read(message: SqsMessage) -> Option<Parked> {
    let receipt = message.receipt_handle?;
    let attributes = message.message_attributes.unwrap_or_default();
    let attribute = |name: &str| attributes.get(name).and_then(|value| value.string_value.clone());
    let system = message.attributes.unwrap_or_default();
    let sent_at = system.get(&MessageSystemAttributeName::SentTimestamp).and_then(|text| text.parse().ok());
    let letter = DeadLetter {
        message_id: attribute(MESSAGE_ID).or(message.message_id)?,
        queue: attribute(QUEUE).and_then(|name| QueueName::parse(&name)).unwrap_or(QueueName::Incidents),
        body: message.body.unwrap_or_default(),
        receive_count: attribute(RECEIVE_COUNT).and_then(|count| count.parse().ok()).unwrap_or_default(),
        reason: attribute(REASON).unwrap_or_else(|| "no reason is noted".to_owned()),
        sent_at: Timestamp(sent_at.unwrap_or_default()),
    };
    Some(Parked { letter, traceparent: attribute(TRACEPARENT), receipt })
}
