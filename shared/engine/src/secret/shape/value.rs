//! The value after a name, as `name=value`, `"name": "value"` or `--name value`.

use super::super::{HIDDEN, is_secret_name};
use super::token;

/// Spaces around the sign between a name and its value.
const SPACES: usize = 4;
/// Bytes of a header's value; what follows is examined word by word.
const LINE_BYTES: usize = 4_096;
/// Names whose value is hidden after a colon even if it is a plain word: a person wrote it.
const PASSWORDS: [&str; 5] = ["password", "passwd", "pwd", "passphrase", "passcode"];
/// Beginnings of a reference to a secret, which is none itself.
const REFERENCES: [&str; 7] = ["arn:", "env:", "file:", "ssm:", "vault:", "${", "{{"];

/// From and to in the text, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Value {
    pub from: usize,
    pub to: usize,
}

/// The value after the name that ends at `end`; `None` if no value follows, or what follows is a reference or a word of a sentence.
pub(super) fn after(text: &str, end: usize, name: &str, is_flag: bool) -> Option<Value> {
    let rest = text.get(end..)?;
    let unquoted = rest.trim_start_matches('\\');
    let (rest, is_quoted) = match unquoted.strip_prefix(['"', '\'']) {
        Some(after) => (after, true),
        None => (rest, false),
    };
    let signed = skip_spaces(rest);
    let (sign, behind) = match signed.strip_prefix(":=").or_else(|| signed.strip_prefix("=>")) {
        Some(behind) => ('=', behind),
        None => match (signed.strip_prefix('='), signed.strip_prefix(':')) {
            (Some(behind), _) => ('=', behind),
            (None, Some(behind)) => (':', behind),
            (None, None) if is_flag && signed.len() < rest.len() => (' ', signed),
            (None, None) => return None,
        },
    };
    if !is_secret_name(name) {
        return None;
    }
    let value = skip_spaces(behind);
    let from = text.len() - value.len();
    if value.starts_with(HIDDEN) || REFERENCES.iter().any(|reference| value.starts_with(reference)) {
        return None;
    }
    let quote = value.trim_start_matches('\\');
    if quote.starts_with(['"', '\'']) {
        return quoted(text, from, value.len() - quote.len() + 1);
    }
    let is_header = ends_with(name, "authorization") || ends_with(name, "cookie");
    let to = if is_header { end_of_line(text, from) } else { end_of_word(text, from) };
    let found = text.get(from..to)?;
    // `token:ci` is the name of a caller, `secret:prod/db` a part of an ARN, `the token: expired` a sentence.
    let is_spaced = value.len() < behind.len();
    let is_sentence = !is_spaced || !found.split(' ').any(token::is_no_word);
    let counts = sign != ':' || is_password(name) || is_quoted || !is_sentence;
    (counts && !found.is_empty()).then_some(Value { from, to })
}

/// The inside of a quoted value whose opening quote, with its backslashes, has `opening` bytes.
fn quoted(text: &str, from: usize, opening: usize) -> Option<Value> {
    let quote = text.get(from..from + opening)?;
    let start = from + opening;
    let inside = text.get(start..)?;
    let mut searched = 0;
    let length = loop {
        let Some(found) = inside.get(searched..).and_then(|rest| rest.find(quote)) else { break inside.len() };
        let at = searched + found;
        let is_escaped = opening == 1 && inside.get(..at).is_some_and(ends_with_odd_backslashes);
        if !is_escaped {
            break at;
        }
        searched = at + opening;
    };
    let value = inside.get(..length)?;
    let is_none =
        value.is_empty() || value == HIDDEN || REFERENCES.iter().any(|reference| value.starts_with(reference));
    (!is_none).then_some(Value { from: start, to: start + length })
}

fn ends_with_odd_backslashes(text: &str) -> bool {
    (text.len() - text.trim_end_matches('\\').len()) % 2 == 1
}

/// The end of the value that begins at `from` without quotes.
pub(super) fn end_of_word(text: &str, from: usize) -> usize {
    let rest = text.get(from..).unwrap_or_default();
    let is_end = |c: char| {
        c.is_whitespace() || matches!(c, '"' | '\'' | '`' | ',' | ';' | '&' | '<' | '>' | ')' | '}' | ']' | '|' | '\\')
    };
    from + rest.find(is_end).unwrap_or(rest.len())
}

fn end_of_line(text: &str, from: usize) -> usize {
    let rest = text.get(from..).unwrap_or_default();
    let rest = rest.split_at(rest.floor_char_boundary(LINE_BYTES)).0;
    from + rest.find(['\n', '\r', '"', '\'', '\\']).unwrap_or(rest.len())
}

fn skip_spaces(text: &str) -> &str {
    let spaces = text.bytes().take(SPACES).take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    text.get(spaces..).unwrap_or_default()
}

fn is_password(name: &str) -> bool {
    PASSWORDS.iter().any(|password| ends_with(name, password))
}

fn ends_with(name: &str, ending: &str) -> bool {
    let tail = name.len().checked_sub(ending.len()).and_then(|at| name.get(at..));
    tail.is_some_and(|tail| tail.eq_ignore_ascii_case(ending))
}
