//! The words of a template: where each name stands, and what is done with it.
//!
//! The template engine decides what is legal. This only finds places and shapes, and says nothing where it is not sure.

use std::ops::Range;

/// One word or sign inside braces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Token<'t> {
    pub(crate) what: What,
    pub(crate) text: &'t str,
    /// Bytes of the template's text.
    pub(crate) range: Range<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum What {
    /// A variable with its attributes, `steps.check.healthy`.
    Path,
    /// What is called as a function.
    Function,
    /// After `|`.
    Filter,
    /// After `is` or `is not`.
    Test,
    /// `and`, `not`, `if`, …
    Keyword,
    /// A text, number, `true`, `none`.
    Literal,
    /// An attribute of something that is no variable, or the name of an argument.
    Other,
    Sign,
}

const KEYWORDS: [&str; 7] = ["and", "or", "not", "in", "is", "if", "else"];
const LITERALS: [&str; 6] = ["true", "false", "none", "True", "False", "None"];
const LONG_SIGNS: [&str; 8] = ["==", "!=", "<=", ">=", "//", "**", "{{", "}}"];

/// All tokens inside the `{{ }}` and `{% %}` of a text, in order.
pub(crate) fn scan(text: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some((start, open)) = next_opening(text, at) {
        let inside = start + 2;
        at = match open {
            "{#" => text.get(inside..).and_then(|rest| rest.find("#}")).map_or(text.len(), |end| inside + end + 2),
            "{%" => block(text, inside, "%}", &mut tokens),
            _ => block(text, inside, "}}", &mut tokens),
        };
    }
    tokens
}

fn next_opening(text: &str, from: usize) -> Option<(usize, &str)> {
    let rest = text.get(from..)?;
    let start = rest
        .match_indices('{')
        .map(|(index, _)| index)
        .find(|index| matches!(rest.as_bytes().get(index + 1), Some(b'{' | b'%' | b'#')))?;
    Some((from + start, rest.get(start..start + 2)?))
}

/// Reads one block, and gives the place behind it.
fn block<'t>(text: &'t str, from: usize, close: &str, tokens: &mut Vec<Token<'t>>) -> usize {
    let first = tokens.len();
    let is_trim = |sign: &u8| matches!(sign, b'-' | b'+');
    let mut at = from + usize::from(text.as_bytes().get(from).is_some_and(is_trim));
    let mut depth = 0_usize;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let trimmed = rest.strip_prefix(['-', '+']).unwrap_or(rest);
        if depth == 0 && trimmed.starts_with(close) {
            at += rest.len() - trimmed.len();
            break;
        }
        let Some(character) = rest.chars().next() else { break };
        let length = match character {
            c if c.is_whitespace() => {
                at += c.len_utf8();
                continue;
            }
            '"' | '\'' => string_length(rest),
            c if c.is_ascii_digit() => run(rest, |c| c.is_ascii_alphanumeric() || c == '_'),
            c if is_name_start(c) => run(rest, is_name_part),
            _ => LONG_SIGNS
                .iter()
                .find(|sign| depth == 0 && rest.starts_with(**sign))
                .map_or(character.len_utf8(), |s| s.len()),
        };
        match character {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        let word = rest.get(..length).unwrap_or(rest);
        push(text, word, at, first, tokens);
        at += word.len();
    }
    (at + close.len()).min(text.len())
}

/// Adds a word to the tokens of its block, which start at `first`.
fn push<'t>(text: &'t str, word: &'t str, at: usize, first: usize, tokens: &mut Vec<Token<'t>>) {
    let range = at..at + word.len();
    let before = tokens.get(first..).unwrap_or_default();
    let last = before.last();
    let last_sign = last.filter(|token| token.what == What::Sign).map(|token| token.text);
    let is_word = word.starts_with(is_name_start);
    if is_word || word.starts_with(|c: char| c.is_ascii_digit()) {
        // `a.b` and `a.0` continue a path.
        let owner = before.len().checked_sub(2).and_then(|index| before.get(index));
        if last_sign == Some(".") {
            let path = owner.filter(|token| token.what == What::Path).map(|token| token.range.start);
            if let Some(start) = path {
                tokens.truncate(tokens.len() - 2);
                let range = start..range.end;
                tokens.push(Token { what: What::Path, text: text.get(range.clone()).unwrap_or(word), range });
                return;
            }
        }
    }
    if word == "(" && last.is_some_and(|token| token.what == What::Path) {
        if let Some(called) = tokens.last_mut() {
            called.what = if called.text.contains('.') { What::Path } else { What::Function };
        }
    } else if word == "="
        && last.is_some_and(|token| token.what == What::Path)
        && let Some(argument) = tokens.last_mut()
    {
        argument.what = What::Other;
    }
    let what = classify(word, is_word, last_sign, tokens.get(first..).unwrap_or_default());
    tokens.push(Token { what, text: word, range });
}

fn classify(word: &str, is_word: bool, last_sign: Option<&str>, before: &[Token<'_>]) -> What {
    let keyword = |back: usize| {
        let token = before.len().checked_sub(back).and_then(|index| before.get(index));
        token.filter(|token| token.what == What::Keyword).map(|token| token.text)
    };
    match word.chars().next() {
        Some('"' | '\'') => What::Literal,
        Some(c) if c.is_ascii_digit() => What::Literal,
        _ if !is_word => What::Sign,
        _ if last_sign == Some("|") => What::Filter,
        _ if last_sign == Some(".") => What::Other,
        _ if keyword(1) == Some("is") && word != "not" => What::Test,
        _ if keyword(1) == Some("not") && keyword(2) == Some("is") => What::Test,
        _ if KEYWORDS.contains(&word) => What::Keyword,
        _ if LITERALS.contains(&word) => What::Literal,
        _ => What::Path,
    }
}

fn string_length(rest: &str) -> usize {
    let mut characters = rest.char_indices();
    let Some((_, quote)) = characters.next() else { return 0 };
    let mut escaped = false;
    for (index, character) in characters {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == quote => return index + c.len_utf8(),
            _ => {}
        }
    }
    rest.len()
}

fn run(rest: &str, belongs: impl Fn(char) -> bool) -> usize {
    rest.find(|c| !belongs(c)).unwrap_or(rest.len())
}

fn is_name_start(c: char) -> bool {
    c == '_' || c.is_alphabetic()
}

fn is_name_part(c: char) -> bool {
    c == '_' || c.is_alphanumeric()
}

#[cfg(test)]
mod tests {
    use super::{What, scan};

    fn of(text: &str, what: What) -> Vec<&str> {
        scan(text).into_iter().filter(|token| token.what == what).map(|token| token.text).collect()
    }

    #[test]
    fn names_are_found_where_they_stand() {
        let text = "a {{ steps.check.healthy and 'b.c' != item.0 }} {# d #}{{ x|default(y, boolean=z) }}";
        assert_eq!(of(text, What::Path), ["steps.check.healthy", "item.0", "x", "y", "z"]);
        assert_eq!(of(text, What::Filter), ["default"]);
        assert!(scan(text).iter().all(|token| text[token.range.clone()] == *token.text));
    }

    #[test]
    fn tests_calls_and_literals_are_no_names() {
        let text = "{{ a is not defined or b is none or range(3)[0] == -1.5 or {'k': true}.k }}";
        assert_eq!(of(text, What::Path), ["a", "b"]);
        assert_eq!(of(text, What::Test), ["defined", "none"]);
        assert_eq!(of(text, What::Function), ["range"]);
    }

    #[test]
    fn braces_inside_braces_do_not_end_the_block() {
        assert_eq!(of("{{ {'a': {'b': c}} }} {{ d }}", What::Path), ["c", "d"]);
        assert_eq!(of("{{ '}}' ~ e }}{{ f", What::Path), ["e", "f"]);
    }

    #[test]
    fn any_text_is_scanned_to_its_end() {
        for text in ["{{", "{{ '", "{% if", "{{ ä.ö }}", "{#", "}}", "{{ ) ( }}", "{{ a.", "{{.a}}"] {
            scan(text);
        }
    }
}
