//! Notices, rules and couriers for tests.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use heal_engine::notice::{Asked, Channel, ChannelKind, Notice, NoticeEvent, Route, Rules, SecretRef};
use heal_engine::{Digest, RunId, Timestamp};
use heal_notify::channel::{Courier, Http, Publication};
use heal_notify::secret::{Secret, SecretError, Secrets};
use heal_notify::{Links, Publisher, SendError};

pub const NOW: Timestamp = Timestamp(1_700_000_000_000);
/// The value of every secret but `env:URL`.
pub const SECRET: &str = "s3cr3t-value";

/// `env:URL` is the address of a server, `env:NONE` is not set.
pub struct Fixed {
    pub url: String,
}

#[async_trait]
impl Secrets for Fixed {
    async fn read(&self, reference: &SecretRef) -> Result<Secret, SecretError> {
        match reference.to_string().as_str() {
            "env:URL" => Ok(Secret::new(&self.url)),
            "env:NONE" => {
                Err(SecretError { reference: reference.clone(), detail: "the variable is not set".to_owned() })
            }
            _ => Ok(Secret::new(SECRET)),
        }
    }
}

/// A topic that keeps what is published: topic, subject and text.
#[derive(Default)]
pub struct Topic(pub Mutex<Vec<(String, String, String)>>);

#[async_trait]
impl Publisher for Topic {
    async fn publish(&self, message: Publication<'_>) -> Result<(), SendError> {
        let Publication { topic, subject, message: text, .. } = message;
        self.0.lock().unwrap().push((topic.to_owned(), subject.to_owned(), text.to_owned()));
        Ok(())
    }
}

pub fn courier(url: &str) -> Courier {
    let links = Links::new("https://heal.example.org", Some(&[7; 32])).unwrap();
    Courier {
        http: Http::new().unwrap(),
        secrets: Arc::new(Fixed { url: url.to_owned() }),
        publisher: None,
        links: Some(Arc::new(links)),
    }
}

pub fn channel(kind: ChannelKind, settings: &[(&str, &str)]) -> Channel {
    let settings = settings.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    Channel { kind, settings: settings.collect() }
}

/// Rules that tell each of these channels everything.
pub fn rules(channels: &[(&str, Channel)]) -> Arc<Rules> {
    let channels: BTreeMap<_, _> =
        channels.iter().map(|(name, channel)| ((*name).to_owned(), channel.clone())).collect();
    let route = Route { to: channels.keys().cloned().collect(), ..Route::default() };
    Arc::new(Rules { channels, routes: vec![route] })
}

/// A question with marks of every markup in its texts.
pub fn asked() -> Notice {
    let title = "Step `restart` waits for approval · <!channel> *worker* \"x\"".to_owned();
    let notice = Notice::new(NoticeEvent::ApprovalRequested, "run-1", NOW, title);
    let notice = notice.detailed("[click](https://evil.example) <script>alert(1)</script> & more");
    let notice = notice.fact("playbook", "worker_failure_recovery").fact("follow-up", "a").fact("follow-up", "b");
    Notice {
        key: "run-1:4:approval_requested".to_owned(),
        severity: Some("CRITICAL".to_owned()),
        run_id: Some(RunId::new("run-1")),
        playbook: Some("worker_failure_recovery".to_owned()),
        asked: Some(Asked {
            step: Some("restart".to_owned()),
            item: None,
            digest: Digest::of(b"parameters"),
            until: NOW.plus_ms(3_600_000),
        }),
        ..notice
    }
}

/// The same thread, at its end.
pub fn settled() -> Notice {
    let notice = Notice::new(NoticeEvent::RunSettled, "run-1", NOW, "A run ended HEALED".to_owned());
    Notice { run_id: Some(RunId::new("run-1")), ..notice }
}
