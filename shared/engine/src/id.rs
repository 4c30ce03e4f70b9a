//! Ids of runs, plans, steps and attempts.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::time::Timestamp;

/// Position of an event in its run's log; the first is 1.
pub type Seq = u64;

/// Position of a step in its plan: the actions first, then the verify entries.
pub type StepIndex = u32;

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// The id with this text, unchecked.
            pub fn new(text: impl Into<String>) -> Self {
                Self(text.into())
            }

            /// The id's text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

text_id! {
    /// One execution of a playbook for one incident.
    RunId
}
text_id! {
    /// SHA-256 of a text, in lower-case hexadecimal.
    Digest
}
text_id! {
    /// The secret of one attempt: a result counts only with the token that its command carried.
    Token
}

impl RunId {
    /// The id of a new run, from its incident's deduplication key and the moment of its arrival.
    ///
    /// Two dispatchers that accept the same incident derive different ids; the store accepts one of them.
    pub fn derive(dedupe_key: &str, at: Timestamp, entropy: u64) -> Self {
        let at = at.0;
        Self(format!("run-{}", short_hash(&format!("{dedupe_key}\n{at}\n{entropy}"))))
    }

    /// Whether `text` is a legal id: 1 to 128 letters, digits, `-`, `_`, `.` or `:`.
    pub fn is_legal(text: &str) -> bool {
        let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ':');
        (1..=128).contains(&text.len()) && text.chars().all(legal) && text.chars().any(|c| c.is_ascii_alphanumeric())
    }
}

impl Digest {
    /// The digest of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(hex(&Sha256::digest(bytes)))
    }

    /// The digest that has these bytes, as [`Digest::to_bytes`] gave them.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        Self(hex(bytes))
    }

    /// The 32 bytes of the digest; `None` if the text is not one.
    pub fn to_bytes(&self) -> Option<[u8; 32]> {
        let mut bytes = [0; 32];
        if self.0.len() != 2 * bytes.len() {
            return None;
        }
        for (index, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(self.0.get(2 * index..2 * index + 2)?, 16).ok()?;
        }
        Some(bytes)
    }
}

impl Token {
    /// The token of one attempt. It cannot be guessed as long as `entropy` cannot.
    pub fn derive(run: &RunId, step: StepRef, attempt: u32, entropy: u64) -> Self {
        Self(short_hash(&format!("{run}\n{step}\n{attempt}\n{entropy}")))
    }
}

/// A step, or one element of a step that fans out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct StepRef {
    /// The step's position in its plan.
    pub step: StepIndex,
    /// The element's position in a step that fans out; `None` for the step as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item: Option<u32>,
}

impl StepRef {
    /// A step as a whole.
    pub const fn whole(step: StepIndex) -> Self {
        Self { step, item: None }
    }

    /// One element of a step that fans out.
    pub const fn item(step: StepIndex, item: u32) -> Self {
        Self { step, item: Some(item) }
    }
}

impl fmt::Display for StepRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.item {
            None => write!(f, "{}", self.step),
            Some(item) => write!(f, "{}.{item}", self.step),
        }
    }
}

pub(crate) fn short_hash(text: &str) -> String {
    let mut digest = hex(&Sha256::digest(text.as_bytes()));
    digest.truncate(24);
    digest
}

fn hex(bytes: &[u8]) -> String {
    use fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_goes_through_its_bytes_and_a_text_that_is_none_has_no_bytes() {
        let digest = Digest::of(b"abc");
        // FIPS 180-2, appendix B.1.
        assert_eq!(digest.as_str(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(digest.to_bytes().map(|bytes| Digest::from_bytes(&bytes)), Some(digest));
        for text in ["", "ba78", &"x".repeat(64), &"0".repeat(63), &"0".repeat(66), &"é".repeat(32)] {
            assert_eq!(Digest::new(text).to_bytes(), None, "{text}");
        }
    }

    #[test]
    fn an_id_of_a_run_is_legal_and_another_one_for_every_moment() {
        let derive = |key, at, entropy| RunId::derive(key, Timestamp(at), entropy);
        let id = derive("incident-1", 1, 7);
        assert!(RunId::is_legal(id.as_str()) && id.as_str().len() == "run-".len() + 24, "{id}");
        assert_eq!(id, derive("incident-1", 1, 7));
        for other in [derive("incident-2", 1, 7), derive("incident-1", 2, 7), derive("incident-1", 1, 8)] {
            assert_ne!(id, other);
        }
    }

    #[test]
    fn a_run_is_named_by_letters_digits_and_four_signs() {
        for (text, is_legal) in [
            ("a-B_9.:", true),
            (&"a".repeat(128), true),
            (&"a".repeat(129), false),
            ("", false),
            ("a b", false),
            ("a/b", false),
            ("-._:", false),
        ] {
            assert_eq!(RunId::is_legal(text), is_legal, "{text}");
        }
    }

    #[test]
    fn a_step_and_its_elements_are_told_apart() {
        assert_eq!(
            (StepRef::whole(3).to_string(), StepRef::item(3, 7).to_string()),
            ("3".to_owned(), "3.7".to_owned())
        );
    }
}
