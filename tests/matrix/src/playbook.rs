//! The shipped playbooks, as far as the waits of a run follow from them.

use std::path::Path;

use serde::Deserialize;

use crate::process;

/// One compiled playbook.
#[derive(Debug, Deserialize)]
pub(crate) struct Playbook {
    pub(crate) name: String,
    pub(crate) timeout_seconds: u64,
    actions: Vec<Step>,
    verify: Vec<Step>,
}

/// One entry of `actions` or `verify`.
#[derive(Debug, Deserialize)]
pub(crate) struct Step {
    pub(crate) name: String,
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) timeout_seconds: u64,
    retry: Retry,
    #[serde(default)]
    pub(crate) until: Option<Until>,
}

#[derive(Debug, Deserialize)]
struct Retry {
    backoff_seconds: u64,
    max_backoff_seconds: u64,
}

/// What a verify entry waits for.
#[derive(Debug, Deserialize)]
pub(crate) struct Until {
    pub(crate) within_seconds: u64,
}

impl Playbook {
    /// The actions, then the verify entries.
    pub(crate) fn steps(&self) -> impl Iterator<Item = &Step> {
        self.actions.iter().chain(&self.verify)
    }
}

impl Step {
    /// The longest backoff before attempt `number`, in seconds: the engine waits between half of it and the whole.
    pub(crate) fn backoff_seconds(&self, number: u64) -> u64 {
        let doublings = u32::try_from(number.saturating_sub(2)).unwrap_or(u32::MAX);
        let doubled = 2_u64.saturating_pow(doublings).saturating_mul(self.retry.backoff_seconds);
        doubled.min(self.retry.max_backoff_seconds)
    }
}

/// The playbooks that ship, as `heal` compiles them.
pub(crate) fn shipped(heal: &Path, root: &Path) -> Vec<Playbook> {
    let output = process::command(heal, root, &["playbook", "compile"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}
