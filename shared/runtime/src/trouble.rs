//! Trouble of this process or its machine: no descriptor, memory or port was free.
//!
//! It says nothing about the service that was to be called, and it passes. Whoever meets it notes it, and the attempt in whose course it
//! happened is made again: no step is skipped or failed for it.

use std::future::Future;
use std::sync::{Arc, OnceLock};

tokio::task_local! {
    static NOTED: Arc<OnceLock<String>>;
}

/// Watches one piece of work for trouble that is noted in its course, by the task that does it.
#[derive(Debug, Default)]
pub struct TroubleWatch(Arc<OnceLock<String>>);

impl TroubleWatch {
    /// Awaits `work`, and takes down what it notes.
    pub async fn during<T>(&self, work: impl Future<Output = T>) -> T {
        NOTED.scope(Arc::clone(&self.0), work).await
    }

    /// The first trouble that was noted.
    pub fn noted(&self) -> Option<&str> {
        self.0.get().map(String::as_str)
    }
}

/// Notes trouble for the work that this task does; without a watch, nobody needs it.
pub fn note(detail: &str) {
    // Of several, the first is kept.
    let _ = NOTED.try_with(|noted| noted.set(detail.to_owned()));
}

/// The first trouble that was noted so far in the work that this task does.
pub fn noted() -> Option<String> {
    NOTED.try_with(|noted| noted.get().cloned()).ok().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_first_trouble_of_the_watched_work_is_kept() {
        let (watch, other) = (TroubleWatch::default(), TroubleWatch::default());
        note("before");
        watch.during(async { note("first") }).await;
        watch.during(async { note("second") }).await;
        other.during(async { assert_eq!(noted(), None) }).await;
        assert_eq!((watch.noted(), other.noted(), noted()), (Some("first"), None, None));
    }
}
