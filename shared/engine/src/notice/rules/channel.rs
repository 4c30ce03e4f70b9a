//! The kinds of channels, and the settings of each.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Where notices are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChannelKind {
    /// A Slack channel, by an incoming webhook.
    Slack,
    /// A Microsoft Teams channel, by a workflow's webhook.
    Teams,
    /// A `PagerDuty` service, by Events API v2.
    Pagerduty,
    /// An Opsgenie team, by its Alert API.
    Opsgenie,
    /// An SNS topic.
    Sns,
    /// Mailboxes, by SMTP.
    Email,
    /// Any HTTP endpoint that takes `CloudEvents`.
    Webhook,
}

/// A channel: its kind and its settings by name. Secrets are references, see [`SecretRef`](super::SecretRef).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Channel {
    /// Its kind.
    #[serde(rename = "type")]
    pub kind: ChannelKind,
    /// Its settings, see [`ChannelKind::settings`].
    #[serde(flatten)]
    pub settings: BTreeMap<String, String>,
}

/// The form of a setting's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// A reference to a secret.
    Secret,
    /// An `http` or `https` URL without credentials.
    Url,
    /// `smtp://HOST:PORT` (with STARTTLS), `smtps://HOST:PORT`, or `smtp+plain://HOST:PORT` for a server on this machine.
    Smtp,
    /// Any text.
    Text,
}

/// A setting of a kind of channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setting {
    /// Its key in the file.
    pub key: &'static str,
    /// The form of its value.
    pub shape: Shape,
    /// Whether a channel of the kind cannot do without it.
    pub required: bool,
    /// What it is.
    pub about: &'static str,
}

const fn required(key: &'static str, shape: Shape, about: &'static str) -> Setting {
    Setting { key, shape, required: true, about }
}

const fn optional(key: &'static str, shape: Shape, about: &'static str) -> Setting {
    Setting { key, shape, required: false, about }
}

const HOOK: &str = "The webhook's URL, which is a secret: whoever knows it can post.";

impl ChannelKind {
    /// Every kind.
    pub const ALL: [Self; 7] =
        [Self::Slack, Self::Teams, Self::Pagerduty, Self::Opsgenie, Self::Sns, Self::Email, Self::Webhook];

    /// The kind's word in the file and in metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Slack => "slack",
            Self::Teams => "teams",
            Self::Pagerduty => "pagerduty",
            Self::Opsgenie => "opsgenie",
            Self::Sns => "sns",
            Self::Email => "email",
            Self::Webhook => "webhook",
        }
    }

    /// The settings that a channel of this kind has.
    pub const fn settings(self) -> &'static [Setting] {
        match self {
            Self::Slack | Self::Teams => const { &[required("url", Shape::Secret, HOOK)] },
            Self::Pagerduty => {
                const {
                    &[
                        required("routing_key", Shape::Secret, "The integration key of the service."),
                        optional("url", Shape::Url, "The endpoint, if it is not PagerDuty's own in the United States."),
                    ]
                }
            }
            Self::Opsgenie => {
                const {
                    &[
                        required("api_key", Shape::Secret, "The key of the API integration."),
                        optional("url", Shape::Url, "The address of the API, such as https://api.eu.opsgenie.com."),
                    ]
                }
            }
            Self::Sns => const { &[required("topic", Shape::Text, "The ARN of the topic.")] },
            Self::Email => {
                const {
                    &[
                        required(
                            "server",
                            Shape::Smtp,
                            "smtp:// with STARTTLS, smtps://, or smtp+plain:// on this machine.",
                        ),
                        required("from", Shape::Text, "The sender's mailbox."),
                        required("to", Shape::Text, "The mailboxes of the recipients, with commas between them."),
                        optional("username", Shape::Secret, "The user at the server."),
                        optional("password", Shape::Secret, "The password of the user."),
                    ]
                }
            }
            Self::Webhook => {
                const {
                    &[
                        required("url", Shape::Url, "The endpoint."),
                        optional(
                            "secret",
                            Shape::Secret,
                            "The key of the signature, HMAC-SHA256; without it nothing is signed.",
                        ),
                    ]
                }
            }
        }
    }
}

impl Channel {
    /// The value of a setting.
    pub fn setting(&self, key: &str) -> Option<&str> {
        self.settings.get(key).map(String::as_str)
    }
}
