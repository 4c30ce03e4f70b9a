//! The notifier of a home: its secrets from the environment or Secrets Manager, its topics at SNS, its links from the configuration.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use heal_aws::{Session, sns};
use heal_clients::config::{Env, Strings};
use heal_engine::notice::{ChannelKind, SecretRef};
use heal_engine::text::chain;
use heal_notify::channel::{Courier, Http, HttpError, Publication};
use heal_notify::secret::{Secret, SecretError, Secrets};
use heal_notify::{Links, Publisher, SendError, Sent, link};

pub use heal_engine::notice::{Rules, RulesError};
pub use heal_notify::Notifier;

use crate::environment::{ENV_LINK_KEY, ENV_PUBLIC_URL};
use crate::observe::Observer;
use crate::ports::Ports;
use crate::secrets::Vault;

/// Why people cannot be told.
#[derive(Debug, thiserror::Error)]
pub enum NotifyError {
    /// The rules name something there.
    #[error("the notifications name something of AWS, which cannot be used")]
    Aws(#[from] heal_aws::Error),
    /// A variable is not text.
    #[error("{variable}: {problem}")]
    Variable {
        /// The variable's name.
        variable: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// No link can be made.
    #[error("failed to read {ENV_PUBLIC_URL} and {ENV_LINK_KEY}")]
    Links(#[from] link::Invalid),
    /// TLS cannot be set up.
    #[error("failed to set up the HTTP client of the notifications")]
    Http(#[from] HttpError),
}

/// The notifier of a home, which follows `rules` and sends by `courier`.
pub fn notifier(ports: &Ports, rules: Arc<Rules>, courier: Courier, observer: Arc<Observer>) -> Notifier {
    let (runs, sender) = (Arc::clone(&ports.runs), Arc::clone(&ports.sender));
    let (claims, clock) = (Arc::clone(&ports.claims), Arc::clone(&ports.clock));
    Notifier::new(heal_notify::Ports { runs, sender, claims, clock }, rules, courier, Arc::new(Counted(observer)))
}

/// Sends by the channels of `rules`, for a program that is not a function. AWS is not touched unless the rules name something there.
///
/// # Errors
/// The configuration is wrong, or AWS cannot be set up.
pub async fn courier(rules: &Rules) -> Result<Courier, NotifyError> {
    let is_at_aws = |text: &String| matches!(SecretRef::parse(text), Some(SecretRef::SecretsManager { .. }));
    let needs_secrets = rules.channels.values().any(|channel| channel.settings.values().any(is_at_aws));
    let session = if needs_topics(rules) || needs_secrets { Some(Session::from_env().await?) } else { None };
    let vault = Vault::new(session.as_ref().filter(|_| needs_secrets))?;
    courier_with(rules, session.as_ref(), vault)
}

/// Sends by the channels of `rules`, with the secrets of `vault`; topics need `session`.
///
/// # Errors
/// As [`courier`].
pub fn courier_with(rules: &Rules, session: Option<&Session>, vault: Vault) -> Result<Courier, NotifyError> {
    let topics = session.filter(|_| needs_topics(rules)).map(sns::Client::new).transpose()?;
    let links = links(|name| vault.variable(name))?;
    Ok(Courier {
        http: Http::new()?,
        secrets: Arc::new(Referred(vault)),
        publisher: topics.map(|topics| Arc::new(Topics(topics)) as Arc<dyn Publisher>),
        links: links.map(Arc::new),
    })
}

fn needs_topics(rules: &Rules) -> bool {
    rules.channels.values().any(|channel| channel.kind == ChannelKind::Sns)
}

/// The links of this process's environment; `None` without a public address.
///
/// # Errors
/// The address or the key cannot be used.
pub fn links_of_env() -> Result<Option<Links>, NotifyError> {
    links(|name| Env.get(name).map_err(|error| error.to_string()))
}

fn links(read: impl Fn(&str) -> Result<Option<String>, String>) -> Result<Option<Links>, NotifyError> {
    let text = |variable: &'static str| {
        let value = read(variable).map_err(|problem| NotifyError::Variable { variable, problem })?;
        Ok::<_, NotifyError>(value.map(|value| value.trim().to_owned()).filter(|value| !value.is_empty()))
    };
    let Some(base) = text(ENV_PUBLIC_URL)? else { return Ok(None) };
    let key = text(ENV_LINK_KEY)?;
    Ok(Some(Links::new(&base, key.as_deref().map(str::as_bytes))?))
}

/// Secrets by the references of the rules.
struct Referred(Vault);

#[async_trait]
impl Secrets for Referred {
    async fn read(&self, reference: &SecretRef) -> Result<Secret, SecretError> {
        let text = self.0.read(reference).await;
        let text = text.map_err(|detail| SecretError { reference: reference.clone(), detail })?;
        Ok(Secret::new(&text))
    }
}

struct Topics(sns::Client);

#[async_trait]
impl Publisher for Topics {
    async fn publish(&self, message: Publication<'_>) -> Result<(), SendError> {
        let Publication { topic, subject, message: text, event, severity, thread, key } = message;
        let message =
            sns::Message { subject, text, attributes: &[("event", event), ("severity", severity)], thread, key };
        self.0.publish(topic, message).await.map_err(|error| {
            let detail = chain(&error);
            if error.is_transient() {
                SendError::Unavailable { detail, retry_after: None }
            } else {
                SendError::Refused { detail }
            }
        })
    }
}

struct Counted(Arc<Observer>);

impl heal_notify::Observer for Counted {
    fn notified(&self, kind: &'static str, sent: Sent, took: Duration) {
        self.0.notified(kind, sent.as_str(), took);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_need_an_address_and_a_long_key() {
        let of = |fields: &'static [(&'static str, &'static str)]| {
            links(move |name| {
                let found = fields.iter().find(|(known, _)| *known == name);
                Ok(found.map(|(_, value)| (*value).to_owned()))
            })
        };
        assert!(of(&[("OTHER", "x")]).unwrap().is_none());
        assert!(of(&[(ENV_PUBLIC_URL, "https://heal.example.org")]).unwrap().is_some());
        let error = of(&[(ENV_PUBLIC_URL, "https://h"), (ENV_LINK_KEY, "short")]).unwrap_err();
        assert!(chain(&error).contains("at least 32 bytes"), "{error}");
    }
}
