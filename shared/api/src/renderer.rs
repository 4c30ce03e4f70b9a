//! Long folds and renderings, off the threads that answer requests.
//!
//! The log of a run of 10,000 elements takes a second to fold and to write as JSON. On a thread of the server, forty readers of it would hold up
//! every other request, `/health` first. So a few at a time are rendered on threads of their own, and what was rendered is kept for the next
//! reader of the same state.

use std::collections::{HashMap, VecDeque};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::{Mutex, PoisonError};

use axum::http::StatusCode;
use heal_engine::{RunId, Seq, Timestamp};
use serde::Serialize;
use tokio::sync::{AcquireError, Semaphore};
use tokio::task::JoinError;

use crate::cached::Tagged;
use crate::problem::Problem;

/// Renderings at a time, each with the whole log of a run in memory; further readers wait.
pub(crate) const RENDERINGS: usize = 2;
/// The newest sequence number of a log that is so short that its answer is rendered at once, and not kept: that takes less time than to hand it
/// over.
const SHORT_LOG: Seq = 64;
/// Locks that readers of the same state share, so that one of them renders; readers of other states rarely meet at one.
const LANES: usize = 32;
/// Bytes of all answers that are kept.
pub(crate) const KEPT_BYTES: usize = 32 * 1024 * 1024;
/// Bytes that a kept answer counts for beside its body: its key, twice, and its place. Small answers are not free.
const ENTRY_BYTES: usize = 1_024;

/// The places of this process: the processor is one, however many routers there are.
static PLACES: Semaphore = Semaphore::const_new(RENDERINGS);

/// What was to be done on a thread of its own was not.
#[derive(Debug, thiserror::Error)]
pub enum Lost {
    /// There are no places any more.
    #[error("the server is stopping")]
    Stopping(#[from] AcquireError),
    /// It panicked.
    #[error("failed to work on a thread of its own")]
    Panicked(#[from] JoinError),
}

/// What `work` makes of what `read` reads, on a thread of its own, [`RENDERINGS`] at a time. `read` must not wait for a place itself.
///
/// # Errors
/// Those of `read` and `work`.
pub(crate) async fn apart<I, T, E>(
    read: impl Future<Output = Result<I, E>>,
    work: impl FnOnce(I) -> Result<T, E> + Send + 'static,
) -> Result<T, E>
where
    I: Send + 'static,
    T: Send + 'static,
    E: From<Lost> + Send + 'static,
{
    let _place = PLACES.acquire().await.map_err(Lost::from)?;
    let input = read.await?;
    tokio::task::spawn_blocking(move || work(input)).await.map_err(Lost::from)?
}

/// Renders, and remembers.
#[derive(Debug)]
pub(crate) struct Renderer {
    lanes: Vec<tokio::sync::Mutex<()>>,
    kept: Mutex<Kept>,
}

/// Names one state of one answer. The log of a run only grows, so its sequence number says all.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    /// Which answer.
    pub kind: &'static str,
    pub run_id: RunId,
    /// When the run started: an id may be used again once its run is removed.
    pub started_at: Timestamp,
    /// The newest event.
    pub seq: Seq,
    /// What else the reader asked for.
    pub part: String,
}

#[derive(Debug, Default)]
struct Kept {
    answers: HashMap<Key, Tagged>,
    /// The oldest first.
    order: VecDeque<Key>,
    bytes: usize,
}

impl Default for Renderer {
    fn default() -> Self {
        let lanes = (0..LANES).map(|_| tokio::sync::Mutex::default()).collect();
        Self { lanes, kept: Mutex::default() }
    }
}

impl Renderer {
    /// The answer that is kept under `key`, else that of `render`, which gets what `read` reads.
    ///
    /// # Errors
    /// Those of `read` and `render`.
    pub(crate) async fn answer<I, T>(
        &self,
        key: Key,
        read: impl Future<Output = Result<I, Problem>>,
        render: impl FnOnce(I) -> Result<T, Problem> + Send + 'static,
    ) -> Result<Tagged, Problem>
    where
        I: Send + 'static,
        T: Serialize,
    {
        if key.seq <= SHORT_LOG {
            return Tagged::new(&render(read.await?)?);
        }
        if let Some(answer) = self.find(&key) {
            return Ok(answer);
        }
        let _lane = match self.lane(&key) {
            Some(lane) => Some(lane.lock().await),
            None => None,
        };
        // Whoever had the lane before may have rendered the same.
        if let Some(answer) = self.find(&key) {
            return Ok(answer);
        }
        let answer = apart(read, move |input| Tagged::new(&render(input)?)).await?;
        self.keep(key, answer.clone());
        Ok(answer)
    }

    fn lane(&self, key: &Key) -> Option<&tokio::sync::Mutex<()>> {
        let mut hasher = DefaultHasher::new();
        key.hash(&mut hasher);
        let lane = usize::try_from(hasher.finish()).unwrap_or_default().checked_rem(LANES).unwrap_or_default();
        self.lanes.get(lane)
    }

    fn find(&self, key: &Key) -> Option<Tagged> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).answers.get(key).cloned()
    }

    fn keep(&self, key: Key, answer: Tagged) {
        let size = size(&answer);
        if size > KEPT_BYTES {
            return;
        }
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.answers.insert(key.clone(), answer).is_none() {
            kept.order.push_back(key);
            kept.bytes += size;
        }
        while kept.bytes > KEPT_BYTES {
            let Some(oldest) = kept.order.pop_front() else { break };
            let freed = kept.answers.remove(&oldest).map_or(0, |answer| self::size(&answer));
            kept.bytes = kept.bytes.saturating_sub(freed);
        }
    }
}

fn size(answer: &Tagged) -> usize {
    answer.body.len() + ENTRY_BYTES
}

impl From<Lost> for Problem {
    fn from(lost: Lost) -> Self {
        match lost {
            Lost::Stopping(_) => Self::new(StatusCode::SERVICE_UNAVAILABLE, lost.to_string()),
            Lost::Panicked(_) => Self::new(StatusCode::INTERNAL_SERVER_ERROR, lost.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc;
    use std::time::Duration;

    use futures_util::future::join_all;

    use super::*;

    /// Longer than a machine under load takes to run a task.
    const PATIENCE: Duration = Duration::from_secs(30);

    /// Of a long log.
    fn key(seq: Seq) -> Key {
        let seq = SHORT_LOG + seq;
        Key { kind: "run", run_id: RunId::new("run-1"), started_at: Timestamp(1), seq, part: String::new() }
    }

    /// The test has one thread: were it held by the rendering, nobody would send the word that the rendering waits for.
    #[tokio::test]
    async fn the_thread_that_answers_is_free_while_an_answer_is_rendered() {
        let renderer = Renderer::default();
        let (word, heard) = mpsc::channel();
        let render = move |()| {
            heard.recv_timeout(PATIENCE).map_err(|_| Problem::not_found("the thread is held"))?;
            Ok("answer")
        };
        let other = async { word.send(()).unwrap() };
        let (answer, ()) = tokio::join!(renderer.answer(key(1), async { Ok(()) }, render), other);
        assert_eq!(answer.unwrap().body, "\"answer\"");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn forty_readers_of_one_state_cost_one_rendering_and_a_new_state_another() {
        let renderer = Renderer::default();
        let rendered = Arc::new(AtomicUsize::new(0));
        let read = |seq| {
            let rendered = Arc::clone(&rendered);
            renderer.answer(key(seq), async { Ok(()) }, move |()| Ok(rendered.fetch_add(1, Ordering::SeqCst)))
        };
        let answers = join_all((0..40).map(|_| read(1))).await;
        assert!(answers.iter().all(|answer| answer.as_ref().is_ok_and(|answer| answer.body == "0")));
        read(2).await.unwrap();
        assert_eq!(rendered.load(Ordering::SeqCst), 2);
    }

    #[tokio::test]
    async fn an_answer_about_a_short_log_is_rendered_by_its_own_thread_each_time() {
        let renderer = Renderer::default();
        let here = std::thread::current().id();
        let short = Key { seq: SHORT_LOG, ..key(0) };
        for _ in 0..2 {
            let render = move |()| Ok(std::thread::current().id() == here);
            let answer = renderer.answer(short.clone(), async { Ok(()) }, render).await.unwrap();
            assert_eq!(answer.body, "true");
        }
        assert!(renderer.find(&short).is_none(), "nothing is kept");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_few_are_rendered_at_a_time() {
        let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let render = |_| {
            let (now, most) = (Arc::clone(&now), Arc::clone(&most));
            apart(async { Ok::<_, Problem>(()) }, move |()| {
                most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                std::thread::yield_now();
                now.fetch_sub(1, Ordering::SeqCst);
                Ok(())
            })
        };
        let ended = join_all((0..200).map(render)).await;
        assert!(ended.iter().all(Result::is_ok));
        assert!((1..=RENDERINGS).contains(&most.load(Ordering::SeqCst)));
    }

    #[tokio::test]
    async fn what_is_kept_is_bounded_and_the_oldest_goes_first() {
        let renderer = Renderer::default();
        let large = "x".repeat(KEPT_BYTES / 3);
        for seq in 1..=5 {
            let large = large.clone();
            renderer.answer(key(seq), async { Ok(()) }, move |()| Ok(large)).await.unwrap();
        }
        assert!(renderer.kept.lock().unwrap().bytes <= KEPT_BYTES);
        assert!(renderer.find(&key(1)).is_none() && renderer.find(&key(5)).is_some());
        let count = KEPT_BYTES / ENTRY_BYTES + 10;
        (1..).take(count).for_each(|seq| renderer.keep(key(seq), Tagged::new(&1).unwrap()));
        assert!(renderer.kept.lock().unwrap().answers.len() <= KEPT_BYTES / ENTRY_BYTES);
    }
}
