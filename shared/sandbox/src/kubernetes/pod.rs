//! A pod, reduced to what a healer reads.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::wire::now_ms;

/// One pod.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pod {
    /// The namespace.
    pub namespace: String,
    /// The name, unique in the namespace.
    pub name: String,
    /// The uid; if empty, the cluster assigns one.
    #[serde(default)]
    pub uid: String,
    /// The controller that replaces it; without one it is not replaced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<Owner>,
    /// The labels, such as `{"app": "worker"}`.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// The phase: Pending, Running, Succeeded, Failed or Unknown.
    #[serde(default = "running")]
    pub phase: String,
    /// The `Ready` condition.
    #[serde(default = "yes")]
    pub ready: bool,
    /// The restarts of its one container.
    #[serde(default)]
    pub restarts: u32,
    /// Why its container is waiting, such as `CrashLoopBackOff` or `ImagePullBackOff`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting_reason: Option<String>,
    /// Why its container last terminated, such as `OOMKilled`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub terminated_reason: Option<String>,
    /// The replacement that its owner creates.
    #[serde(default)]
    pub replacement: Replacement,
    /// Creation, in epoch milliseconds.
    #[serde(default = "now_ms")]
    pub created_at: i64,
}

/// The controller of a pod.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Owner {
    /// `ReplicaSet`, `StatefulSet` or another kind. A `StatefulSet` creates the replacement under the same name once the
    /// old pod is gone; other kinds create it at once under a new name.
    pub kind: String,
    /// The name of the controller; its uid is derived from it.
    pub name: String,
}

/// The replacement that an owner creates for a deleted pod.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Replacement {
    /// A pod that becomes ready.
    #[default]
    Healthy,
    /// A pod that never becomes ready.
    Unhealthy,
    /// No pod.
    None,
}

fn running() -> String {
    "Running".to_owned()
}

fn yes() -> bool {
    true
}

impl Pod {
    /// A healthy pod without an owner.
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
    /// Whether replacements keep the name of the pod.
    pub(super) fn keeps_names(&self) -> bool {
        self.kind == "StatefulSet"
    }

    pub(super) fn api_version(&self) -> &'static str {
        if self.kind == "Job" { "batch/v1" } else { "apps/v1" }
    }

    /// A stable uid derived from kind and name.
    pub(super) fn uid(&self) -> String {
        uid(&format!("{}/{}", self.kind, self.name))
    }
}

/// A uid in the form of a random UUID, derived from `of`.
pub(super) fn uid(of: &str) -> String {
    let [a, b, c, d] = [1_u32, 2, 3, 4].map(|salt| scattered(of, salt));
    format!("{a:08x}-{:04x}-4{:03x}-a{:03x}-{:04x}{d:08x}", b >> 16, b & 0xfff, (c >> 16) & 0xfff, c & 0xffff)
}

/// The random part of a replica's name, derived from `of`.
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

/// FNV-1a with a salt and a final mix, so that similar texts give different numbers.
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
