//! A pod in the few words that a healer cares about.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::clock::now_ms;

/// One pod.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pod {
    /// Where it is.
    pub namespace: String,
    /// Unique in its namespace.
    pub name: String,
    /// Given by the cluster where empty.
    #[serde(default)]
    pub uid: String,
    /// Who replaces it; absent: nobody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<Owner>,
    /// As `{"app": "worker"}`.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// Pending, Running, Succeeded, Failed or Unknown.
    #[serde(default = "running")]
    pub phase: String,
    /// Its `Ready` condition.
    #[serde(default = "yes")]
    pub ready: bool,
    /// Of its one container.
    #[serde(default)]
    pub restarts: u32,
    /// Why its container waits, as `CrashLoopBackOff`, `ImagePullBackOff`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting_reason: Option<String>,
    /// Why its container ended the last time, as `OOMKilled`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub terminated_reason: Option<String>,
    /// What its owner puts in its place.
    #[serde(default)]
    pub replacement: Replacement,
    /// Epoch milliseconds.
    #[serde(default = "now_ms")]
    pub created_at: i64,
}

/// The controller that a pod belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Owner {
    /// `ReplicaSet`, `StatefulSet` or another kind. A `StatefulSet` gives the replacement the same name,
    /// and only once the old pod is gone; the others give it a new one, at once.
    pub kind: String,
    /// The controller's name; the uid is derived from it.
    pub name: String,
}

/// What an owner puts in the place of a deleted pod.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Replacement {
    /// A pod that becomes ready.
    #[default]
    Healthy,
    /// A pod that never becomes ready.
    Unhealthy,
    /// Nothing.
    None,
}

fn running() -> String {
    "Running".to_owned()
}

fn yes() -> bool {
    true
}

impl Pod {
    /// A healthy pod without owner.
    pub fn new(namespace: &str, name: &str) -> Self {
        Self {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            uid: String::new(),
            owner: None,
            labels: BTreeMap::new(),
            phase: running(),
            ready: true,
            restarts: 0,
            waiting_reason: None,
            terminated_reason: None,
            replacement: Replacement::default(),
            created_at: now_ms(),
        }
    }
}

impl Owner {
    /// Whether replacements keep the name.
    pub(super) fn keeps_names(&self) -> bool {
        self.kind == "StatefulSet"
    }

    pub(super) fn api_version(&self) -> &'static str {
        if self.kind == "Job" { "batch/v1" } else { "apps/v1" }
    }

    /// The same for the same owner, for as long as it lives.
    pub(super) fn uid(&self) -> String {
        uid(&format!("{}/{}", self.kind, self.name))
    }
}

/// A uid in the form of a random UUID, the same for the same text.
pub(super) fn uid(of: &str) -> String {
    let [a, b, c, d] = [1_u32, 2, 3, 4].map(|salt| scattered(of, salt));
    format!("{a:08x}-{:04x}-4{:03x}-a{:03x}-{:04x}{d:08x}", b >> 16, b & 0xfff, (c >> 16) & 0xfff, c & 0xffff)
}

/// A name's random part, as a replica set gives: the same for the same text.
pub(super) fn suffix(of: &str) -> String {
    const LETTERS: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";
    let mut number = scattered(of, 5) as usize;
    let letter = |_| {
        let letter = LETTERS.get(number % LETTERS.len()).copied().unwrap_or(b'x');
        number /= LETTERS.len();
        char::from(letter)
    };
    (0..5).map(letter).collect()
}

/// FNV-1a, salted and stirred: texts that differ little give numbers that differ much.
fn scattered(of: &str, salt: u32) -> u32 {
    let mut hash = 0x811c_9dc5_u32 ^ salt.wrapping_mul(0x9e37_79b9);
    for byte in of.bytes() {
        hash = (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
    }
    hash ^= hash >> 16;
    hash = hash.wrapping_mul(0x85eb_ca6b);
    hash ^ (hash >> 13)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn uids_have_the_form_of_a_uuid_and_differ() {
        let uids: BTreeSet<_> = (0..10_000).map(|at| uid(&format!("pod-{at}"))).collect();
        assert_eq!(uids.len(), 10_000);
        for uid in uids {
            let parts: Vec<_> = uid.split('-').map(str::len).collect();
            assert_eq!(parts, [8, 4, 4, 4, 12], "{uid}");
        }
    }
}
