//! The notifier of this process: its secrets from the environment or Secrets Manager, its topics at SNS, its links from the configuration.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use async_trait::async_trait;
use heal_aws::{Session, secrets, sns};
use heal_clients::config::{Env, Strings};
use heal_engine::notice::{ChannelKind, Rules, SecretRef};
use heal_notify::channel::{Courier, Http, Publication};
use heal_notify::secret::{Secret, SecretError, Secrets};
use heal_notify::{Links, Notifier, Observer, Ports, Publisher, SendError, Sent};
use heal_wiring::environment::{ENV_LINK_KEY, ENV_PUBLIC_URL};
use serde_json::Value;

/// The notifier of a home. AWS is not touched unless the rules name something there.
///
/// # Errors
/// The configuration is wrong, or AWS cannot be set up.
pub(crate) async fn notifier(
    ports: &heal_wiring::Ports,
    rules: Arc<Rules>,
    observer: Arc<heal_wiring::observe::Observer>,
) -> anyhow::Result<Notifier> {
    let courier = courier(&rules).await?;
    let runs = Arc::clone(&ports.runs);
    let (claims, clock) = (Arc::clone(&ports.claims), Arc::clone(&ports.clock));
    let ports = Ports { runs, sender: Arc::clone(&ports.sender), claims, clock };
    Ok(Notifier::new(ports, rules, courier, Arc::new(Counted(observer))))
}

/// Sends by the channels of `rules`.
///
/// # Errors
/// As [`notifier`].
pub(crate) async fn courier(rules: &Rules) -> anyhow::Result<Courier> {
    let needs_topics = rules.channels.values().any(|channel| channel.kind == ChannelKind::Sns);
    let is_at_aws = |text: &String| matches!(SecretRef::parse(text), Some(SecretRef::SecretsManager { .. }));
    let needs_secrets = rules.channels.values().any(|channel| channel.settings.values().any(is_at_aws));
    let session = if needs_topics || needs_secrets {
        Some(Session::from_env().await.context("notify.yaml names something of AWS, which cannot be used")?)
    } else {
        None
    };
    let manager = session.as_ref().filter(|_| needs_secrets).map(secrets::Client::new).transpose()?;
    let topics = session.as_ref().filter(|_| needs_topics).map(sns::Client::new).transpose()?;
    Ok(Courier {
        http: Http::new()?,
        secrets: Arc::new(Vault { manager }),
        publisher: topics.map(|topics| Arc::new(Topics(topics)) as Arc<dyn Publisher>),
        links: links(&Env)?.map(Arc::new),
    })
}

/// `None` without a public address.
///
/// # Errors
/// A variable is wrong.
pub(crate) fn links(strings: &dyn Strings) -> anyhow::Result<Option<Links>> {
    let text = |name: &str| -> anyhow::Result<Option<String>> {
        let value = strings.get(name).with_context(|| format!("failed to read {name}"))?;
        Ok(value.map(|value| value.trim().to_owned()).filter(|value| !value.is_empty()))
    };
    let Some(base) = text(ENV_PUBLIC_URL)? else { return Ok(None) };
    let key = text(ENV_LINK_KEY)?;
    let links = Links::new(&base, key.as_deref().map(str::as_bytes));
    Ok(Some(links.with_context(|| format!("failed to read {ENV_PUBLIC_URL} and {ENV_LINK_KEY}"))?))
}

/// Secrets of the environment and of Secrets Manager.
struct Vault {
    manager: Option<secrets::Client>,
}

#[async_trait]
impl Secrets for Vault {
    async fn read(&self, reference: &SecretRef) -> Result<Secret, SecretError> {
        let failed = |detail: String| SecretError { reference: reference.clone(), detail };
        match reference {
            SecretRef::Env(name) => {
                let value = Env.get(name).map_err(|error| failed(error.to_string()))?;
                let value = value.filter(|value| !value.trim().is_empty());
                value.map(|value| Secret::new(&value)).ok_or_else(|| failed("the variable is not set".to_owned()))
            }
            SecretRef::SecretsManager { id, key } => {
                let manager = self.manager.as_ref().ok_or_else(|| failed("this home has no AWS".to_owned()))?;
                let bytes = manager.read(id).await.map_err(|error| failed(heal_engine::text::chain(&error)))?;
                field(&bytes, key.as_deref()).map_err(failed)
            }
        }
    }
}

/// The text of a secret, or of one field of it.
fn field(bytes: &[u8], key: Option<&str>) -> Result<Secret, String> {
    let text = std::str::from_utf8(bytes).map_err(|_| "the secret is not UTF-8 text".to_owned())?;
    let Some(key) = key else { return Ok(Secret::new(text)) };
    // The parser's error would repeat a part of the secret.
    let object: Value = serde_json::from_str(text).map_err(|_| "the secret is not a JSON object".to_owned())?;
    let value = object.get(key).and_then(Value::as_str);
    value.map(Secret::new).ok_or_else(|| format!("the secret has no text `{key}`"))
}

struct Topics(sns::Client);

#[async_trait]
impl Publisher for Topics {
    async fn publish(&self, message: Publication<'_>) -> Result<(), SendError> {
        let Publication { topic, subject, message: text, event, severity, thread, key } = message;
        let message =
            sns::Message { subject, text, attributes: &[("event", event), ("severity", severity)], thread, key };
        self.0.publish(topic, message).await.map_err(|error| {
            let detail = heal_engine::text::chain(&error);
            if error.is_transient() {
                SendError::Unavailable { detail, retry_after: None }
            } else {
                SendError::Refused { detail }
            }
        })
    }
}

struct Counted(Arc<heal_wiring::observe::Observer>);

impl Observer for Counted {
    fn notified(&self, kind: &'static str, sent: Sent, took: Duration) {
        self.0.notified(kind, sent.as_str(), took);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_of_a_secret_is_read_and_no_error_repeats_it() {
        assert_eq!(field(b" https://x \n", None).unwrap().expose(), "https://x");
        assert_eq!(field(br#"{"url": "https://x"}"#, Some("url")).unwrap().expose(), "https://x");
        for (text, key) in [(&b"hunter2"[..], "url"), (br#"{"other": "hunter2"}"#, "url"), (b"\xffhunter2", "url")] {
            let error = field(text, Some(key)).unwrap_err();
            assert!(!error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn links_need_an_address_and_a_long_key() {
        assert!(links(&[("OTHER", "x")]).unwrap().is_none());
        assert!(links(&[(ENV_PUBLIC_URL, "https://heal.example.org")]).unwrap().is_some());
        let error = links(&[(ENV_PUBLIC_URL, "https://h"), (ENV_LINK_KEY, "short")]).unwrap_err();
        assert!(format!("{error:#}").contains("at least 32 bytes"), "{error:#}");
    }
}
