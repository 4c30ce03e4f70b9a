//! Microsoft Teams: a workflow's webhook takes a message with an Adaptive Card.
//!
//! Format: <https://learn.microsoft.com/connectors/teams/#microsoft-teams-webhook>; a message has about 28 KB at most.

use serde_json::{Value, json};

use super::http::Post;
use super::text::cut;
use super::{Letter, SendError};

/// Characters of the title.
const TITLE_CHARACTERS: usize = 256;
/// Characters of the detail: with all facts, and every character escaped, the card stays under the limit of 28 KB.
const DETAIL_CHARACTERS: usize = 3_000;
/// Characters of one fact's value.
const FACT_CHARACTERS: usize = 300;

pub(super) async fn post(letter: &Letter<'_>) -> Result<Post, SendError> {
    let url = letter.secret("url").await?.expose().to_owned();
    Ok(Post { url, content_type: "application/json", headers: Vec::new(), body: message(letter).to_string() })
}

fn message(letter: &Letter<'_>) -> Value {
    let notice = letter.notice;
    let mut body = vec![json!({
        "type": "TextBlock",
        "text": escape(&cut(&notice.title, TITLE_CHARACTERS)),
        "wrap": true,
        "weight": "Bolder",
        "size": "Medium",
    })];
    if !notice.detail.is_empty() {
        let text = escape(&cut(&notice.detail, DETAIL_CHARACTERS));
        body.push(json!({"type": "TextBlock", "text": text, "wrap": true}));
    }
    let severity = notice.severity.iter().map(|severity| ("severity", severity.as_str()));
    let facts = severity.chain(notice.facts.iter().map(|(name, value)| (name.as_str(), value.as_str())));
    let fact = |(name, value): (&str, &str)| json!({"title": name, "value": escape(&cut(value, FACT_CHARACTERS))});
    body.push(json!({"type": "FactSet", "facts": facts.map(fact).collect::<Vec<_>>()}));
    let action = |link| json!({"type": "Action.OpenUrl", "title": letter.button(), "url": link});
    let card = json!({
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": body,
        "actions": letter.link.iter().map(action).collect::<Vec<_>>(),
    });
    json!({
        "type": "message",
        "attachments": [{"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": null, "content": card}],
    })
}

/// Cards read Markdown, and a mention is `<at>`: every mark of either is escaped.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '(' | ')' | '#' | '!' | '~' => escaped.extend(['\\', character]),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_text_makes_neither_a_link_nor_a_mention() {
        assert_eq!(super::escape("[x](http://y) <at>all</at>"), "\\[x\\]\\(http://y\\) &lt;at&gt;all&lt;/at&gt;");
    }
}
