//! Windows of time, and the ids that incidents have by them.

use sha2::{Digest as _, Sha256};

use crate::id::short_hash;
use crate::time::{Timestamp, seconds_to_ms};

/// The window of a target that `now` lies in, counted from a moment of the target's own: so a thousand targets that fail for hours
/// are not all raised again at the same moment.
pub(super) fn number(check: &str, target: &str, length_seconds: u64, now: Timestamp) -> u64 {
    let length_ms = seconds_to_ms(length_seconds).max(1);
    now.0.saturating_add(offset(check, target) % length_ms) / length_ms
}

/// The id of the incident about `target` in that window. It holds the check's name for people.
pub(super) fn incident_id(check: &str, target: &str, length_seconds: u64, number: u64) -> String {
    // The length belongs to it: windows of another length are other windows, even where their numbers meet.
    format!("check-{check}-{}", short_hash(&format!("{check}\n{target}\n{length_seconds}\n{number}")))
}

fn offset(check: &str, target: &str) -> u64 {
    let digest = Sha256::digest(format!("{check}\n{target}").as_bytes());
    digest.iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte))
}
