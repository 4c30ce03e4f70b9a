//! Names of fields whose values are secrets. `docs/secrets.md` has the same lists.

/// Endings of such names, whatever separates their words: `apiToken`, `api_token`, `X-Api-Token`. Each is clear as a part of any word.
pub const ENDINGS: [&str; 43] = [
    "accesskey",
    "accesskeyid",
    "accountkey",
    "amzsignature",
    "apikey",
    "apikeys",
    "authkey",
    "authheader",
    "authorization",
    "clientkey",
    "connectionstring",
    "connectionstrings",
    "connstr",
    "cookie",
    "cookies",
    "credential",
    "credentials",
    "deploykey",
    "encryptionkey",
    "hmackey",
    "jwt",
    "licensekey",
    "masterkey",
    "mnemonic",
    "passcode",
    "passphrase",
    "passwd",
    "password",
    "passwords",
    "privatekey",
    "pwd",
    "recoverycode",
    "saskey",
    "secret",
    "secretkey",
    "secrets",
    "securitycode",
    "sessionkey",
    "sharedkey",
    "signingkey",
    "sshkey",
    "token",
    "tokens",
];

/// Last words of such names. As parts of longer words they mean something else: `bypass`, `spin`, `design`.
pub const WORDS: [&str; 14] =
    ["auth", "bearer", "creds", "cvv", "dsn", "hmac", "otp", "pass", "pem", "pin", "psk", "sas", "sig", "totp"];

/// Whether the value of a field of this name is a secret.
pub fn is_secret_name(name: &str) -> bool {
    let last = last_word(name);
    ENDINGS.iter().any(|ending| ends_in(name, ending)) || WORDS.iter().any(|word| last.eq_ignore_ascii_case(word))
}

/// Whether the letters and digits of `name` end in `ending`, in any case.
fn ends_in(name: &str, ending: &str) -> bool {
    if name.is_ascii() {
        let letters = name.bytes().rev().filter(u8::is_ascii_alphanumeric);
        return ends_with(letters.map(|letter| letter.to_ascii_lowercase()), ending.bytes().rev());
    }
    let letters = name.chars().rev().filter(|c| c.is_alphanumeric());
    ends_with(letters.flat_map(char::to_lowercase), ending.chars().rev())
}

/// Both from the end, where most names differ at once: every field that comes in is asked about.
fn ends_with<T: PartialEq>(mut letters: impl Iterator<Item = T>, mut ending: impl Iterator<Item = T>) -> bool {
    ending.all(|expected| letters.next() == Some(expected))
}

/// The word at the end of `snake_case`, `kebab-case` and `camelCase`.
fn last_word(name: &str) -> &str {
    let name = name.trim_end_matches(|c: char| !c.is_alphanumeric());
    let mut start = name.len();
    for (at, character) in name.char_indices().rev() {
        if !character.is_alphanumeric() {
            break;
        }
        let after = name.get(start..).and_then(|rest| rest.chars().next());
        // `dbPin`: a capital starts a word; in `DB_PIN` and `OTP` it does not.
        let starts_here = after.is_some_and(char::is_uppercase) && character.is_lowercase();
        if starts_here {
            break;
        }
        start = at;
    }
    name.get(start..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_secret_by_the_end_of_its_name() {
        for name in [
            "password",
            "db_password",
            "apiToken",
            "X-Api-Key",
            "AWS_SECRET_ACCESS_KEY",
            "AWS_ACCESS_KEY_ID",
            "Authorization",
            "client-secret",
            "Set-Cookie",
            "dbPin",
            "PIN",
            "user_pass",
            "basicAuth",
            "SENTRY_DSN",
            "id-jwt",
            "pwd",
            "пароль_TOKEN",
        ] {
            assert!(is_secret_name(name), "{name}");
        }
        for name in [
            "ticket_id",
            "token_count",
            "secret_name",
            "passwords_checked",
            "key",
            "author",
            "workflow_id",
            "bypass",
            "spin",
            "design",
            "compass",
            "stamp",
            "",
        ] {
            assert!(!is_secret_name(name), "{name}");
        }
    }

    #[test]
    fn the_documentation_has_every_name() {
        let page = include_str!("../../../../docs/secrets.md");
        for name in ENDINGS.iter().chain(&WORDS) {
            assert!(page.contains(&format!("`{name}`")), "docs/secrets.md lacks `{name}`");
        }
    }
}
