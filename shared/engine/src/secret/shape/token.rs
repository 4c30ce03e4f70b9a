//! Tokens that are recognised without a name before them.

/// Beginnings of tokens whose makers mark them, and how many characters follow at least.
pub const PREFIXES: [(&str, usize); 26] = [
    ("ghp_", 20),
    ("gho_", 20),
    ("ghu_", 20),
    ("ghs_", 20),
    ("ghr_", 20),
    ("github_pat_", 20),
    ("glpat-", 12),
    ("xoxa-", 10),
    ("xoxb-", 10),
    ("xoxp-", 10),
    ("xoxr-", 10),
    ("xoxs-", 10),
    ("xapp-", 10),
    ("sk_live_", 10),
    ("sk_test_", 10),
    ("rk_live_", 10),
    ("sk-", 20),
    ("npm_", 20),
    ("pypi-", 20),
    ("hvs.", 20),
    ("dop_v1_", 20),
    ("shpat_", 20),
    ("ya29.", 20),
    ("AIza", 30),
    ("AGE-SECRET-KEY-", 20),
    // Tokens of this engine's own API: 32 bytes.
    ("heal_", 43),
];

/// Addresses whose path is the secret.
const HOOKS: [&str; 3] = ["hooks.slack.com/services/", "discord.com/api/webhooks/", "webhook.office.com/"];
/// Beginnings of an AWS access key's id, which has [`ID_CHARACTERS`].
const AWS_IDS: [&str; 4] = ["AKIA", "ASIA", "ABIA", "ACCA"];
const ID_CHARACTERS: usize = 20;
/// Characters of an AWS secret access key.
const AWS_SECRET_CHARACTERS: usize = 40;
/// Characters of the first two parts of a JSON Web Token, at least: `{"alg":"none"}` has 19.
const JWT_PART_CHARACTERS: usize = 8;
/// Characters of a credential in a header, at least.
const CREDENTIAL_CHARACTERS: usize = 6;
/// Characters from which on no word of a sentence is expected.
const LONG_CHARACTERS: usize = 20;

/// The secrets in a run of characters without spaces: from and to, in bytes and in order.
pub(super) fn find(word: &str) -> Vec<(usize, usize)> {
    // Each of them has a slash, and most words have none.
    for hook in HOOKS.into_iter().filter(|_| word.contains('/')) {
        if let Some(at) = word.find(hook) {
            return vec![(at + hook.len(), word.len())];
        }
    }
    let whole = word.trim_end_matches('.');
    if is_aws_secret(whole) {
        return vec![(0, whole.len())];
    }
    let mut found = Vec::new();
    let mut from = 0;
    for piece in word.split('/') {
        let token = piece.trim_end_matches('.');
        if is_marked(token) || is_aws_id(token) || is_jwt(token) || is_aws_secret(token) {
            found.push((from, from + token.len()));
        }
        from += piece.len() + 1;
    }
    found
}

/// Whether `text` cannot be a word of a sentence: it has a digit, a sign or capitals inside, or it is very long.
pub(super) fn is_no_word(text: &str) -> bool {
    let text = text.trim_end_matches('.');
    let characters = text.chars().count();
    let inside = || text.chars().skip(1);
    characters >= LONG_CHARACTERS
        || (characters >= CREDENTIAL_CHARACTERS
            && (text.chars().any(|c| c.is_ascii_digit() || matches!(c, '+' | '=' | '_' | '.' | '%' | '~'))
                || (inside().any(char::is_uppercase) && inside().any(char::is_lowercase))))
}

fn is_marked(token: &str) -> bool {
    let is_rest = |rest: &str| rest.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'));
    PREFIXES
        .iter()
        .any(|(prefix, length)| token.strip_prefix(prefix).is_some_and(|rest| rest.len() >= *length && is_rest(rest)))
}

fn is_aws_id(token: &str) -> bool {
    token.len() == ID_CHARACTERS
        && AWS_IDS.iter().any(|prefix| token.starts_with(prefix))
        && token.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
}

/// 40 characters of base64, with all three kinds of them: a hash in hexadecimal has no capitals, or nothing else.
fn is_aws_secret(token: &str) -> bool {
    let any = |kind: fn(&u8) -> bool| token.bytes().any(|b| kind(&b));
    token.len() == AWS_SECRET_CHARACTERS
        && !token.starts_with('/')
        && token.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'/' | b'+'))
        && any(u8::is_ascii_uppercase)
        && any(u8::is_ascii_lowercase)
        && any(u8::is_ascii_digit)
}

/// Three parts, or the five of an encrypted one; the first is `{"` in base64.
fn is_jwt(token: &str) -> bool {
    if !token.starts_with("eyJ") {
        return false;
    }
    let is_part = |part: &str| part.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'));
    let mut parts = token.split('.');
    let first = [parts.next(), parts.next()];
    first.into_iter().all(|part| part.is_some_and(|part| part.len() >= JWT_PART_CHARACTERS && is_part(part)))
        && parts.all(is_part)
}
