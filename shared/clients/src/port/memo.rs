//! What one attempt read, kept from its `facts` to its `perform`.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use heal_runtime::action::Call;

/// Entries that are kept; the oldest goes. A batch of the largest size, and what others have read meanwhile.
pub const MEMO_ENTRIES: usize = 2_048;

/// Saves a second read between two moments of the same attempt, and nothing else: an entry is taken once, and one that is gone is read again.
pub struct Memo<T> {
    kept: Mutex<Kept<T>>,
}

struct Kept<T> {
    entries: HashMap<Key, (u64, T)>,
    /// By age.
    order: BTreeMap<u64, Key>,
    next: u64,
}

/// The attempt's key and the target's id.
type Key = (String, String);

impl<T> Default for Memo<T> {
    fn default() -> Self {
        Self { kept: Mutex::new(Kept { entries: HashMap::new(), order: BTreeMap::new(), next: 0 }) }
    }
}

impl<T> fmt::Debug for Memo<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memo").field("entries", &self.kept().entries.len()).finish_non_exhaustive()
    }
}

impl<T> Memo<T> {
    /// Keeps what was read of `target`.
    pub fn put(&self, call: &Call, target: &str, read: T) {
        self.kept().put(key(call, target), read);
    }

    /// What this attempt read of `target`.
    pub fn take(&self, call: &Call, target: &str) -> Option<T> {
        self.kept().take(&key(call, target))
    }

    fn kept(&self) -> MutexGuard<'_, Kept<T>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Kept<T> {
    fn put(&mut self, key: Key, read: T) {
        self.take(&key);
        self.next += 1;
        self.order.insert(self.next, key.clone());
        self.entries.insert(key, (self.next, read));
        while self.entries.len() > MEMO_ENTRIES {
            let Some((_, oldest)) = self.order.pop_first() else { break };
            self.entries.remove(&oldest);
        }
    }

    fn take(&mut self, key: &Key) -> Option<T> {
        let (age, read) = self.entries.remove(key)?;
        self.order.remove(&age);
        Some(read)
    }
}

fn key(call: &Call, target: &str) -> Key {
    (call.idempotency_key.clone(), target.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: usize) -> Key {
        ("attempt".to_owned(), number.to_string())
    }

    #[test]
    fn the_oldest_entry_goes_and_a_taken_one_leaves_nothing() {
        let memo = Memo::default();
        let mut kept = memo.kept();
        for number in 0..=MEMO_ENTRIES {
            kept.put(key(number), number);
        }
        assert_eq!(kept.take(&key(0)), None);
        assert_eq!(kept.take(&key(1)), Some(1));
        assert_eq!(kept.take(&key(1)), None);
        kept.put(key(2), 7);
        assert_eq!(kept.take(&key(2)), Some(7));
        assert_eq!(kept.entries.len(), MEMO_ENTRIES - 2);
        assert_eq!(kept.order.len(), kept.entries.len());
    }
}
