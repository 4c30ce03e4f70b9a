//! Secrets by their shape in free text. One pass, in time proportional to the text.

mod token;
mod value;

use std::borrow::Cow;

use super::HIDDEN;
use value::Value;

pub use token::PREFIXES;

const DASHES: &str = "-----";
/// The beginning of a key's last line.
const END: &str = "-----END";
/// Bytes of a key's first line, at most.
const HEAD_BYTES: usize = 64;
/// Bytes in which the `@` of a URL's credentials is searched.
const USERINFO_BYTES: usize = 512;
/// Characters of a URL's user without a password from which on it is a token.
const TOKEN_USER_CHARACTERS: usize = 16;
/// What stands before a credential in a header, and is no secret itself.
const SCHEMES: [&str; 3] = ["bearer", "basic", "apikey"];

/// `text` with every secret in it replaced by `[hidden]`: `password=…` and the like, credentials in URLs and headers, private keys, JSON Web
/// Tokens, keys of AWS, and the tokens that [`PREFIXES`] names. What surrounds them stays, so that a person still understands the text.
pub fn hide_text(text: &str) -> Cow<'_, str> {
    let mut scan = Scan { text, at: 0, copied: 0, safe: String::new() };
    while scan.step() {}
    scan.finish()
}

struct Scan<'t> {
    text: &'t str,
    /// Up to here the text is examined.
    at: usize,
    /// Up to here the text is in `safe`, if anything is hidden.
    copied: usize,
    safe: String,
}

impl<'t> Scan<'t> {
    fn part(&self, from: usize, to: usize) -> &'t str {
        self.text.get(from..to).unwrap_or_default()
    }

    fn rest(&self, from: usize) -> &'t str {
        self.text.get(from..).unwrap_or_default()
    }

    /// Examines the next word. False at the end of the text.
    fn step(&mut self) -> bool {
        let Some(skipped) = self.rest(self.at).find(is_word) else { return false };
        let start = self.at + skipped;
        let rest = self.rest(start);
        let end = start + rest.find(|c| !is_word(c)).unwrap_or(rest.len());
        self.at = end;
        let (word, after) = (self.part(start, end), self.rest(end));
        if word.starts_with("-----BEGIN") {
            self.private_key(start);
        } else if after.starts_with("://") {
            self.address(end + 3);
        } else if let Some(value) = self.named(word, end) {
            self.hide(value.from, value.to);
        } else if let Some((from, to)) = self.credential(word, end) {
            self.hide(from, to);
        } else {
            for (from, to) in token::find(word) {
                self.hide(start + from, start + to);
            }
        }
        true
    }

    /// Everything from the first line of a private key to its last one. A certificate is public and stays.
    fn private_key(&mut self, start: usize) {
        let rest = self.rest(start);
        if !rest.split_at(rest.floor_char_boundary(HEAD_BYTES)).0.contains("PRIVATE KEY") {
            return;
        }
        // A key that was cut has no last line: nothing behind its beginning stays.
        let to = rest.find(END).map_or(self.text.len(), |end| {
            let last = start + end + END.len();
            let rest = self.rest(last);
            last + rest.find(DASHES).map_or(rest.len(), |dashes| dashes + DASHES.len())
        });
        self.hide(start, to);
    }

    /// `user:password@` at the beginning of a URL's authority, and a token in place of a user.
    fn address(&mut self, from: usize) {
        let rest = self.rest(from);
        let rest = rest.split_at(rest.floor_char_boundary(USERINFO_BYTES)).0;
        let end = rest
            .find(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '`' | '<' | '>' | '/' | '?' | '#' | '\\'));
        let authority = rest.get(..end.unwrap_or(rest.len())).unwrap_or_default();
        self.at = from;
        let Some(at) = authority.rfind('@') else { return };
        let user = authority.get(..at).unwrap_or_default();
        let has_password = user.split_once(':').is_some_and(|(_, password)| !password.is_empty());
        if has_password || user.chars().count() >= TOKEN_USER_CHARACTERS {
            self.hide(from, from + at);
        }
    }

    /// The value that stands after the name of a secret.
    fn named(&self, word: &str, end: usize) -> Option<Value> {
        let name = word.rsplit('/').next().unwrap_or(word);
        let is_flag = word.starts_with("--");
        value::after(self.text, end, name, is_flag)
    }

    /// What stands after `Bearer` or `Basic`.
    fn credential(&self, word: &str, end: usize) -> Option<(usize, usize)> {
        if !SCHEMES.iter().any(|scheme| word.eq_ignore_ascii_case(scheme)) {
            return None;
        }
        let after = self.rest(end);
        let from = end + (after.len() - after.trim_start_matches([' ', '\t']).len());
        let to = value::end_of_word(self.text, from);
        (from > end && token::is_no_word(self.part(from, to))).then_some((from, to))
    }

    fn hide(&mut self, from: usize, to: usize) {
        if from < to && from >= self.copied {
            self.safe.push_str(self.part(self.copied, from));
            self.safe.push_str(HIDDEN);
            self.copied = to;
            self.at = self.at.max(to);
        }
    }

    fn finish(mut self) -> Cow<'t, str> {
        if self.copied == 0 {
            return Cow::Borrowed(self.text);
        }
        self.safe.push_str(self.rest(self.copied));
        Cow::Owned(self.safe)
    }
}

/// Characters of names, tokens and paths.
fn is_word(character: char) -> bool {
    character.is_alphanumeric() || matches!(character, '_' | '-' | '.' | '/' | '+' | '~' | '%')
}

#[cfg(test)]
mod tests;
