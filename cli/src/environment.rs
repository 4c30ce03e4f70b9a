//! Sources of configuration: the process environment, and above it the sandbox's values.

use std::collections::BTreeMap;

use anyhow::Context as _;
use heal_clients::config::{NotUnicode, Strings};

/// Values that go before those of another source.
#[derive(Debug)]
pub(crate) struct Layered<S> {
    above: BTreeMap<String, String>,
    below: S,
}

impl<S: Strings> Layered<S> {
    pub(crate) fn new(above: Option<Vec<(String, String)>>, below: S) -> Self {
        Self { above: above.unwrap_or_default().into_iter().collect(), below }
    }
}

impl<S: Strings> Strings for Layered<S> {
    fn get(&self, key: &str) -> Result<Option<String>, NotUnicode> {
        match self.above.get(key) {
            Some(value) => Ok(Some(value.clone())),
            None => self.below.get(key),
        }
    }
}

/// The value of a variable; an empty value counts as unset.
///
/// # Errors
/// The value is not Unicode text.
pub(crate) fn get(strings: &dyn Strings, name: &'static str) -> anyhow::Result<Option<String>> {
    let value = strings.get(name).with_context(|| format!("failed to read the environment variable {name}"))?;
    Ok(value.filter(|value| !value.is_empty()))
}
