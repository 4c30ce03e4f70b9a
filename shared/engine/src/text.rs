//! Untrusted text, made safe to print.
//!
//! A name in an incident may contain terminal control sequences, line breaks that forge a second log line, or marks that change the
//! reading direction. None of these characters reaches a terminal or a log unescaped.

use std::borrow::Cow;
use std::error::Error;

/// `text` with every [risky](is_risky) character written as `\n`, `\r`, `\t` or `\u{202e}`.
pub fn printable(text: &str) -> Cow<'_, str> {
    if !text.contains(is_risky) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        if is_risky(character) {
            safe.extend(character.escape_default());
        } else {
            safe.push(character);
        }
    }
    Cow::Owned(safe)
}

/// The JSON text of a value with every risky character inside its strings written as `\uXXXX`: every reader decodes the same value.
pub fn printable_json(value: &serde_json::Value) -> String {
    let json = value.to_string();
    if !json.contains(is_risky) {
        return json;
    }
    // JSON syntax is ASCII without control characters, so a risky character is always inside a string. JSON has no more than four hexadecimal
    // digits, so a further character is a pair of surrogates.
    let mut safe = String::with_capacity(json.len() + 16);
    for character in json.chars() {
        if is_risky(character) {
            character.encode_utf16(&mut [0; 2]).iter().for_each(|unit| safe.push_str(&format!("\\u{unit:04x}")));
        } else {
            safe.push(character);
        }
    }
    safe
}

/// Characters of a [`one_line`] text: enough for the sentence that a service answers with.
pub const LINE_CHARACTERS: usize = 512;

/// `text`, trimmed, on one line and cut to [`LINE_CHARACTERS`]; every risky character becomes a space. For messages of other services,
/// which must not forge lines of our log.
pub fn one_line(text: &str) -> String {
    let mut rest = text.trim().chars();
    let mut line: String = rest.by_ref().take(LINE_CHARACTERS).map(|c| if is_risky(c) { ' ' } else { c }).collect();
    if rest.next().is_some() {
        line.push('…');
    }
    line
}

/// An error with all its causes on [`one_line`]; a cause that its error repeats at the end is left out.
pub fn chain(error: &(dyn Error + 'static)) -> String {
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

/// Control characters (C0, DEL, C1), direction marks (Unicode TR 9), the two Unicode line breaks, and what leaves no trace on a screen: the
/// property `Default_Ignorable_Code_Point` of Unicode 16, the annotation marks, and the blank of Braille. Two ids that look alike are not the same.
pub fn is_risky(character: char) -> bool {
    // Most characters are ASCII.
    character.is_control()
        || (character >= '\u{ad}'
            && matches!(
                character,
                '\u{ad}'
                    | '\u{034f}'
                    | '\u{061c}'
                    | '\u{115f}'..='\u{1160}'
                    | '\u{17b4}'..='\u{17b5}'
                    | '\u{180b}'..='\u{180f}'
                    | '\u{200b}'..='\u{200f}'
                    | '\u{2028}'..='\u{202e}'
                    | '\u{2060}'..='\u{206f}'
                    | '\u{2800}'
                    | '\u{3164}'
                    | '\u{fe00}'..='\u{fe0f}'
                    | '\u{feff}'
                    | '\u{ffa0}'
                    | '\u{fff0}'..='\u{fffb}'
                    | '\u{1bca0}'..='\u{1bca3}'
                    | '\u{1d173}'..='\u{1d17a}'
                    | '\u{e0000}'..='\u{e0fff}'
            ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_has_no_breaks_and_a_bounded_length() {
        let line = one_line(&format!(" a\r\nb\u{202e}c{}", "x".repeat(1000)));
        assert!(line.starts_with("a  b c"), "{line}");
        assert_eq!(line.chars().count(), LINE_CHARACTERS + 1);
        assert_eq!(one_line(" short "), "short");
    }

    #[test]
    fn what_a_terminal_would_obey_is_escaped() {
        let cases = [
            ("ticket-1", "ticket-1"),
            ("Müller 🦀", "Müller 🦀"),
            ("a\u{1b}[2Jb", "a\\u{1b}[2Jb"),
            ("a\r\nINFO forged", "a\\r\\nINFO forged"),
            ("\u{202e}gpj.exe", "\\u{202e}gpj.exe"),
            ("T-\u{200b}7\u{ad}\u{2060}", "T-\\u{200b}7\\u{ad}\\u{2060}"),
            ("a\u{e0041}\u{fe0f}\u{3164}\u{200d}", "a\\u{e0041}\\u{fe0f}\\u{3164}\\u{200d}"),
            ("a\u{9b}2J\u{7f}\u{2028}\u{2066}", "a\\u{9b}2J\\u{7f}\\u{2028}\\u{2066}"),
        ];
        for (text, expected) in cases {
            assert_eq!(printable(text), expected);
        }
        assert!(matches!(printable("plain"), Cow::Borrowed(_)));
    }

    #[test]
    fn escaped_json_is_the_same_value() {
        let value = serde_json::json!({"a\u{202e}": ["\u{1b}[2J", "\u{9b}\u{7f}", "é\u{200b}\u{e0041}"]});
        let text = printable_json(&value);
        assert!(!text.contains(is_risky), "{text}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), value);
    }

    #[derive(Debug, thiserror::Error)]
    #[error("{text}")]
    struct Fault {
        text: &'static str,
        #[source]
        cause: Option<Box<Fault>>,
    }

    #[test]
    fn an_error_is_one_line_with_its_causes_and_repeats_none() {
        let fault = |text, cause: Option<Fault>| Fault { text, cause: cause.map(Box::new) };
        let refused = || fault("refused\nby the peer", None);
        assert_eq!(chain(&refused()), "refused by the peer");
        let error = fault("failed to send", Some(fault("failed to connect", Some(refused()))));
        assert_eq!(chain(&error), "failed to send: failed to connect: refused by the peer");
        let repeats = fault("failed to send: timed out", Some(fault("timed out", None)));
        assert_eq!(chain(&repeats), "failed to send: timed out");
    }
}
