//! The port to secrets, which the rules name by reference only.

use std::fmt;

use async_trait::async_trait;
use heal_engine::notice::SecretRef;

/// A secret's text. It is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

/// A secret that cannot be read; the text names it, and never holds it.
#[derive(Debug, thiserror::Error)]
#[error("failed to read the secret {reference}: {detail}")]
pub struct SecretError {
    /// Which one.
    pub reference: SecretRef,
    /// Why.
    pub detail: String,
}

/// Reads secrets.
#[async_trait]
pub trait Secrets: Send + Sync + 'static {
    /// The secret's present text.
    async fn read(&self, reference: &SecretRef) -> Result<Secret, SecretError>;
}

impl Secret {
    /// A secret with surrounding white space removed, which a file or an editor often adds.
    pub fn new(text: &str) -> Self {
        Self(text.trim().to_owned())
    }

    /// The text itself.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}
