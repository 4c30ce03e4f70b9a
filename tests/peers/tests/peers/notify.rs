//! Channels that notices are sent by: HTTP, and SMTP.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use heal_engine::Timestamp;
use heal_engine::notice::{Channel, ChannelKind, Notice, NoticeEvent, SecretRef};
use heal_notify::channel::{Courier, Http};
use heal_notify::secret::{Secret, SecretError, Secrets};
use heal_peers::acts::{acts, acts_of_smtp};
use heal_peers::hostile::{Act, Hostile};
use heal_peers::ordeal::{Outcome, undergo};

const NOW: Timestamp = Timestamp(1_800_000_000_000);

/// Every secret is this text.
struct Fixed(String);

#[async_trait]
impl Secrets for Fixed {
    async fn read(&self, _: &SecretRef) -> Result<Secret, SecretError> {
        Ok(Secret::new(&self.0))
    }
}

fn channel(kind: ChannelKind, settings: &[(&str, String)]) -> Channel {
    let settings = settings.iter().map(|(key, value)| ((*key).to_owned(), value.clone()));
    Channel { kind, settings: settings.collect() }
}

async fn send(name: &str, act: Act, expected: Outcome, channel: impl Fn(&Hostile) -> Channel) {
    undergo(name, act, expected, async |server: &Hostile| {
        let url = format!("http://{}/hook", server.addr);
        let courier =
            Courier { http: Http::new().unwrap(), secrets: Arc::new(Fixed(url)), publisher: None, links: None };
        let channel = channel(server);
        move |time: Duration| {
            let (courier, channel) = (courier.clone(), channel.clone());
            async move {
                let notice = Notice::new(NoticeEvent::RunSettled, "run-1", NOW, "A run ended HEALED".to_owned());
                let sent = tokio::time::timeout(time, courier.send(&channel, &notice, NOW)).await;
                sent.map_err(|error| error.to_string())?.map_err(|error| error.to_string())
            }
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_channel_over_http_that_does_harm_holds_up_nothing() {
    for (name, act) in acts() {
        // A head that says 200 is enough: what follows is not read.
        send(&format!("webhook: {name}"), act, Outcome::Any, |_| {
            channel(ChannelKind::Slack, &[("url", "env:URL".to_owned())])
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mail_server_that_does_harm_holds_up_nothing() {
    for (name, act) in acts_of_smtp() {
        send(&format!("mail: {name}"), act, Outcome::Failure, |server| {
            let settings = [
                ("server", format!("smtp+plain://{}", server.addr)),
                ("from", "heal@example.org".to_owned()),
                ("to", "people@example.org".to_owned()),
            ];
            channel(ChannelKind::Email, &settings)
        })
        .await;
    }
}
