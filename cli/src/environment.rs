//! Where configuration comes from: the process environment, and above it what the sandbox says of itself.

use std::collections::BTreeMap;

use heal_clients::config::{NotUnicode, Strings};

/// Values that win, over others.
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
