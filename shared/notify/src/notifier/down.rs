//! Which channels are down, as this process has seen it.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use heal_engine::Timestamp;

/// Milliseconds for which a channel that failed is not asked again, unless it asks for another time itself.
pub const DOWN_MS: u64 = 15_000;

/// Until when each channel is not asked.
#[derive(Debug, Default)]
pub(super) struct Down {
    until: Mutex<HashMap<String, Timestamp>>,
}

impl Down {
    /// Milliseconds for which the channel is not to be asked; `None` if it may be asked now.
    pub fn wait_ms(&self, channel: &str, now: Timestamp) -> Option<u64> {
        let until = self.until.lock().unwrap_or_else(PoisonError::into_inner).get(channel).copied()?;
        (now < until).then(|| until.since_ms(now))
    }

    /// The channel failed. Returns the milliseconds for which it is not asked.
    pub fn failed(&self, channel: &str, now: Timestamp, retry_after: Option<Duration>) -> u64 {
        let asked = retry_after.map(|wait| u64::try_from(wait.as_millis()).unwrap_or(u64::MAX));
        let wait_ms = asked.unwrap_or(DOWN_MS);
        let mut until = self.until.lock().unwrap_or_else(PoisonError::into_inner);
        until.insert(channel.to_owned(), now.plus_ms(wait_ms));
        wait_ms
    }
}
