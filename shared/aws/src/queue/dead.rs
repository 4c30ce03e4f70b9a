//! Messages that nobody could carry out: they lie in the stack's parking queue with the reason, until a person looks at them.

use std::collections::BTreeSet;

use aws_sdk_sqs::types::{ChangeMessageVisibilityBatchRequestEntry, Message as SqsMessage, MessageSystemAttributeName};
use heal_runtime::Timestamp;
use heal_runtime::port::{BackendError, DeadLetter, Message, QueueName, Result, Sender as _};

use super::{Queues, TRACEPARENT, batch};
use crate::error::Error;
use crate::limit::SEND_BATCH_MESSAGES;

/// Message attributes of a parked message.
const QUEUE: &str = "queue";
const REASON: &str = "reason";
const MESSAGE_ID: &str = "message_id";
const RECEIVE_COUNT: &str = "receive_count";
/// Characters of a reason that are kept.
const REASON_CHARS: usize = 1_000;
/// Seconds for which what is read is hidden, so that the next answer has something else.
const LISTING_VISIBILITY_SECONDS: i32 = 20;
/// Messages of one receive: the service's bound.
const RECEIVE_MESSAGES: i32 = 10;
/// Answers without anything new after which one believes that there is nothing more: a receive asks only some of the servers.
const ANSWERS_WITHOUT_NEWS: u32 = 2;

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

/// One way through the parking queue.
#[derive(Default)]
struct Pass {
    /// The service's names of what was received; after its hiding a message may come once more.
    seen: BTreeSet<String>,
    without_news: u32,
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

    /// Up to `limit` parked messages, those that came first first. Afterwards they are there for the next one who asks.
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

    /// Puts a parked message back on the queue that it came from. False where it is not there.
    pub async fn redrive(&self, message_id: &str) -> Result<bool> {
        let moved = self.redrive_all(&BTreeSet::from([message_id.to_owned()])).await?;
        Ok(!moved.is_empty())
    }

    /// Puts these parked messages back on the queues that they came from, and says which of them were there.
    ///
    /// Each is sent before it is removed: a crash in between leaves it in both places, and its consumer recognises it.
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

    /// Has a message that was delivered come back after `delay_ms`, rounded up to seconds, instead of after the queue's visibility.
    pub async fn hide(&self, url: &str, receipt: &str, delay_ms: u64) -> Result<()> {
        let seconds = i32::try_from(delay_ms.div_ceil(1_000)).unwrap_or(i32::MAX);
        let call = self.client.change_message_visibility().queue_url(url).receipt_handle(receipt);
        let hidden = Box::pin(call.visibility_timeout(seconds).send()).await;
        hidden
            .map(drop)
            .map_err(|error| BackendError::unavailable("queues.hide", Error::of_sdk(format!("queue {url}"), &error)))
    }

    pub const fn urls(&self) -> &super::QueueUrls {
        &self.urls
    }

    /// Messages that this pass has not had yet; none where there are no more.
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
            let answer = answer
                .map_err(|error| BackendError::unavailable(operation, Error::of_sdk(format!("queue {url}"), &error)))?;
            let messages = answer.messages.unwrap_or_default().into_iter();
            let news = messages.filter(|message| pass.seen.insert(message.message_id.clone().unwrap_or_default()));
            let news: Vec<Parked> = news.filter_map(read).collect();
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
        gone.map(drop)
            .map_err(|error| BackendError::unavailable("queues.redrive", Error::of_sdk(format!("queue {url}"), &error)))
    }

    /// Ends the hiding of what was only looked at. Where that fails, it ends by itself.
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
                let error = Error::of_sdk(format!("queue {url}"), &error);
                tracing::debug!(%error, "parked messages stay hidden for {LISTING_VISIBILITY_SECONDS} s");
            }
        }
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
