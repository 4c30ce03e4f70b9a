//! SNS: publishes to topics.

use aws_sdk_sns::config::Builder;
use aws_sdk_sns::types::MessageAttributeValue;

use crate::error::Error;
use crate::session::{Service, Session};

/// The ending of a FIFO topic's name.
const FIFO: &str = ".fifo";
/// Characters of a group or deduplication id.
const ID_CHARACTERS: usize = 128;

/// Publishes to topics.
#[derive(Debug, Clone)]
pub struct Client {
    sdk: aws_sdk_sns::Client,
}

/// A message for a topic.
#[derive(Debug, Clone, Copy)]
pub struct Message<'m> {
    /// One line of at most 100 ASCII characters.
    pub subject: &'m str,
    /// At most 256 KiB.
    pub text: &'m str,
    /// Names and texts that subscriptions can filter by; an empty text is left out.
    pub attributes: &'m [(&'m str, &'m str)],
    /// Keeps the order in a FIFO topic.
    pub thread: &'m str,
    /// Recognises a repeated message in a FIFO topic.
    pub key: &'m str,
}

impl Client {
    /// Makes a client, which connects at the first call.
    ///
    /// # Errors
    /// [`Error::Invalid`]: the configured endpoint is not a URL.
    pub fn new(session: &Session) -> Result<Self, Error> {
        let mut config = Builder::from(session.sdk());
        if let Some(endpoint) = session.endpoint_override(Service::Sns)? {
            config = config.endpoint_url(endpoint);
        }
        Ok(Self { sdk: aws_sdk_sns::Client::from_conf(config.build()) })
    }

    /// Publishes one message to the topic with this ARN.
    ///
    /// # Errors
    /// Any but [`Error::Invalid`] and [`Error::Unusable`].
    pub async fn publish(&self, topic: &str, message: Message<'_>) -> Result<(), Error> {
        let Message { subject, text, attributes, thread, key } = message;
        let mut call = self.sdk.publish().topic_arn(topic).subject(subject).message(text);
        for (name, value) in attributes.iter().filter(|(_, value)| !value.is_empty()) {
            let value = MessageAttributeValue::builder().data_type("String").string_value(*value).build();
            let value = value.map_err(|error| Error::Unusable {
                what: format!("attribute {name} for topic {topic}"),
                problem: error.to_string(),
            })?;
            call = call.message_attributes(*name, value);
        }
        if topic.ends_with(FIFO) {
            call = call.message_group_id(id(thread)).message_deduplication_id(id(key));
        }
        let answer = Box::pin(call.send()).await;
        answer.map(|_| ()).map_err(|error| Error::from_sdk(format!("topic {topic}"), &error))
    }
}

/// Ids may have letters, digits and ASCII punctuation.
fn id(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii_graphic() { c } else { '_' }).take(ID_CHARACTERS).collect()
}
