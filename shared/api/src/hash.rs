//! Short names for contents.

use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

/// The first `digits` hexadecimal digits of the SHA-256 of `bytes`, 64 at most.
pub(crate) fn hex(bytes: &[u8], digits: usize) -> String {
    let mut hex = String::new();
    for byte in Sha256::digest(bytes) {
        // Writing to a text cannot fail.
        let _ = write!(hex, "{byte:02x}");
    }
    hex.truncate(digits);
    hex
}
