//! Faults of calls: the request was lost, or only its answer.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex};

use heal_runtime::port::{BackendError, Result};

use super::lock;

/// Whether a call fails before or after its effect. The caller sees the same error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// Nothing was applied.
    Before,
    /// Everything was applied, and the answer was lost.
    After,
}

/// Decides for each call, by the operation's name, whether it fails.
type Hook = Box<dyn FnMut(&'static str) -> Option<When> + Send>;

#[derive(Default)]
struct Plan {
    /// Consulted first: the oldest entry for this operation, or for any, is used up.
    next: VecDeque<(Option<&'static str>, When)>,
    hook: Option<Hook>,
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

    /// Removes all planned faults.
    pub fn clear(&self) {
        *lock(&self.plan) = Plan::default();
    }

    /// Runs `apply`, unless the call is to fail before it; if the call is to fail after it, the answer is lost.
    pub(super) fn around<T>(&self, operation: &'static str, apply: impl FnOnce() -> T) -> Result<T> {
        match self.take(operation) {
            None => Ok(apply()),
            Some(When::Before) => Err(lost(operation)),
            Some(When::After) => {
                apply();
                Err(lost(operation))
            }
        }
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

impl fmt::Debug for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plan = lock(&self.plan);
        f.debug_struct("Faults").field("next", &plan.next).field("hook", &plan.hook.is_some()).finish()
    }
}

fn lost(operation: &'static str) -> BackendError {
    BackendError::unavailable(operation, "a planned fault")
}
