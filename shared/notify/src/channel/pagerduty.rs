//! `PagerDuty`: Events API v2 opens, acknowledges and resolves an alert by its deduplication key.
//!
//! Format and limits: <https://developer.pagerduty.com/docs/events-api-v2-overview>.

use heal_engine::notice::{Alert, Notice};
use heal_engine::severity::Severity;
use heal_telemetry::logs::rfc3339;
use serde_json::{Map, Value, json};

use super::http::Post;
use super::text::cut;
use super::{Letter, SendError};

const ENDPOINT: &str = "https://events.pagerduty.com/v2/enqueue";
/// Characters of a summary.
const SUMMARY_CHARACTERS: usize = 1_024;
/// Characters of a deduplication key.
const KEY_CHARACTERS: usize = 255;

pub(super) async fn post(letter: &Letter<'_>) -> Result<Post, SendError> {
    let key = letter.secret("routing_key").await?;
    let url = letter.setting_or("url", ENDPOINT).to_owned();
    let body = event(letter, key.expose()).to_string();
    Ok(Post { url, content_type: "application/json", headers: Vec::new(), body })
}

fn event(letter: &Letter<'_>, routing_key: &str) -> Value {
    let notice = letter.notice;
    let action = match notice.event.alert() {
        Alert::Trigger => "trigger",
        Alert::Acknowledge => "acknowledge",
        Alert::Resolve => "resolve",
    };
    let always = [
        ("routing_key", json!(routing_key)),
        ("event_action", json!(action)),
        ("dedup_key", json!(cut(&format!("heal/{}", notice.thread), KEY_CHARACTERS))),
    ];
    let is_trigger = notice.event.alert() == Alert::Trigger;
    let triggered = is_trigger.then(|| [("client", json!("heal")), ("payload", payload(notice))]);
    let linked = letter.link.as_ref().filter(|_| is_trigger).map(|link| {
        let links = json!([{"href": link, "text": letter.button()}]);
        [("client_url", json!(link)), ("links", links)]
    });
    let fields = always.into_iter().chain(triggered.into_iter().flatten()).chain(linked.into_iter().flatten());
    Value::Object(fields.map(|(key, value)| (key.to_owned(), value)).collect())
}

fn payload(notice: &Notice) -> Value {
    json!({
        "summary": cut(&notice.title, SUMMARY_CHARACTERS),
        "source": notice.playbook.as_deref().unwrap_or("heal"),
        "severity": severity(notice),
        "timestamp": rfc3339(notice.at.0),
        "class": notice.event.as_str(),
        "custom_details": details(notice),
    })
}

/// An unknown severity pages as an error does.
fn severity(notice: &Notice) -> &'static str {
    match notice.severity.as_deref().and_then(Severity::parse) {
        Some(Severity::Critical) => "critical",
        Some(Severity::High) | None => "error",
        Some(Severity::Medium | Severity::Low) => "warning",
        Some(Severity::Info) => "info",
    }
}

fn details(notice: &Notice) -> Map<String, Value> {
    let mut details = Map::new();
    if !notice.detail.is_empty() {
        details.insert("detail".to_owned(), json!(notice.detail));
    }
    for (name, value) in &notice.facts {
        // Several facts may have one name, such as the follow-ups.
        let text = match details.get(name).and_then(Value::as_str) {
            Some(known) => format!("{known}\n{value}"),
            None => value.clone(),
        };
        details.insert(name.clone(), json!(text));
    }
    details
}
