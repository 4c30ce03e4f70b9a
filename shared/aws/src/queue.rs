//! The queues of a stack: sending, and the parking queue of messages that could not be processed.
//!
//! Receiving is the work of the event source mappings.

mod batch;
pub mod dead;
mod gather;
mod stack;
mod url;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::config::Builder;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use heal_runtime::port::{BackendError, Message, QueueName, Result, Sender};

use crate::error::Error;
use crate::limit::BATCHES_AT_ONCE;
use crate::session::{Service, Session};
use crate::store::{retries, timeouts};

pub use url::QueueUrls;

/// The message attribute that carries the W3C trace context.
pub const TRACEPARENT: &str = "traceparent";

/// The queues of one stack.
#[derive(Clone)]
pub struct Queues {
    client: Client,
    urls: QueueUrls,
    gathering: Arc<gather::Gathering>,
}

impl fmt::Debug for Queues {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queues").field("urls", &self.urls).finish_non_exhaustive()
    }
}

impl Queues {
    /// Makes a client, which connects at the first call.
    ///
    /// # Errors
    /// [`Error::Invalid`]: the configured endpoint is not a URL.
    pub fn new(session: &Session, urls: QueueUrls) -> std::result::Result<Self, Error> {
        Ok(Self { client: client(session)?, urls, gathering: Arc::default() })
    }

    /// Sends one message, and returns the service's message id, which the receiver sees too.
    ///
    /// # Errors
    /// The service could not be reached or refused the message.
    pub async fn send_one(&self, message: &Message) -> Result<String> {
        let operation = "queues.send_one";
        let url = self.urls.url_of(&message.queue);
        let mut call = self
            .client
            .send_message()
            .queue_url(&url)
            .message_body(&message.body)
            .set_delay_seconds(batch::delay_seconds(message));
        if let Some(traceparent) = &message.traceparent {
            call = call.message_attributes(TRACEPARENT, batch::text(traceparent)?);
        }
        let unavailable = |error| BackendError::unavailable(operation, error);
        let sent = Box::pin(call.send()).await;
        let sent = sent.map_err(|error| unavailable(Error::from_sdk(format!("queue {url}"), &error)))?;
        let problem = || "the answer lacks the message id".to_owned();
        sent.message_id.ok_or_else(|| unavailable(Error::Unusable { what: format!("queue {url}"), problem: problem() }))
    }
}

fn client(session: &Session) -> std::result::Result<Client, Error> {
    let mut config = Builder::from(session.sdk()).timeout_config(timeouts()).retry_config(retries());
    if let Some(endpoint) = session.endpoint_override(Service::Sqs)? {
        config = config.endpoint_url(endpoint);
    }
    Ok(Client::from_conf(config.build()))
}

#[async_trait]
impl Sender for Queues {
    async fn send(&self, messages: Vec<Message>) -> Result<()> {
        let mut by_queue: BTreeMap<QueueName, Vec<Message>> = BTreeMap::new();
        for message in messages {
            by_queue.entry(message.queue.clone()).or_default().push(message);
        }
        // A message that is too large is an error of its sender alone.
        for messages in by_queue.values() {
            batch::check(messages)?;
        }
        let sending = by_queue.into_iter().map(|(queue, messages)| async move {
            self.gathering.send(&queue, messages, |messages| self.send_all(self.urls.url_of(&queue), messages)).await
        });
        stream::iter(sending).buffer_unordered(BATCHES_AT_ONCE).try_collect().await
    }
}

impl Queues {
    /// Sends messages to one queue.
    async fn send_all(&self, url: String, messages: Vec<Message>) -> Result<()> {
        let batches = batch::batches(messages)?;
        let sending = stream::iter(batches).map(|batch| batch::send(&self.client, url.clone(), batch));
        sending.buffer_unordered(BATCHES_AT_ONCE).try_collect().await
    }
}
