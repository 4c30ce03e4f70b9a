//! The parking queue: messages that cannot be processed, with the reason, until a person handles them.

use std::collections::BTreeSet;

use async_trait::async_trait;
use aws_sdk_sqs::types::{ChangeMessageVisibilityBatchRequestEntry, Message as SqsMessage, MessageSystemAttributeName};
use heal_runtime::Timestamp;
use heal_runtime::port::{BackendError, DeadLetter, DeadLetters, Message, QueueName, Result, Sender as _};

use super::{Queues, TRACEPARENT, batch};
use crate::error::Error;
use crate::limit::SEND_BATCH_MESSAGES;

/// Message attributes of a parked message.
const QUEUE: &str = "queue";
const REASON: &str = "reason";
const MESSAGE_ID: &str = "message_id";
const RECEIVE_COUNT: &str = "receive_count";
/// The version of a parked message's form; absent is version 1.
const FORMAT: &str = "format";
/// The newest version that this build reads.
const SUPPORTED_FORMAT: u32 = 1;
/// Characters of a reason that are kept.
const REASON_CHARS: usize = 1_000;
/// Seconds that a listed message stays hidden, so that the next receive returns others.
const LISTING_VISIBILITY_SECONDS: i32 = 20;
/// Messages of one receive: the service's bound.
const RECEIVE_MESSAGES: i32 = 10;
/// Consecutive receives without a new message that end a listing: each receive samples only some of SQS's servers.
const ANSWERS_WITHOUT_NEWS: u32 = 2;

/// A message to park.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unworkable<'a> {
    /// The queue that it came from.
    pub queue: &'a QueueName,
    /// The service's id of it on that queue.
    pub message_id: &'a str,
    /// The body as received.
    pub body: &'a str,
    /// Deliveries so far.
    pub receive_count: u32,
    /// W3C trace context, if the message carried one.
    pub traceparent: Option<&'a str>,
    /// Why it cannot be processed: one sentence.
    pub reason: &'a str,
}

/// A parked message, with the receipt that deletes it.
struct Parked {
    letter: DeadLetter,
    traceparent: Option<String>,
    receipt: String,
}

/// One listing of the parking queue.
#[derive(Default)]
struct Pass {
    /// Message ids received so far; a message may be received again once its visibility timeout ends.
    seen: BTreeSet<String>,
    without_news: u32,
}

#[async_trait]
impl DeadLetters for Queues {
    async fn list(&self, limit: usize) -> Result<Vec<DeadLetter>> {
        self.parked(limit).await
    }

    async fn put_back(&self, message_ids: &BTreeSet<String>) -> Result<BTreeSet<String>> {
        self.redrive_all(message_ids).await
    }
}

impl Queues {
    /// Parks a message, at least once.
    ///
    /// # Errors
    /// The service could not be reached or refused the message.
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
            .map_err(|error| BackendError::unavailable(operation, Error::from_sdk(format!("queue {url}"), &error)))
    }

    /// Lists up to `limit` parked messages, oldest first, and makes them visible again.
    ///
    /// # Errors
    /// The service could not be reached.
    pub async fn parked(&self, limit: usize) -> Result<Vec<DeadLetter>> {
        let mut pass = Pass::default();
        let (mut letters, mut receipts) = (Vec::new(), Vec::new());
        while letters.len() < limit
            && let Some(found) = self.next_parked(&mut pass).await?
        {
            for parked in found {
                receipts.push(parked.receipt);
                letters.push(parked.letter);
            }
        }
        self.show_again(receipts).await;
        letters.sort_by(|a, b| a.sent_at.cmp(&b.sent_at).then_with(|| a.message_id.cmp(&b.message_id)));
        letters.truncate(limit);
        Ok(letters)
    }

    /// Returns a parked message to the queue that it came from. `false` if it is not parked.
    ///
    /// # Errors
    /// As [`Queues::redrive_all`].
    pub async fn redrive(&self, message_id: &str) -> Result<bool> {
        let moved = self.redrive_all(&BTreeSet::from([message_id.to_owned()])).await?;
        Ok(!moved.is_empty())
    }

    /// Returns these parked messages to the queues that they came from. Returns the ids of those that were parked.
    ///
    /// Each is sent before it is deleted. A crash in between leaves it in both queues; its consumer recognises the duplicate.
    ///
    /// # Errors
    /// The service could not be reached; messages redriven so far stay redriven.
    pub async fn redrive_all(&self, message_ids: &BTreeSet<String>) -> Result<BTreeSet<String>> {
        let mut pass = Pass::default();
        let (mut moved, mut others) = (BTreeSet::new(), Vec::new());
        while let Some(found) = self.next_parked(&mut pass).await? {
            for parked in found {
                if message_ids.contains(&parked.letter.message_id) {
                    moved.insert(parked.letter.message_id.clone());
                    self.put_back(parked).await?;
                } else {
                    others.push(parked.receipt);
                }
            }
        }
        self.show_again(others).await;
        Ok(moved)
    }

    /// Approximate number of messages on a queue: waiting, delayed and in flight.
    ///
    /// # Errors
    /// The service could not be reached, or there is no such queue.
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
            BackendError::unavailable("queues.depth", Error::from_sdk(format!("queue {url}"), &error))
        })?;
        Ok(found.attributes.unwrap_or_default().values().filter_map(|count| count.parse::<u64>().ok()).sum())
    }

    /// Sets a delivered message's visibility timeout to `delay_ms`, rounded up to seconds.
    ///
    /// # Errors
    /// The service could not be reached, or the receipt is not current.
    pub async fn hide(&self, url: &str, receipt: &str, delay_ms: u64) -> Result<()> {
        let seconds = i32::try_from(delay_ms.div_ceil(1_000)).unwrap_or(i32::MAX);
        let call = self.client.change_message_visibility().queue_url(url).receipt_handle(receipt);
        let hidden = Box::pin(call.visibility_timeout(seconds).send()).await;
        hidden
            .map(drop)
            .map_err(|error| BackendError::unavailable("queues.hide", Error::from_sdk(format!("queue {url}"), &error)))
    }

    /// The URLs of the queues.
    pub const fn urls(&self) -> &super::QueueUrls {
        &self.urls
    }

    /// Messages that this listing has not returned yet; `None` if there are no more.
    async fn next_parked(&self, pass: &mut Pass) -> Result<Option<Vec<Parked>>> {
        let operation = "queues.parked";
        let url = self.urls.parked();
        while pass.without_news < ANSWERS_WITHOUT_NEWS {
            let call = self
                .client
                .receive_message()
                .queue_url(&url)
                .max_number_of_messages(RECEIVE_MESSAGES)
                .visibility_timeout(LISTING_VISIBILITY_SECONDS)
                .message_system_attribute_names(MessageSystemAttributeName::All)
                .message_attribute_names("All");
            let answer = Box::pin(call.send()).await;
            let answer = answer.map_err(|error| {
                BackendError::unavailable(operation, Error::from_sdk(format!("queue {url}"), &error))
            })?;
            let messages = answer.messages.unwrap_or_default().into_iter();
            let news = messages.filter(|message| pass.seen.insert(message.message_id.clone().unwrap_or_default()));
            let news: Vec<Parked> = news.filter_map(|message| read(message).transpose()).collect::<Result<_>>()?;
            if !news.is_empty() {
                pass.without_news = 0;
                return Ok(Some(news));
            }
            pass.without_news += 1;
        }
        Ok(None)
    }

    async fn put_back(&self, parked: Parked) -> Result<()> {
        let Parked { letter: DeadLetter { queue, body, .. }, traceparent, receipt } = parked;
        self.send(vec![Message { queue, body, delay_ms: 0, traceparent }]).await?;
        let url = self.urls.parked();
        let gone = Box::pin(self.client.delete_message().queue_url(&url).receipt_handle(receipt).send()).await;
        gone.map(drop).map_err(|error| {
            BackendError::unavailable("queues.redrive", Error::from_sdk(format!("queue {url}"), &error))
        })
    }

    /// Makes listed messages visible again. If the call fails, their visibility timeout ends by itself.
    async fn show_again(&self, receipts: Vec<String>) {
        let url = self.urls.parked();
        let entry = |(index, receipt): (usize, &String)| {
            let entry = ChangeMessageVisibilityBatchRequestEntry::builder().id(index.to_string());
            entry.receipt_handle(receipt).visibility_timeout(0).build().ok()
        };
        for batch in receipts.chunks(SEND_BATCH_MESSAGES) {
            let entries = batch.iter().enumerate().filter_map(entry).collect();
            let call = self.client.change_message_visibility_batch().queue_url(&url).set_entries(Some(entries));
            if let Err(error) = Box::pin(call.send()).await {
                let error = Error::from_sdk(format!("queue {url}"), &error);
                tracing::debug!(%error, "parked messages stay hidden for {LISTING_VISIBILITY_SECONDS} s");
            }
        }
    }
}

/// The message as it was before it was parked. One that another program put there has no reason; it is taken for an incident.
///
/// # Errors
/// A newer build parked it. The message stays parked.
fn read(message: SqsMessage) -> Result<Option<Parked>> {
    let (Some(receipt), Some(message_id)) = (message.receipt_handle, message.message_id) else { return Ok(None) };
    let attributes = message.message_attributes.unwrap_or_default();
    let attribute = |name: &str| attributes.get(name).and_then(|value| value.string_value.clone());
    let observed = attribute(FORMAT).map_or(Some(1), |version| version.parse().ok()).unwrap_or(u32::MAX);
    if observed > SUPPORTED_FORMAT {
        let newer = format!("format {observed} is newer than this build's format {SUPPORTED_FORMAT}; upgrade heal");
        return Err(BackendError::corrupt("queues.parked", format!("parked message {message_id}: {newer}")));
    }
    let system = message.attributes.unwrap_or_default();
    let sent_at = system.get(&MessageSystemAttributeName::SentTimestamp).and_then(|text| text.parse().ok());
    let letter = DeadLetter {
        message_id: attribute(MESSAGE_ID).unwrap_or(message_id),
        queue: attribute(QUEUE).and_then(|name| QueueName::parse(&name)).unwrap_or(QueueName::Incidents),
        body: message.body.unwrap_or_default(),
        receive_count: attribute(RECEIVE_COUNT).and_then(|count| count.parse().ok()).unwrap_or_default(),
        reason: attribute(REASON).unwrap_or_else(|| "no reason was recorded".to_owned()),
        sent_at: Timestamp(sent_at.unwrap_or_default()),
    };
    Ok(Some(Parked { letter, traceparent: attribute(TRACEPARENT), receipt }))
}
