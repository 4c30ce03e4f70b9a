//! Processes that die and freeze, on machines whose clocks differ.

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::task::{Context, Poll};

use heal_runtime::Timestamp;
use heal_runtime::port::Clock;
use heal_testkit::memory::ManualClock;

/// A clock that is a year ahead is wrong by this, in milliseconds.
pub const YEAR_MS: i64 = 365 * 86_400_000;
/// Milliseconds by which right clocks differ from the true time, at most.
pub const SKEW_MS: u64 = 5_000;

/// A machine: its clock, which may differ from the true time.
#[derive(Debug)]
pub struct Machine {
    truth: Arc<ManualClock>,
    ahead_ms: AtomicI64,
}

/// One life of a process on a machine.
#[derive(Debug)]
pub struct Process {
    pub machine: Arc<Machine>,
    is_dead: AtomicBool,
}

impl Machine {
    pub fn new(truth: Arc<ManualClock>, ahead_ms: i64) -> Self {
        Self { truth, ahead_ms: AtomicI64::new(ahead_ms) }
    }

    pub fn set_ahead_ms(&self, ahead_ms: i64) {
        self.ahead_ms.store(ahead_ms, Ordering::SeqCst);
    }

    /// Whether its clock is wrong by more than clocks differ.
    pub fn is_wrong(&self) -> bool {
        self.ahead_ms.load(Ordering::SeqCst).unsigned_abs() > SKEW_MS
    }
}

impl Clock for Machine {
    fn now(&self) -> Timestamp {
        Timestamp(self.truth.now().0.saturating_add_signed(self.ahead_ms.load(Ordering::SeqCst)))
    }
}

impl Process {
    pub fn new(machine: Arc<Machine>) -> Self {
        Self { machine, is_dead: AtomicBool::new(false) }
    }

    pub fn is_dead(&self) -> bool {
        self.is_dead.load(Ordering::SeqCst)
    }

    /// From now on, nothing that it does has an effect.
    pub fn die(&self) {
        self.is_dead.store(true, Ordering::SeqCst);
    }
}

thread_local! {
    static CURRENT: RefCell<Option<Arc<Process>>> = const { RefCell::new(None) };
}

/// The process that makes the present call; `None` for what is outside of all processes.
pub fn current() -> Option<Arc<Process>> {
    CURRENT.with_borrow(Clone::clone)
}

/// Work of a process: whoever is called by it can tell.
pub struct Work<'a> {
    process: Arc<Process>,
    work: Pin<Box<dyn Future<Output = ()> + 'a>>,
}

impl<'a> Work<'a> {
    pub fn new(process: Arc<Process>, work: impl Future<Output = ()> + 'a) -> Self {
        Self { process, work: Box::pin(work) }
    }
}

/// Work that a platform may end: after so many polls it is dropped, wherever it is.
pub struct Bounded<'a> {
    work: Pin<Box<dyn Future<Output = ()> + 'a>>,
    polls: u32,
}

impl<'a> Bounded<'a> {
    pub fn new(polls: u32, work: impl Future<Output = ()> + 'a) -> Self {
        Self { work: Box::pin(work), polls }
    }
}

impl Future for Bounded<'_> {
    /// Whether the work came to its end.
    type Output = bool;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<bool> {
        let Some(left) = self.polls.checked_sub(1) else { return Poll::Ready(false) };
        self.polls = left;
        self.work.as_mut().poll(context).map(|()| true)
    }
}

impl Future for Work<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let before = CURRENT.replace(Some(self.process.clone()));
        let polled = self.work.as_mut().poll(context);
        CURRENT.set(before);
        polled
    }
}
