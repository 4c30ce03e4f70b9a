//! SNS: a topic takes a subject and a text.

use heal_engine::text::one_line;

use super::text::{cut, plain};
use super::{Letter, Publication, Publisher, SendError};

/// Characters of a subject, which has to be ASCII: <https://docs.aws.amazon.com/sns/latest/api/API_Publish.html>.
const SUBJECT_CHARACTERS: usize = 100;
/// Characters of a text: with four bytes each, under the limit of 256 KiB.
const TEXT_CHARACTERS: usize = 60_000;

pub(super) async fn publish(publisher: Option<&dyn Publisher>, letter: &Letter<'_>) -> Result<(), SendError> {
    let without = || SendError::Refused { detail: "this home has no AWS, so it cannot publish to a topic".to_owned() };
    let notice = letter.notice;
    let message = cut(&plain(notice, letter.link.as_deref()), TEXT_CHARACTERS);
    let subject = subject(&notice.title);
    let publication = Publication {
        topic: letter.setting("topic")?,
        subject: &subject,
        message: &message,
        event: notice.event.as_str(),
        severity: notice.severity.as_deref().unwrap_or_default(),
        thread: &notice.thread,
        key: &notice.key,
    };
    publisher.ok_or_else(without)?.publish(publication).await
}

fn subject(title: &str) -> String {
    let line = one_line(title);
    let ascii = line.chars().map(|c| if c == '·' { '-' } else { c }).map(|c| if c.is_ascii() { c } else { '?' });
    ascii.take(SUBJECT_CHARACTERS).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_subject_is_one_line_of_ascii() {
        assert_eq!(super::subject("A run ended · pläy\nbook"), "A run ended - pl?y book");
        assert_eq!(super::subject(&"x".repeat(300)).len(), super::SUBJECT_CHARACTERS);
    }
}
