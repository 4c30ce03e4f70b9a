//! Faults of calls: the request was lost, or only its answer; a call that takes a while; an index that lags.

use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::sync::{Arc, Mutex};
use std::task::Poll;

use heal_runtime::port::{BackendError, Result};

use super::lock;

/// Whether a call fails before or after its effect. The caller sees the same error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum When {
    /// Nothing was applied.
    Before,
    /// Everything was applied, and the answer was lost.
    After,
}

/// Decides for each call, by the operation's name, whether it fails.
type Hook = Box<dyn FnMut(&'static str) -> Option<When> + Send>;
/// How often a call lets others work, before it or after it.
type Pauses = Box<dyn FnMut(&'static str, When) -> u32 + Send>;
/// Whether a read by an index misses the last write.
type Lags = Box<dyn FnMut(&'static str) -> bool + Send>;

#[derive(Default)]
struct Plan {
    /// Consulted first: the oldest entry for this operation, or for any, is used up.
    next: VecDeque<(Option<&'static str>, When)>,
    hook: Option<Hook>,
    pauses: Option<Pauses>,
    lags: Option<Lags>,
}

/// Planned faults, shared by all clones. Operations are named as in [`BackendError`], such as `runs.append`.
#[derive(Clone, Default)]
pub struct Faults {
    plan: Arc<Mutex<Plan>>,
}

impl Faults {
    /// The next `calls` calls fail, whichever they are.
    pub fn fail_next(&self, calls: usize, when: When) {
        lock(&self.plan).next.extend(std::iter::repeat_n((None, when), calls));
    }

    /// The next `calls` calls of `operation` fail.
    pub fn fail_next_of(&self, operation: &'static str, calls: usize, when: When) {
        lock(&self.plan).next.extend(std::iter::repeat_n((Some(operation), when), calls));
    }

    /// Calls `hook` for every call without a planned fault. It must not call the backend.
    pub fn decide_by(&self, hook: impl FnMut(&'static str) -> Option<When> + Send + 'static) {
        lock(&self.plan).hook = Some(Box::new(hook));
    }

    /// Lets other tasks work before each call and after it, as often as `hook` says. It must not call the backend.
    pub fn pause_by(&self, hook: impl FnMut(&'static str, When) -> u32 + Send + 'static) {
        lock(&self.plan).pauses = Some(Box::new(hook));
    }

    /// A read by an index misses the last write where `hook` says so. It must not call the backend.
    pub fn lag_by(&self, hook: impl FnMut(&'static str) -> bool + Send + 'static) {
        lock(&self.plan).lags = Some(Box::new(hook));
    }

    /// Removes all planned faults.
    pub fn clear(&self) {
        *lock(&self.plan) = Plan::default();
    }

    /// Runs `apply`, unless the call is to fail before it; if the call is to fail after it, the answer is lost.
    pub(super) async fn around<T>(&self, operation: &'static str, apply: impl FnOnce() -> T) -> Result<T> {
        self.pause(operation, When::Before).await;
        let answer = match self.take(operation) {
            None => Ok(apply()),
            Some(When::Before) => Err(lost(operation)),
            Some(When::After) => {
                apply();
                Err(lost(operation))
            }
        };
        self.pause(operation, When::After).await;
        answer
    }

    async fn pause(&self, operation: &'static str, when: When) {
        let pauses = lock(&self.plan).pauses.as_mut().map_or(0, |pauses| pauses(operation, when));
        for _ in 0..pauses {
            let_others_work().await;
        }
    }

    /// Whether this read by an index misses the last write.
    pub(super) fn lags(&self, operation: &'static str) -> bool {
        lock(&self.plan).lags.as_mut().is_some_and(|lags| lags(operation))
    }

    fn take(&self, operation: &'static str) -> Option<When> {
        let mut plan = lock(&self.plan);
        let planned = plan.next.iter().position(|(only, _)| only.is_none_or(|name| name == operation));
        match planned.and_then(|index| plan.next.remove(index)) {
            Some((_, when)) => Some(when),
            None => plan.hook.as_mut().and_then(|hook| hook(operation)),
        }
    }
}

/// Ready at the second poll.
async fn let_others_work() {
    let mut is_polled = false;
    poll_fn(|context| {
        if is_polled {
            return Poll::Ready(());
        }
        is_polled = true;
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

impl fmt::Debug for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plan = lock(&self.plan);
        f.debug_struct("Faults").field("next", &plan.next).field("hook", &plan.hook.is_some()).finish()
    }
}

fn lost(operation: &'static str) -> BackendError {
    BackendError::unavailable(operation, "a planned fault")
}
