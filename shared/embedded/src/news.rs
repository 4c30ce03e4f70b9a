//! News of runs for the readers of this process, so that they need not ask again and again.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use heal_runtime::RunId;
use heal_runtime::port::{RunHead, RunNews, Standing};
use tokio::sync::watch;

use crate::store::Store;

/// The runs that somebody follows.
#[derive(Debug, Default)]
pub(crate) struct News(Mutex<HashMap<RunId, watch::Sender<Standing>>>);

impl News {
    fn follow(&self, run_id: &RunId) -> watch::Receiver<Standing> {
        let mut followed = self.lock();
        if followed.len() == followed.capacity() {
            // Before it grows: a run that nobody follows any more needs no place.
            followed.retain(|_, sender| sender.receiver_count() > 0);
        }
        followed.entry(run_id.clone()).or_default().subscribe()
    }

    /// A commit after which its run stands as `head` says is on the disk.
    pub(crate) fn written(&self, head: &RunHead) {
        let mut followed = self.lock();
        let is_left = followed.get(&head.run_id).is_some_and(|sender| sender.send(head.into()).is_err());
        if is_left {
            followed.remove(&head.run_id);
        }
    }

    /// A panic cannot leave it half changed, so poisoning is ignored.
    fn lock(&self) -> MutexGuard<'_, HashMap<RunId, watch::Sender<Standing>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl RunNews for Store {
    fn follow(&self, run_id: &RunId) -> watch::Receiver<Standing> {
        self.news().follow(run_id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_that_nobody_follows_any_more_take_no_places() {
        let news = News::default();
        let kept = news.follow(&RunId::new("kept"));
        for number in 0..10_000 {
            drop(news.follow(&RunId::new(format!("run-{number}"))));
        }
        assert!(news.lock().len() < 32, "{}", news.lock().len());
        assert!(news.lock().contains_key(&RunId::new("kept")));
        drop(kept);
    }
}
