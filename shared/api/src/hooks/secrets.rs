//! The secrets of the sources that sign, read by reference when a home starts.

use std::collections::BTreeMap;

use heal_hooks::{HooksFile, SecretRef, Secrets, Source, Verifier, limit};

/// A secret of a source that cannot be used. It never has a part of one.
#[derive(Debug, thiserror::Error)]
pub enum HookSecretError {
    /// It cannot be read.
    #[error("the secrets of `{origin}` cannot be used: {reference}: {detail}")]
    Read {
        /// Whose deliveries it verifies.
        origin: Source,
        /// Where it is.
        reference: String,
        /// Why it cannot be read.
        detail: String,
    },
    /// It can be guessed.
    #[error(
        "the secrets of `{origin}` cannot be used: {reference} has {observed_bytes} bytes, a secret needs {} at least",
        limit::SECRET_BYTES_LEAST
    )]
    Short {
        /// Whose deliveries it verifies.
        origin: Source,
        /// Where it is.
        reference: String,
        /// Its length.
        observed_bytes: usize,
    },
}

/// What verifies the deliveries that `hooks` describes. `read` gives the text behind a reference.
///
/// # Errors
/// A secret cannot be read, or has fewer bytes than [`limit::SECRET_BYTES_LEAST`].
pub async fn verifier(
    hooks: &HooksFile,
    read: impl AsyncFn(&str) -> Result<String, String>,
) -> Result<Verifier, HookSecretError> {
    let mut secrets = BTreeMap::new();
    for (source, rule) in &hooks.sources {
        let mut keys = Vec::with_capacity(rule.secrets.len());
        for SecretRef(reference) in &rule.secrets {
            let (origin, reference) = (*source, reference.clone());
            match read(&reference).await {
                Ok(secret) if secret.len() >= limit::SECRET_BYTES_LEAST => keys.push(secret),
                Ok(short) => {
                    return Err(HookSecretError::Short { origin, reference, observed_bytes: short.len() });
                }
                Err(detail) => return Err(HookSecretError::Read { origin, reference, detail }),
            }
        }
        secrets.insert(*source, Secrets { keys, window_seconds: rule.window_seconds });
    }
    Ok(Verifier::new(secrets))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_secret_that_is_short_or_cannot_be_read_is_named_and_not_repeated() {
        let text = r#"{"sources": {"generic": {"secrets": ["env:A", "env:B"], "window_seconds": 300}}}"#;
        let hooks = HooksFile::from_json(text).unwrap();
        let long = async |_: &str| Ok("s".repeat(limit::SECRET_BYTES_LEAST));
        assert!(verifier(&hooks, long).await.unwrap().is_signed(Source::Generic));
        let short = async |_: &str| Ok("hunter2".to_owned());
        let error = verifier(&hooks, short).await.unwrap_err().to_string();
        assert_eq!(error, "the secrets of `generic` cannot be used: env:A has 7 bytes, a secret needs 16 at least");
        let missing = async |_: &str| Err("the variable is not set".to_owned());
        let error = verifier(&hooks, missing).await.unwrap_err().to_string();
        assert_eq!(error, "the secrets of `generic` cannot be used: env:A: the variable is not set");
    }
}
