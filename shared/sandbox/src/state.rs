//! What the services keep their state with: a lock that survives a panic, and responses stored by idempotency key.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The number of responses kept for replay; beyond it the oldest is dropped.
const ANSWERS_KEPT: usize = 100_000;

/// Locks `mutex` even if a test's thread panicked while it held the lock.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Responses to changes, by route and idempotency key: a retried change gets the first response and has no second
/// effect.
#[derive(Debug)]
pub(crate) struct Replay<T> {
    answers: HashMap<(String, String), T>,
    order: VecDeque<(String, String)>,
}

impl<T> Default for Replay<T> {
    fn default() -> Self {
        Self { answers: HashMap::new(), order: VecDeque::new() }
    }
}

impl<T: Clone> Replay<T> {
    /// The response stored for `key` on `route`; `None` without a key.
    pub(crate) fn find(&self, route: &str, key: Option<&str>) -> Option<T> {
        self.answers.get(&(route.to_owned(), present(key)?.to_owned())).cloned()
    }

    /// Stores the response to a change that was performed.
    pub(crate) fn keep(&mut self, route: &str, key: Option<&str>, answer: T) {
        let Some(key) = present(key) else {
            return;
        };
        let at = (route.to_owned(), key.to_owned());
        if self.answers.insert(at.clone(), answer).is_none() {
            self.order.push_back(at);
        }
        if self.order.len() > ANSWERS_KEPT
            && let Some(oldest) = self.order.pop_front()
        {
            self.answers.remove(&oldest);
        }
    }
}

fn present(key: Option<&str>) -> Option<&str> {
    key.filter(|key| !key.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_belongs_to_its_route_and_key() {
        let mut replay = Replay::default();
        replay.keep("/a", Some("k"), 1);
        replay.keep("/a", None, 2);
        replay.keep("/a", Some(""), 3);
        assert_eq!(replay.find("/a", Some("k")), Some(1));
        assert_eq!(replay.find("/b", Some("k")), None);
        assert_eq!(replay.find("/a", None), None);
        assert_eq!(replay.find("/a", Some("")), None);
    }

    #[test]
    fn the_oldest_answer_is_dropped() {
        let mut replay = Replay::default();
        for at in 0..=ANSWERS_KEPT {
            replay.keep("/a", Some(&at.to_string()), at);
        }
        assert_eq!(replay.find("/a", Some("0")), None);
        assert_eq!(replay.find("/a", Some("1")), Some(1));
        assert_eq!(replay.answers.len(), ANSWERS_KEPT);
    }
}
