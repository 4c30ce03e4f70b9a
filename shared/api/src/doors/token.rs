//! API tokens: a file with the hash of each, which `heal token` writes and the server reads again when it changes.
//!
//! A token is 32 random bytes, so its SHA-256 hash says nothing about it, and needs no salt.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use aws_lc_rs::constant_time::verify_slices_are_equal;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use heal_engine::Timestamp;
use heal_runtime::port::{BackendError, Entropy};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::DoorsError;
use crate::caller::Role;

/// How every token starts, so that people and scanners for secrets recognise one.
pub const PREFIX: &str = "heal_";
/// Largest file of tokens, in bytes.
pub const FILE_BYTES: u64 = 1024 * 1024;
/// Tokens of one file.
pub const TOKENS: usize = 1_000;
/// Longest name of a token, in bytes.
pub const NAME_BYTES: usize = 64;
/// Longest token that is hashed, in bytes.
pub const TOKEN_BYTES: usize = 128;
/// How long the server trusts what it has read, in milliseconds: a revoked token is refused this much later.
pub const FRESH_MS: u64 = 2_000;

/// The bits of a file's mode that let other users in.
#[cfg(unix)]
const OTHERS: u32 = 0o077;
/// Random numbers in a token, of 8 bytes each.
const NUMBERS: usize = 4;

/// One token, without its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Whoever uses the token is recorded as `token:NAME`.
    pub name: String,
    /// SHA-256 of the token, in hexadecimal digits.
    pub sha256: String,
    /// What the token allows.
    pub role: Role,
    /// The token is for paths that start with this only; absent: for all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// When it was made, in milliseconds since the epoch.
    pub created: Timestamp,
    /// When it ends, in milliseconds since the epoch.
    pub expires: Timestamp,
}

/// The content of a file of tokens.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tokens {
    /// In the order in which they were made.
    pub tokens: Vec<Entry>,
}

/// Where a server's tokens are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenSource {
    /// In a file, which is read again when it changes.
    File(PathBuf),
    /// In the configuration itself, as a function is deployed with it.
    Inline(Tokens),
}

/// The tokens of a server.
#[derive(Debug)]
pub(super) struct TokenFile {
    /// `None`: they never change.
    path: Option<PathBuf>,
    read: Mutex<Read>,
}

#[derive(Debug)]
struct Read {
    at: Option<Timestamp>,
    tokens: Result<Arc<Tokens>, String>,
}

/// A new token: the text for its user, once, and the entry for the file.
///
/// # Errors
/// There are no random numbers.
pub fn create(
    name: &str,
    role: Role,
    path: Option<String>,
    times: [Timestamp; 2],
    entropy: &dyn Entropy,
) -> Result<(String, Entry), BackendError> {
    let mut bytes = Vec::with_capacity(NUMBERS * 8);
    for _ in 0..NUMBERS {
        bytes.extend(entropy.next()?.to_be_bytes());
    }
    let token = format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes));
    let [created, expires] = times;
    let entry = Entry { name: name.to_owned(), sha256: sha256(&token), role, path, created, expires };
    Ok((token, entry))
}

/// Whether a token may have this name: it becomes a part of an identity.
pub fn is_name(name: &str) -> bool {
    let is_legal = |letter: u8| letter.is_ascii_alphanumeric() || matches!(letter, b'-' | b'_' | b'.' | b'@');
    !name.is_empty() && name.len() <= NAME_BYTES && name.bytes().all(is_legal)
}

fn sha256(token: &str) -> String {
    Sha256::digest(token.as_bytes()).iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

impl Tokens {
    /// Reads a file of tokens. A file that does not exist has none if `may_be_missing`.
    ///
    /// # Errors
    /// The file cannot be read, other users could read it, or it is not a file of tokens. The text says what to do.
    pub fn load(path: &Path, may_be_missing: bool) -> Result<Self, String> {
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if may_be_missing && error.kind() == std::io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(format!("cannot open it: {error}; `heal token create` makes it")),
        };
        check_mode(&file)?;
        let mut text = String::new();
        let bytes =
            file.take(FILE_BYTES + 1).read_to_string(&mut text).map_err(|error| format!("cannot read it: {error}"))?;
        if bytes as u64 > FILE_BYTES {
            return Err(format!("it has more than {FILE_BYTES} bytes"));
        }
        let tokens: Self =
            serde_json::from_str(&text).map_err(|error| format!("it is not a file of tokens: {error}"))?;
        tokens.checked()
    }

    /// These tokens, if there are not too many and each has a legal name.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn checked(self) -> Result<Self, String> {
        if self.tokens.len() > TOKENS {
            return Err(format!("it has {} tokens, the limit is {TOKENS}", self.tokens.len()));
        }
        if let Some(entry) = self.tokens.iter().find(|entry| !is_name(&entry.name)) {
            return Err(format!("`{}` cannot name a token", entry.name.escape_debug()));
        }
        Ok(self)
    }

    /// Replaces the file as a whole, readable by its owner only.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn store(&self, path: &Path) -> std::io::Result<()> {
        let mut text = serde_json::to_string_pretty(self)?;
        text.push('\n');
        let mut temporary = path.as_os_str().to_owned();
        temporary.push(".new");
        let temporary = PathBuf::from(temporary);
        let mut options = File::options();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        // A file that a killed command left behind.
        let _ = std::fs::remove_file(&temporary);
        let mut file = options.open(&temporary)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&temporary, path)
    }

    /// The entry of `token`. Compares with each entry in constant time.
    pub fn find(&self, token: &str) -> Option<&Entry> {
        if token.len() > TOKEN_BYTES {
            return None;
        }
        let hash = sha256(token);
        let is_same = |entry: &&Entry| verify_slices_are_equal(entry.sha256.as_bytes(), hash.as_bytes()).is_ok();
        self.tokens.iter().rfind(is_same)
    }
}

impl Entry {
    /// Whether the token is for requests to `path`.
    pub fn covers(&self, path: &str) -> bool {
        self.path.as_deref().is_none_or(|prefix| path.starts_with(prefix))
    }
}

#[cfg(unix)]
fn check_mode(file: &File) -> Result<(), String> {
    use std::os::unix::fs::PermissionsExt as _;
    let metadata = file.metadata().map_err(|error| format!("cannot read its mode: {error}"))?;
    let mode = metadata.permissions().mode() & 0o777;
    if (mode & OTHERS) == 0 {
        return Ok(());
    }
    Err(format!("its mode is {mode:04o}, so other users of this machine can read or change it; run `chmod 0600`"))
}

#[cfg(not(unix))]
fn check_mode(_: &File) -> Result<(), String> {
    Ok(())
}

impl TokenFile {
    pub(super) fn open(source: TokenSource) -> Result<Self, DoorsError> {
        let (path, tokens) = match source {
            TokenSource::Inline(tokens) => (None, tokens),
            TokenSource::File(path) => match Tokens::load(&path, false) {
                Ok(tokens) => (Some(path), tokens),
                Err(detail) => return Err(DoorsError::Tokens { path, detail }),
            },
        };
        Ok(Self { path, read: Mutex::new(Read { at: None, tokens: Ok(Arc::new(tokens)) }) })
    }

    /// The tokens as they were at most [`FRESH_MS`] ago. A file that can no longer be read has none.
    pub(super) fn tokens(&self, now: Timestamp) -> Arc<Tokens> {
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(path) = &self.path
            && read.at.is_none_or(|at| now.since_ms(at) >= FRESH_MS || now < at)
        {
            let tokens = Tokens::load(path, false).map(Arc::new);
            if let (Err(detail), Ok(_)) = (&tokens, &read.tokens) {
                tracing::error!(path = %path.display(), detail, "API tokens are refused until their file can be read");
            }
            *read = Read { at: Some(now), tokens };
        }
        read.tokens.clone().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use heal_runtime::port::OsEntropy;

    use super::*;

    fn entry(name: &str) -> (String, Entry) {
        create(name, Role::Operator, Some("/api/v1/incidents".to_owned()), [Timestamp(1), Timestamp(9)], &OsEntropy)
            .unwrap()
    }

    #[test]
    fn a_token_is_found_by_its_hash_and_the_file_does_not_have_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokens.json");
        let ((ci, one), (_, other)) = (entry("ci"), entry("other"));
        let tokens = Tokens { tokens: vec![one.clone(), other] };
        tokens.store(&path).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(!text.contains(&ci) && text.contains(&one.sha256));
        let read = Tokens::load(&path, false).unwrap();
        assert_eq!(read.find(&ci), Some(&one));
        for wrong in ["", "heal_", &ci[..ci.len() - 1], &format!("{ci}x"), &one.sha256] {
            assert_eq!(read.find(wrong), None, "{wrong}");
        }
        assert!(one.covers("/api/v1/incidents") && !one.covers("/api/v1/runs"));
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_others_can_read_is_refused_and_one_that_we_write_is_not() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokens.json");
        Tokens::default().store(&path).unwrap();
        assert_eq!(Tokens::load(&path, false), Ok(Tokens::default()));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        let error = Tokens::load(&path, false).unwrap_err();
        assert!(error.contains("its mode is 0640") && error.contains("chmod 0600"), "{error}");
    }

    #[test]
    fn a_name_is_a_part_of_an_identity() {
        for (name, is_legal) in [("ci", true), ("anna@example.com", true), ("", false), ("a b", false), ("a:b", false)]
        {
            assert_eq!(is_name(name), is_legal, "{name}");
        }
        assert!(is_name(&"x".repeat(NAME_BYTES)) && !is_name(&"x".repeat(NAME_BYTES + 1)));
    }
}
