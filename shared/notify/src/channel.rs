//! The channels: what each kind is sent, and the sending.
//!
//! Each module renders a notice for one kind, escaped and cut as that kind needs, and says what is posted where; `http` posts.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use heal_engine::Timestamp;
use heal_engine::notice::{Channel, ChannelKind, Notice, SecretRef};

use crate::link::Links;
use crate::secret::{Secret, SecretError, Secrets};

mod email;
mod http;
mod opsgenie;
mod pagerduty;
mod slack;
mod sns;
mod teams;
pub mod text;
pub mod webhook;

pub use http::{ANSWER_BYTES, Http, HttpError, TIMEOUT};

/// Why a channel did not take a notice.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// The same notice may be taken later.
    #[error("{detail}")]
    Unavailable {
        /// What the channel answered, or why it could not be reached.
        detail: String,
        /// When it wants to be asked again.
        retry_after: Option<Duration>,
    },
    /// The channel refuses it: a person has to correct the rules, a secret or the channel.
    #[error("{detail}")]
    Refused {
        /// What the channel answered.
        detail: String,
    },
    /// A setting is missing or wrong; the compiler of the rules has let it through.
    #[error("setting `{key}` is {observed}")]
    Setting {
        /// The setting's key.
        key: &'static str,
        /// What was found.
        observed: String,
    },
    /// A secret cannot be read.
    #[error(transparent)]
    Secret(#[from] SecretError),
}

/// Publishes to SNS topics.
#[async_trait]
pub trait Publisher: Send + Sync + 'static {
    /// Publishes one message; `group` keeps its order in a FIFO topic, and `key` its deduplication.
    async fn publish(&self, message: Publication<'_>) -> Result<(), SendError>;
}

/// A message for a topic.
#[derive(Debug, Clone, Copy)]
pub struct Publication<'m> {
    /// The topic's ARN.
    pub topic: &'m str,
    /// One line of ASCII, see [`sns::SUBJECT_CHARACTERS`](self).
    pub subject: &'m str,
    /// The text.
    pub message: &'m str,
    /// The event's word, as an attribute that subscriptions can filter by.
    pub event: &'m str,
    /// The severity, as an attribute; empty if there is none.
    pub severity: &'m str,
    /// The notice's thread and key, for a FIFO topic.
    pub thread: &'m str,
    /// The notice's key.
    pub key: &'m str,
}

/// Sends notices by channels of every kind.
#[derive(Clone)]
#[expect(missing_debug_implementations, reason = "ports are behaviour, there is nothing to print")]
pub struct Courier {
    /// Posts.
    pub http: Http,
    /// Secrets that settings refer to.
    pub secrets: Arc<dyn Secrets>,
    /// Publishes to SNS; `None` in a home without AWS.
    pub publisher: Option<Arc<dyn Publisher>>,
    /// Makes links; `None` without a public address.
    pub links: Option<Arc<Links>>,
}

/// A notice on its way to one channel.
pub(crate) struct Letter<'a> {
    channel: &'a Channel,
    secrets: &'a dyn Secrets,
    /// The notice.
    pub notice: &'a Notice,
    /// Where it leads.
    pub link: Option<String>,
    /// When it is sent.
    pub now: Timestamp,
}

impl Courier {
    /// Sends one notice by one channel.
    ///
    /// # Errors
    /// See [`SendError`]. After [`SendError::Unavailable`], the channel may have taken it.
    pub async fn send(&self, channel: &Channel, notice: &Notice, now: Timestamp) -> Result<(), SendError> {
        let link = self.links.as_ref().and_then(|links| links.of(notice));
        let letter = Letter { channel, secrets: &*self.secrets, notice, link, now };
        let post = match channel.kind {
            ChannelKind::Slack => slack::post(&letter).await?,
            ChannelKind::Teams => teams::post(&letter).await?,
            ChannelKind::Pagerduty => pagerduty::post(&letter).await?,
            ChannelKind::Opsgenie => opsgenie::post(&letter).await?,
            ChannelKind::Webhook => webhook::post(&letter).await?,
            ChannelKind::Sns => return sns::publish(self.publisher.as_deref(), &letter).await,
            ChannelKind::Email => return email::send(&letter).await,
        };
        self.http.post(post).await
    }
}

impl Letter<'_> {
    /// The value of a setting.
    pub fn setting(&self, key: &'static str) -> Result<&str, SendError> {
        self.channel.setting(key).ok_or(SendError::Setting { key, observed: "missing".to_owned() })
    }

    /// The value of a setting, or another one without it.
    pub fn setting_or<'d>(&'d self, key: &str, default: &'d str) -> &'d str {
        self.channel.setting(key).unwrap_or(default)
    }

    /// The secret that a setting refers to.
    pub async fn secret(&self, key: &'static str) -> Result<Secret, SendError> {
        let text = self.setting(key)?;
        let wrong = || SendError::Setting { key, observed: "not a reference to a secret".to_owned() };
        Ok(self.secrets.read(&SecretRef::parse(text).ok_or_else(wrong)?).await?)
    }

    /// As [`Letter::secret`]; `None` if the setting is absent.
    pub async fn optional_secret(&self, key: &'static str) -> Result<Option<Secret>, SendError> {
        match self.channel.setting(key) {
            Some(_) => self.secret(key).await.map(Some),
            None => Ok(None),
        }
    }

    /// What a button to [`Letter::link`] says.
    pub const fn button(&self) -> &'static str {
        if self.notice.asked.is_some() { "Review and decide" } else { "Open the run" }
    }
}
