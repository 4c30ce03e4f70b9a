//! Text from outside, made safe to print.
//!
//! A name in an incident may hold a terminal's control sequences, line breaks that forge a second log line, or marks
//! that turn the reading direction, so that a line shows something else than it says. None of them reaches a terminal or a log as itself.

use std::borrow::Cow;

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

/// The JSON text of a value with every risky character inside its strings written as `\uXXXX`: the same value to every reader.
pub fn printable_json(value: &serde_json::Value) -> String {
    let json = value.to_string();
    if !json.contains(is_risky) {
        return json;
    }
    // JSON's own syntax is ASCII without control characters, so what is risky is inside a string; and all of it has four hexadecimal digits.
    let mut safe = String::with_capacity(json.len() + 16);
    for character in json.chars() {
        if is_risky(character) {
            safe.push_str(&format!("\\u{:04x}", u32::from(character)));
        } else {
            safe.push(character);
        }
    }
    safe
}

/// Control characters (C0, DEL, C1), marks of reading direction, and the two Unicode line breaks.
pub fn is_risky(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_written_out() {
        let cases = [
            ("ticket-1", "ticket-1"),
            ("Müller 🦀", "Müller 🦀"),
            ("a\u{1b}[2Jb", "a\\u{1b}[2Jb"),
            ("a\r\nINFO forged", "a\\r\\nINFO forged"),
            ("\u{202e}gpj.exe", "\\u{202e}gpj.exe"),
            ("a\u{9b}2J\u{7f}\u{2028}\u{2066}", "a\\u{9b}2J\\u{7f}\\u{2028}\\u{2066}"),
        ];
        for (text, expected) in cases {
            assert_eq!(printable(text), expected);
        }
        assert!(matches!(printable("plain"), Cow::Borrowed(_)));
    }

    #[test]
    fn escaped_json_is_the_same_value() {
        let value = serde_json::json!({"a\u{202e}": ["\u{1b}[2J", "\u{9b}\u{7f}", "é"]});
        let text = printable_json(&value);
        assert!(!text.contains(is_risky), "{text}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), value);
    }
}
