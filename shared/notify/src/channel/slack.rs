//! Slack: an incoming webhook takes a message of blocks.
//!
//! Limits: <https://docs.slack.dev/reference/block-kit/blocks/>. `&`, `<` and `>` are escaped, so that no text mentions a channel or forges a
//! link: <https://docs.slack.dev/messaging/formatting-message-text#escaping>.

use serde_json::{Value, json};

use super::http::Post;
use super::text::{cut, entities};
use super::{Letter, SendError};

/// Characters of a header block.
const HEADER_CHARACTERS: usize = 150;
/// Characters of the text of a section block.
const SECTION_CHARACTERS: usize = 3_000;
/// Characters of a field of a section block.
const FIELD_CHARACTERS: usize = 2_000;
/// Fields of one section block.
const FIELDS: usize = 10;
/// Characters of a button's URL.
const URL_CHARACTERS: usize = 3_000;

pub(super) async fn post(letter: &Letter<'_>) -> Result<Post, SendError> {
    let url = letter.secret("url").await?.expose().to_owned();
    Ok(Post { url, content_type: "application/json", headers: Vec::new(), body: message(letter).to_string() })
}

fn message(letter: &Letter<'_>) -> Value {
    let notice = letter.notice;
    let mut blocks = vec![json!({
        "type": "header",
        "text": {"type": "plain_text", "text": cut(&notice.title, HEADER_CHARACTERS), "emoji": false},
    })];
    if !notice.detail.is_empty() {
        let text = entities(&notice.detail, SECTION_CHARACTERS);
        blocks.push(json!({"type": "section", "text": {"type": "mrkdwn", "text": text, "verbatim": true}}));
    }
    let severity = notice.severity.iter().map(|severity| ("severity", severity.as_str()));
    let facts = severity.chain(notice.facts.iter().map(|(name, value)| (name.as_str(), value.as_str())));
    let field = |(name, value): (&str, &str)| {
        let text = entities(&format!("{name}: {value}"), FIELD_CHARACTERS);
        json!({"type": "mrkdwn", "text": text, "verbatim": true})
    };
    let fields: Vec<Value> = facts.take(2 * FIELDS).map(field).collect();
    blocks.extend(fields.chunks(FIELDS).map(|fields| json!({"type": "section", "fields": fields})));
    if let Some(link) = letter.link.as_ref().filter(|link| link.chars().count() <= URL_CHARACTERS) {
        let button = json!({"type": "button", "text": {"type": "plain_text", "text": letter.button()}, "url": link});
        blocks.push(json!({"type": "actions", "elements": [button]}));
    }
    json!({"text": entities(&notice.title, SECTION_CHARACTERS), "blocks": blocks})
}
