//! Opsgenie: the Alert API creates, acknowledges and closes an alert by its alias.
//!
//! Format and limits: <https://docs.opsgenie.com/docs/alert-api>.

use heal_engine::notice::{Alert, Notice};
use heal_engine::severity::Severity;
use serde_json::{Map, Value, json};
use url::Url;

use super::http::Post;
use super::text::{cut, plain};
use super::{Letter, SendError};

const ENDPOINT: &str = "https://api.opsgenie.com";
/// Characters of a message.
const MESSAGE_CHARACTERS: usize = 130;
/// Characters of an alias.
const ALIAS_CHARACTERS: usize = 512;
/// Characters of a description.
const DESCRIPTION_CHARACTERS: usize = 15_000;
/// Characters of all details together are 8,000; this for each of the most facts.
const DETAIL_CHARACTERS: usize = 400;

pub(super) async fn post(letter: &Letter<'_>) -> Result<Post, SendError> {
    let key = letter.secret("api_key").await?;
    let headers = vec![("authorization", format!("GenieKey {}", key.expose()))];
    let notice = letter.notice;
    let alias = cut(&format!("heal/{}", notice.thread), ALIAS_CHARACTERS);
    let (path, body): (&[&str], Value) = match notice.event.alert() {
        Alert::Trigger => (&["v2", "alerts"], alert(letter, &alias)),
        Alert::Acknowledge => (&["v2", "alerts", &alias, "acknowledge"], note(notice)),
        Alert::Resolve => (&["v2", "alerts", &alias, "close"], note(notice)),
    };
    let base = letter.setting_or("url", ENDPOINT);
    let wrong = || SendError::Setting { key: "url", observed: format!("{base:?}, not a URL") };
    let mut url = Url::parse(base).map_err(|_| wrong())?;
    url.path_segments_mut().map_err(|()| wrong())?.pop_if_empty().extend(path);
    if notice.event.alert() != Alert::Trigger {
        url.set_query(Some("identifierType=alias"));
    }
    Ok(Post { url: url.into(), content_type: "application/json", headers, body: body.to_string() })
}

fn alert(letter: &Letter<'_>, alias: &str) -> Value {
    let notice = letter.notice;
    let details: Map<String, Value> =
        notice.facts.iter().map(|(name, value)| (name.clone(), json!(cut(value, DETAIL_CHARACTERS)))).collect();
    json!({
        "message": cut(&notice.title, MESSAGE_CHARACTERS),
        "alias": alias,
        "description": cut(&plain(notice, letter.link.as_deref()), DESCRIPTION_CHARACTERS),
        "details": details,
        "tags": [notice.event.as_str()],
        "source": "heal",
        "priority": priority(notice),
    })
}

fn note(notice: &Notice) -> Value {
    json!({"source": "heal", "note": notice.title})
}

fn priority(notice: &Notice) -> &'static str {
    match notice.severity.as_deref().and_then(Severity::parse) {
        Some(Severity::Critical) => "P1",
        Some(Severity::High) | None => "P2",
        Some(Severity::Medium) => "P3",
        Some(Severity::Low) => "P4",
        Some(Severity::Info) => "P5",
    }
}
