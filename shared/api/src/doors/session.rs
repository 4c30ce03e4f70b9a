//! Sessions: what a signed-in browser sends back, sealed so that nobody but this server can read or make it.

use aws_lc_rs::aead::{AES_256_GCM, Aad, Nonce, RandomizedNonceKey};
use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use heal_engine::Timestamp;
use heal_runtime::port::Entropy;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::DoorsError;
use crate::caller::Role;

/// How long a session lasts, in milliseconds: one shift of 8 hours.
pub const SESSION_MS: u64 = 8 * 3_600_000;
/// How long a sign-in may take, in milliseconds: 10 minutes.
pub const SIGN_IN_MS: u64 = 600_000;
/// Longest sealed text that is opened, in bytes: browsers keep 4 KB.
const SEALED_BYTES: usize = 4_096;
/// Bytes of the nonce before each sealed text.
const NONCE_BYTES: usize = 12;
/// Bytes of the shortest key that processes share: what is shorter can be guessed.
pub const KEY_BYTES: usize = 32;
/// What the key of the cookies is derived for, from the one that processes share.
const CONTEXT: &[u8] = b"heal session cookies";
/// Random numbers in the key, of 8 bytes each.
const NUMBERS: usize = 4;

/// A signed-in person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Session {
    pub identity: String,
    pub role: Role,
    /// The hash of the API token that was used to sign in: the session ends with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    pub until: Timestamp,
}

/// A sign-in at the issuer that has begun.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct SignIn {
    pub state: String,
    pub nonce: String,
    pub verifier: String,
    pub until: Timestamp,
}

/// Seals and opens. By default the key lives as long as this process: a restart signs everybody out.
pub(super) struct Sealer {
    key: RandomizedNonceKey,
}

impl Sealer {
    pub(super) fn new(entropy: &dyn Entropy) -> Result<Self, DoorsError> {
        let mut bytes = Vec::with_capacity(NUMBERS * 8);
        for _ in 0..NUMBERS {
            bytes.extend(entropy.next().map_err(DoorsError::Random)?.to_be_bytes());
        }
        let key = RandomizedNonceKey::new(&AES_256_GCM, &bytes).map_err(|_| DoorsError::Key)?;
        Ok(Self { key })
    }

    /// With a key that every process of a function derives from the same text.
    pub(super) fn shared(text: &str) -> Result<Self, DoorsError> {
        if text.len() < KEY_BYTES {
            return Err(DoorsError::ShortSessionKey { observed_bytes: text.len() });
        }
        let derived = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, text.as_bytes()), CONTEXT);
        let key = RandomizedNonceKey::new(&AES_256_GCM, derived.as_ref()).map_err(|_| DoorsError::Key)?;
        Ok(Self { key })
    }

    /// `value` as a text for a cookie; `purpose` has to be the same when it is opened.
    pub(super) fn seal(&self, purpose: &str, value: &impl Serialize) -> Option<String> {
        let mut bytes = serde_json::to_vec(value).ok()?;
        let nonce = self.key.seal_in_place_append_tag(Aad::from(purpose.as_bytes()), &mut bytes).ok()?;
        let mut sealed = nonce.as_ref().to_vec();
        sealed.append(&mut bytes);
        Some(URL_SAFE_NO_PAD.encode(sealed)).filter(|text| text.len() <= SEALED_BYTES)
    }

    pub(super) fn open<T: DeserializeOwned>(&self, purpose: &str, text: &str) -> Option<T> {
        if text.len() > SEALED_BYTES {
            return None;
        }
        let mut sealed = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (nonce, bytes) = sealed.split_at_mut_checked(NONCE_BYTES)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let opened = self.key.open_in_place(nonce, Aad::from(purpose.as_bytes()), bytes).ok()?;
        serde_json::from_slice(opened).ok()
    }
}

#[cfg(test)]
mod tests {
    use heal_runtime::port::OsEntropy;

    use super::*;

    #[test]
    fn processes_with_the_same_key_open_what_the_others_sealed() {
        let text = "k".repeat(KEY_BYTES);
        let sealed = Sealer::shared(&text).unwrap().seal("session", &"anna").unwrap();
        assert_eq!(Sealer::shared(&text).unwrap().open::<String>("session", &sealed).as_deref(), Some("anna"));
        assert_eq!(Sealer::shared(&"l".repeat(KEY_BYTES)).unwrap().open::<String>("session", &sealed), None);
        let short = Sealer::shared("too short").err().unwrap();
        assert!(short.to_string().contains("has 9 bytes, at least 32 are needed"), "{short}");
    }

    #[test]
    fn only_what_this_process_sealed_for_this_purpose_is_opened() {
        let sealer = Sealer::new(&OsEntropy).unwrap();
        let session =
            Session { identity: "oidc:anna".to_owned(), role: Role::Viewer, sha256: None, until: Timestamp(9) };
        let text = sealer.seal("session", &session).unwrap();
        assert_eq!(sealer.open::<Session>("session", &text), Some(session.clone()));
        assert_ne!(sealer.seal("session", &session).unwrap(), text, "a nonce was used twice");
        assert_eq!(sealer.open::<Session>("sign-in", &text), None);
        assert_eq!(Sealer::new(&OsEntropy).unwrap().open::<Session>("session", &text), None);
        let mut bytes = URL_SAFE_NO_PAD.decode(&text).unwrap();
        bytes[NONCE_BYTES + 3] ^= 1;
        assert_eq!(sealer.open::<Session>("session", &URL_SAFE_NO_PAD.encode(bytes)), None);
        for wrong in ["", "x", "AAAA", &"A".repeat(5_000)] {
            assert_eq!(sealer.open::<Session>("session", wrong), None);
        }
    }
}
