//! Time and chance, so that a test or a simulation can own both.

mod steady;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use heal_engine::Timestamp;

use super::{BackendError, Result};

pub use steady::Jump;
use steady::Steady;

/// The wall clock.
pub trait Clock: Send + Sync + 'static {
    /// The current time, in milliseconds since the epoch.
    fn now(&self) -> Timestamp;
}

/// Unpredictable numbers: tokens, ids and jitter are made of them.
pub trait Entropy: Send + Sync + 'static {
    /// The next number.
    ///
    /// # Errors
    /// [`BackendError::Unavailable`]: the generator failed. A guessable number would be worse than a turn that is tried again.
    fn next(&self) -> Result<u64>;
}

/// The operating system's clock, steady in one process: where somebody puts the clock back by less than a day, time goes on at nine tenths of its
/// speed until the clock has caught up, so that a wait of two seconds does not take an hour. A jump is logged as `clock.jumped`.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

/// The process has one time, however many values of [`SystemClock`] there are.
static STEADY: Mutex<Option<(Instant, Steady)>> = Mutex::new(None);

/// Who counts the jumps of this process' clock, and those from before.
static COUNTED: Mutex<Counted> = Mutex::new(Counted { by: None, before: Vec::new() });

/// Jumps that are kept until somebody counts them: those of a start.
const UNCOUNTED: usize = 16;

struct Counted {
    by: Option<CountJump>,
    before: Vec<Jump>,
}

/// Counts one jump; must not block.
type CountJump = Arc<dyn Fn(Jump) + Send + Sync>;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the port")]
    fn now(&self) -> Timestamp {
        let wall = || {
            let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            Timestamp(u64::try_from(wall.as_millis()).unwrap_or(u64::MAX))
        };
        let (now, jump) = {
            let mut steady = STEADY.lock().unwrap_or_else(PoisonError::into_inner);
            let (start, steady) = steady.get_or_insert_with(|| (Instant::now(), Steady::new(wall())));
            let (wall, elapsed_ms) =
                steady::pair(wall, || u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX));
            steady.advance(wall, elapsed_ms)
        };
        if let Some(jump) = jump {
            tell(jump);
        }
        now
    }
}

impl SystemClock {
    /// Lets this process' time begin at `seen`, which its store has seen already, if the clock is behind it by less than a day: it was put back while
    /// no process ran.
    pub fn not_before(seen: Timestamp) {
        let behind_ms = seen.since_ms(Self.now());
        let mut steady = STEADY.lock().unwrap_or_else(PoisonError::into_inner);
        let is_raised = steady.as_mut().is_some_and(|(_, steady)| steady.raise(seen));
        drop(steady);
        if is_raised {
            tell(Jump::Back { by_ms: behind_ms });
        }
    }

    /// Lets `count` count every jump of this process' clock from now on, and those that nobody has counted. The last caller's counts.
    pub fn counting_jumps(count: impl Fn(Jump) + Send + Sync + 'static) {
        let before = {
            let mut counted = COUNTED.lock().unwrap_or_else(PoisonError::into_inner);
            counted.by = Some(Arc::new(count));
            std::mem::take(&mut counted.before)
        };
        before.into_iter().for_each(tally);
    }
}

fn tell(jump: Jump) {
    log(jump);
    tally(jump);
}

/// Counts `jump`, or keeps it for who counts later. The lock is not held meanwhile: who counts may ask for the time.
fn tally(jump: Jump) {
    let by = {
        let mut counted = COUNTED.lock().unwrap_or_else(PoisonError::into_inner);
        if counted.by.is_none() && counted.before.len() < UNCOUNTED {
            counted.before.push(jump);
        }
        counted.by.clone()
    };
    if let Some(count) = by {
        count(jump);
    }
}

fn log(jump: Jump) {
    match jump {
        Jump::Back { by_ms } => {
            tracing::warn!(
                event = "clock.jumped",
                by_ms,
                "the clock was put back; time goes on slowly until it has caught up"
            );
        }
        Jump::FarBack { by_ms } => {
            tracing::error!(
                event = "clock.jumped",
                by_ms,
                "the clock was put back by more than a day; what was stored meanwhile is in the future"
            );
        }
        Jump::Ahead { by_ms } => {
            // A function that was frozen, or a closed lid: so every second call of a function sees it.
            tracing::debug!(event = "clock.jumped", by_ms, "the clock was put ahead, or this process was stopped");
        }
    }
}

/// The operating system's random number generator.
#[derive(Debug, Clone, Copy, Default)]
pub struct OsEntropy;

impl Entropy for OsEntropy {
    #[expect(clippy::disallowed_methods, reason = "this is the port")]
    fn next(&self) -> Result<u64> {
        getrandom::u64().map_err(|error| BackendError::unavailable("entropy.next", error))
    }
}
