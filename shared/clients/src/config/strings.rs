//! The environment behind a trait, so that tests pass a map.

use std::collections::{BTreeMap, HashMap};
use std::hash::BuildHasher;

/// Named strings: the process environment, or a map in a test.
pub trait Strings {
    /// The value of `key`; `None` if it is unset.
    ///
    /// # Errors
    /// The value is not Unicode text.
    fn get(&self, key: &str) -> Result<Option<String>, NotUnicode>;
}

/// The value is not Unicode text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not valid UTF-8")]
pub struct NotUnicode;

/// The environment of this process.
#[derive(Debug, Clone, Copy, Default)]
pub struct Env;

impl Strings for Env {
    #[expect(clippy::disallowed_methods, reason = "this is the environment's port")]
    fn get(&self, key: &str) -> Result<Option<String>, NotUnicode> {
        match std::env::var(key) {
            Ok(value) => Ok(Some(value)),
            Err(std::env::VarError::NotPresent) => Ok(None),
            Err(std::env::VarError::NotUnicode(_)) => Err(NotUnicode),
        }
    }
}

impl<S: BuildHasher> Strings for HashMap<String, String, S> {
    fn get(&self, key: &str) -> Result<Option<String>, NotUnicode> {
        Ok(HashMap::get(self, key).cloned())
    }
}

impl Strings for BTreeMap<String, String> {
    fn get(&self, key: &str) -> Result<Option<String>, NotUnicode> {
        Ok(BTreeMap::get(self, key).cloned())
    }
}

impl<const N: usize> Strings for [(&str, &str); N] {
    fn get(&self, key: &str) -> Result<Option<String>, NotUnicode> {
        Ok(self.iter().find(|(name, _)| *name == key).map(|(_, value)| (*value).to_owned()))
    }
}
