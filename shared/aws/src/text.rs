//! Foreign texts, made fit for a log.

use std::error::Error;

use crate::limit::MAX_MESSAGE_CHARS;

/// `text` on one line and cut to [`MAX_MESSAGE_CHARS`], so that a service cannot write our logs for us.
pub(crate) fn one_line(text: &str) -> String {
    let text = text.trim();
    let mut line: String =
        text.chars().take(MAX_MESSAGE_CHARS).map(|char| if is_unfit(char) { ' ' } else { char }).collect();
    if text.chars().nth(MAX_MESSAGE_CHARS).is_some() {
        line.push('…');
    }
    line
}

/// An error with all its causes.
pub(crate) fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        if !text.ends_with(&next) {
            text.push_str(": ");
            text.push_str(&next);
        }
        cause = error.source();
    }
    one_line(&text)
}

/// Control characters, and marks that turn the direction of text (Unicode TR 9).
fn is_unfit(char: char) -> bool {
    char.is_control()
        || matches!(char, '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_one_line_and_bounded() {
        let line = one_line(&format!(" a\r\nb\u{202e}c{}", "x".repeat(1000)));
        assert!(line.starts_with("a  b c"), "{line}");
        assert_eq!(line.chars().count(), MAX_MESSAGE_CHARS + 1);
        assert_eq!(one_line(" short "), "short");
    }
}
