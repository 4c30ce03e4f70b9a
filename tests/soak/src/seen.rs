//! The effects that the stand-in services saw, collected before their journal drops the oldest calls.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use heal_sandbox::Platform;

use crate::entry::Effect;

/// The effects so far, by the sequence number of their call.
#[derive(Debug, Default)]
pub(crate) struct Seen(Mutex<BTreeMap<u64, (Effect, u64)>>);

impl Seen {
    /// Reads the journal. It keeps 100,000 calls, far more than come between two readings.
    pub(crate) fn read(&self, platform: &Platform) {
        let effects = platform.effects();
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for call in effects {
            let at_ms = u64::try_from(call.at_ms).unwrap_or_default();
            seen.insert(call.seq, (format!("{} {}", call.operation, call.target), at_ms));
        }
    }

    pub(crate) fn count(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// When each effect happened.
    pub(crate) fn effects(&self) -> BTreeMap<Effect, Vec<u64>> {
        let mut effects: BTreeMap<Effect, Vec<u64>> = BTreeMap::new();
        for (effect, at_ms) in self.0.lock().unwrap_or_else(PoisonError::into_inner).values() {
            effects.entry(effect.clone()).or_default().push(*at_ms);
        }
        effects
    }
}
