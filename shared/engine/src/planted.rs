//! Bugs that a test plants, to show that the laws of the simulation catch them.
//!
//! Without the feature `planted`, which only dev-dependencies turn on, no bug can be planted and the compiler removes every switch. With it, a
//! switch is off unless the test plants its bug, on its own thread and until it drops the `Planted`.

/// A bug of the engine that no wrapper around a port could imitate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bug {
    /// A condition that gives a text counts as true unless the text is empty.
    TruthyText,
    /// An ended run takes further events.
    TerminalNotAbsorbing,
    /// A run sends as many commands as it likes.
    CommandBudgetIgnored,
    /// The verification starts before the actions have ended.
    VerifyBeforeEffect,
    /// Any result of a step ends the attempt that is pending.
    StaleResultTaken,
}

#[cfg(feature = "planted")]
thread_local! {
    static PLANTED: std::cell::Cell<Option<Bug>> = const { std::cell::Cell::new(None) };
}

/// Keeps a bug planted on this thread until it is dropped.
#[cfg(feature = "planted")]
#[derive(Debug)]
pub struct Planted(std::marker::PhantomData<*const ()>);

/// Plants `bug` on this thread.
#[cfg(feature = "planted")]
#[must_use]
pub fn plant(bug: Bug) -> Planted {
    PLANTED.set(Some(bug));
    Planted(std::marker::PhantomData)
}

#[cfg(feature = "planted")]
impl Drop for Planted {
    fn drop(&mut self) {
        PLANTED.set(None);
    }
}

/// Whether a test has planted `bug`.
#[cfg(feature = "planted")]
pub(crate) fn has(bug: Bug) -> bool {
    PLANTED.get() == Some(bug)
}

/// Whether a test has planted `bug`: never in this build.
#[cfg(not(feature = "planted"))]
pub(crate) const fn has(_: Bug) -> bool {
    false
}
