//! The halts as the drivers read them: checked, and from a cache. A window of the guardrails that holds is a halt while it is open.

use std::fmt;
use std::sync::Arc;

use heal_engine::message::Hold;
use heal_engine::{RunId, Timestamp};
use heal_guard::{Guardrails, Halt, HaltScope, Storm};

use crate::port::{DueRuns, Result, Switches, reservation_put_right};

/// Milliseconds for which halts are cached: no effect starts later than this after a halt was stored.
pub const HALT_CACHE_MS: u64 = 2_000;
/// Greatest age of cached halts that may hold a run, in milliseconds: a halt that was resumed since must not hold its runs again.
pub const HALT_CONFIRM_MS: u64 = 250;
/// Seconds of the longest halt: 30 days. One that nobody remembers ends by itself.
pub const HALT_SECONDS: u64 = 30 * 86_400;
/// Bytes of a halt's reason.
pub const REASON_BYTES: usize = 500;
/// Bytes of a name in a halt's scope.
pub const NAME_BYTES: usize = 256;
/// What the id of every halt starts with.
pub const ID_PREFIX: &str = "halt-";

/// The switches behind a cache of [`HALT_CACHE_MS`]. A read that fails is not replaced by an older one: who cannot read the halts does nothing.
pub struct HaltCache {
    switches: Arc<dyn Switches>,
    /// Its windows that hold are halts while they are open.
    guardrails: Arc<Guardrails>,
    /// The lock is held over a read, so that many readers at once make one call.
    cached: tokio::sync::Mutex<Option<Cached>>,
}

struct Cached {
    read_at: Timestamp,
    halts: Arc<[Halt]>,
}

/// Why a halt is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// The id cannot name a halt.
    #[error("id: `{observed}` cannot name a halt, expected {ID_PREFIX} and letters or digits")]
    Id {
        /// The id.
        observed: String,
    },
    /// It ends before it begins.
    #[error("until: the halt would end before now, expected a later time")]
    Ended,
    /// It would last too long.
    #[error("until: the halt would last {observed_seconds} s, the limit is {HALT_SECONDS} s (30 days)")]
    TooLong {
        /// Its length.
        observed_seconds: u64,
    },
    /// A text is missing.
    #[error("{field}: is empty, expected a text")]
    Empty {
        /// The field.
        field: &'static str,
    },
    /// A text is too long.
    #[error("{field}: has {observed_bytes} bytes, the limit is {limit_bytes} bytes")]
    LongText {
        /// The field.
        field: &'static str,
        /// Its size.
        observed_bytes: usize,
        /// The limit.
        limit_bytes: usize,
    },
}

impl fmt::Debug for HaltCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HaltCache").finish_non_exhaustive()
    }
}

impl HaltCache {
    /// An empty cache in front of `switches`.
    pub fn new(switches: Arc<dyn Switches>) -> Self {
        Self { switches, guardrails: Arc::default(), cached: tokio::sync::Mutex::default() }
    }

    /// An empty cache in front of the same switches, with the windows of `guardrails` that hold.
    #[must_use]
    pub fn under(&self, guardrails: Arc<Guardrails>) -> Self {
        Self { guardrails, ..Self::new(Arc::clone(&self.switches)) }
    }

    /// The halts, at most [`HALT_CACHE_MS`] old at `now`. Those that have ended may be among them.
    ///
    /// # Errors
    /// The switches cannot be read.
    pub async fn read(&self, now: Timestamp) -> Result<Arc<[Halt]>> {
        self.read_if(now, |cached| cached.is_within(now, HALT_CACHE_MS)).await
    }

    /// The halts, at most [`HALT_CONFIRM_MS`] old at `now`.
    ///
    /// # Errors
    /// The switches cannot be read.
    pub(crate) async fn confirm(&self, now: Timestamp) -> Result<Arc<[Halt]>> {
        self.read_if(now, |cached| cached.is_within(now, HALT_CONFIRM_MS)).await
    }

    /// The halts as [`HaltCache::read`] has them, but read after `moment`.
    ///
    /// # Errors
    /// The switches cannot be read.
    pub(crate) async fn read_after(&self, moment: Timestamp, now: Timestamp) -> Result<Arc<[Halt]>> {
        self.read_if(now, |cached| cached.is_within(now, HALT_CACHE_MS) && moment < cached.read_at).await
    }

    async fn read_if(&self, now: Timestamp, is_usable: impl Fn(&Cached) -> bool) -> Result<Arc<[Halt]>> {
        let ordered = self.ordered(now, is_usable).await?;
        let open = self.guardrails.window_halts(now);
        Ok(if open.is_empty() { ordered } else { ordered.iter().cloned().chain(open).collect() })
    }

    /// The halts that people have ordered.
    async fn ordered(&self, now: Timestamp, is_usable: impl Fn(&Cached) -> bool) -> Result<Arc<[Halt]>> {
        let mut cached = self.cached.lock().await;
        if let Some(cached) = cached.as_ref().filter(|cached| is_usable(cached)) {
            return Ok(Arc::clone(&cached.halts));
        }
        *cached = None;
        let halts: Arc<[Halt]> = self.switches.halts().await?.into();
        *cached = Some(Cached { read_at: now, halts: Arc::clone(&halts) });
        Ok(halts)
    }

    /// Stores a halt, which this process sees from now on. False if there are too many already.
    ///
    /// # Errors
    /// The switches cannot be written.
    pub async fn halt(&self, halt: &Halt) -> Result<bool> {
        let mut cached = self.cached.lock().await;
        *cached = None;
        self.switches.halt(halt).await
    }

    /// Prolongs a halt that is stored, which this process sees from now on. False if it is not stored, or lasts as long already.
    ///
    /// # Errors
    /// The switches cannot be written.
    pub async fn prolong(&self, halt: &Halt) -> Result<bool> {
        let mut cached = self.cached.lock().await;
        *cached = None;
        self.switches.prolong(halt).await
    }

    /// Puts right the halts that a wrong clock ordered: each lasts its own length from `now` on.
    ///
    /// # Errors
    /// The switches cannot be read or written.
    pub(crate) async fn put_right(&self, now: Timestamp) -> Result<()> {
        for halt in self.ordered(now, |cached| cached.is_within(now, HALT_CACHE_MS)).await?.iter() {
            let Some((since, until)) = reservation_put_right(halt.since, halt.until, now) else { continue };
            let right = Halt { since, until, ..halt.clone() };
            *self.cached.lock().await = None;
            if self.switches.put_right(&right, halt.until).await? {
                tracing::warn!(
                    event = "halt.put_right",
                    id = halt.id,
                    was_ms = halt.until.0,
                    until_ms = until.0,
                    "a clock that was ahead ordered a halt"
                );
            }
        }
        Ok(())
    }

    /// Ends a halt at `at`. False if there is none.
    ///
    /// # Errors
    /// The switches cannot be written.
    pub async fn resume(&self, id: &str, at: Timestamp) -> Result<bool> {
        let mut cached = self.cached.lock().await;
        *cached = None;
        self.switches.resume(id, at).await
    }
}

impl Cached {
    /// Readers that waited for the lock come with a moment before the read. A clock that was set back makes the halts unknown.
    const fn is_within(&self, now: Timestamp, age_ms: u64) -> bool {
        now.since_ms(self.read_at) < age_ms && self.read_at.since_ms(now) < age_ms
    }
}

/// # Errors
/// Every bound that `halt` breaks has a variant; the first broken one is given.
pub fn check(halt: &Halt) -> std::result::Result<(), Invalid> {
    let digits = halt.id.strip_prefix(ID_PREFIX).unwrap_or_default();
    if digits.is_empty() || digits.len() > 64 || !digits.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Err(Invalid::Id { observed: halt.id.clone() });
    }
    let observed_seconds = halt.until.since_ms(halt.since) / 1_000;
    if halt.until <= halt.since {
        return Err(Invalid::Ended);
    }
    if observed_seconds > HALT_SECONDS {
        return Err(Invalid::TooLong { observed_seconds });
    }
    bounded("reason", &halt.reason, REASON_BYTES)?;
    bounded("by", &halt.by, NAME_BYTES)?;
    match &halt.scope {
        HaltScope::All => Ok(()),
        HaltScope::Playbook { name }
        | HaltScope::Action { name }
        | HaltScope::Service { name }
        | HaltScope::Target { name }
        | HaltScope::Window { name, .. }
        | HaltScope::Dependency { name, .. } => bounded("name", name, NAME_BYTES),
    }
}

fn bounded(field: &'static str, text: &str, limit_bytes: usize) -> std::result::Result<(), Invalid> {
    match text.len() {
        _ if text.trim().is_empty() => Err(Invalid::Empty { field }),
        observed_bytes if observed_bytes > limit_bytes => Err(Invalid::LongText { field, observed_bytes, limit_bytes }),
        _ => Ok(()),
    }
}

/// Of the halts in force at `now` that hold a whole run of `playbook`, the one that ends last.
pub(crate) fn of_run<'a>(halts: &'a [Halt], playbook: &str, now: Timestamp) -> Option<&'a Halt> {
    let holds = |halt: &&Halt| match &halt.scope {
        HaltScope::All => true,
        HaltScope::Playbook { name } => name == playbook,
        HaltScope::Window { applies_to, .. } | HaltScope::Dependency { applies_to, .. } => {
            let is_whole = applies_to.actions.is_empty() && applies_to.services.is_empty();
            is_whole && (applies_to.playbooks.is_empty() || applies_to.playbooks.iter().any(|name| name == playbook))
        }
        HaltScope::Action { .. } | HaltScope::Service { .. } | HaltScope::Target { .. } => false,
    };
    halts.iter().filter(|halt| now < halt.until).filter(holds).max_by_key(|halt| halt.until)
}

/// Ids of the halts in force at `now`.
pub fn lasting(halts: &[Halt], now: Timestamp) -> Vec<String> {
    halts.iter().filter(|halt| now < halt.until).map(|halt| halt.id.clone()).collect()
}

/// The halts of people that last at `now`.
pub fn ordered(halts: &[Halt], now: Timestamp) -> u64 {
    let is_of_person = |halt: &&Halt| halt.storm.is_none() && !is_dependency(halt);
    halts.iter().filter(is_of_person).filter(|halt| now < halt.until).count() as u64
}

/// The dependencies that are sick at `now`.
pub fn dependencies(halts: &[Halt], now: Timestamp) -> u64 {
    halts.iter().filter(|halt| is_dependency(halt) && now < halt.until).count() as u64
}

const fn is_dependency(halt: &Halt) -> bool {
    matches!(halt.scope, HaltScope::Dependency { .. })
}

/// The storms that last at `now`.
pub fn storms(halts: &[Halt], now: Timestamp) -> impl Iterator<Item = (&Halt, &Storm)> {
    halts.iter().filter(move |halt| now < halt.until).filter_map(|halt| Some((halt, halt.storm.as_ref()?)))
}

/// Of the runs that each storm holds as many as its trickle lets pass in a window.
///
/// # Errors
/// `due_runs` cannot be read.
pub async fn trickling(due_runs: &dyn DueRuns, halts: &[Halt], now: Timestamp) -> Result<Vec<RunId>> {
    let mut runs = Vec::new();
    for (halt, storm) in storms(halts, now) {
        let others: Vec<_> = lasting(halts, now).into_iter().filter(|id| *id != halt.id).collect();
        runs.extend(due_runs.held_by_others(&others, storm.trickle as usize).await?);
    }
    Ok(runs)
}

/// The hold of a run by `halt`.
pub(crate) fn hold(halt: &Halt) -> Hold {
    Hold { by: halt.by.clone(), reason: halt.why(), halt: Some(halt.id.clone()), until: Some(halt.until) }
}
