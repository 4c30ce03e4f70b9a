//! Scheduled checks: on each tick of a schedule, probe the targets that are due, store what was seen, and raise incidents.
//!
//! A check may only probe, store its own row and send incidents: it starts no run and calls no action.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use heal_engine::Timestamp;
use heal_engine::check::{self, Check, CheckError, Compiled};
use heal_engine::{format, limit};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::port::{BackendError, CheckStore, Clock, Prober, Sender};

pub use heal_engine::check::{
    Dependency, Failing, GrpcHealth, Http, Method, Observation, OverdueTickets, Probe, Service, Sighting,
    StuckWorkflows,
};

mod log;
mod probe;

/// The default time for one run: a tick of one minute, less the time to start and end a function.
pub const DEADLINE: Duration = Duration::from_secs(50);
/// The part of a run's time that is reserved for storing and sending after the probes.
pub const RESERVE: Duration = Duration::from_secs(5);
/// The default interval of the schedule (EventBridge, `rate(1 minute)`).
pub const TICK: Duration = Duration::from_mins(1);

/// The checks over their ports.
#[derive(Clone)]
pub struct Checks {
    all: Arc<Vec<Compiled>>,
    ports: Ports,
    deadline: Duration,
    tick: Duration,
    notifies: bool,
}

/// What checks may touch.
#[derive(Clone)]
#[expect(missing_debug_implementations, reason = "ports are behaviour, there is nothing to print")]
pub struct Ports {
    /// Probes the targets.
    pub prober: Arc<dyn Prober>,
    /// The checks' own rows.
    pub store: Arc<dyn CheckStore>,
    /// The incidents queue.
    pub sender: Arc<dyn Sender>,
}

/// A set of checks that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A check does not compile.
    #[error(transparent)]
    Check(#[from] CheckError),
    /// Names have to be unique.
    #[error("two checks are named {name}; rename one")]
    Twice {
        /// The name.
        name: String,
    },
    /// More than [`limit::CHECKS`] checks.
    #[error("there are {observed} checks, the limit is {}", limit::CHECKS)]
    TooMany {
        /// The number of checks.
        observed: usize,
    },
    /// The text is not what `heal check compile` writes.
    #[error("failed to read the compiled checks")]
    Unreadable(#[source] serde_json::Error),
}

/// One check in one run.
#[derive(Debug)]
pub struct Checked {
    /// The check's name.
    pub check: String,
    /// What it came to.
    pub outcome: CheckOutcome,
}

/// The result of one check in one run.
#[derive(Debug)]
pub enum CheckOutcome {
    /// The check's interval has not passed yet.
    NotDue,
    /// The probe saw its targets, and the new state is stored.
    Probed {
        /// The number of failing targets.
        failing: usize,
        /// Ids of the incidents that were sent.
        raised: Vec<String>,
    },
    /// The probe saw nothing; this is stored too.
    Unknown {
        /// Why it saw nothing.
        reason: String,
    },
    /// A concurrent run stored its state first: its observation counts, and it raises the incidents.
    Overtaken,
    /// The state could not be read or stored, or the incidents could not be sent; the next run continues from the stored state.
    Failed(BackendError),
    /// A newer build wrote the stored state: it stays as it is, and the check does nothing until this build is upgraded.
    Newer(format::Error),
    /// The run's time ran out.
    Late,
}

impl std::fmt::Debug for Checks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<_> = self.iter().map(|check| &check.name).collect();
        f.debug_struct("Checks").field("checks", &names).field("deadline", &self.deadline).finish_non_exhaustive()
    }
}

impl Checks {
    /// Compiles `checks`.
    ///
    /// # Errors
    /// The first check that cannot be used, or too many checks.
    pub fn new(checks: impl IntoIterator<Item = Check>, ports: Ports) -> Result<Self, Error> {
        let checks = checks.into_iter().map(Compiled::new).collect::<Result<Vec<_>, _>>()?;
        if checks.len() > limit::CHECKS {
            return Err(Error::TooMany { observed: checks.len() });
        }
        let mut names = BTreeSet::new();
        if let Some(twin) = checks.iter().find(|compiled| !names.insert(&compiled.check.name)) {
            return Err(Error::Twice { name: twin.check.name.clone() });
        }
        Ok(Self { all: Arc::new(checks), ports, deadline: DEADLINE, tick: TICK, notifies: false })
    }

    /// Reads the checks that `heal check compile` has written.
    ///
    /// # Errors
    /// The text cannot be read, or as [`Checks::new`].
    pub fn from_json(json: &str, ports: Ports) -> Result<Self, Error> {
        Self::new(check::from_json(json).map_err(Error::Unreadable)?, ports)
    }

    /// Sets the time for one run.
    #[must_use]
    pub const fn within(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// Tells the notifier of every raised incident.
    #[must_use]
    pub const fn notifying(mut self) -> Self {
        self.notifies = true;
        self
    }

    /// Sets the interval of the schedule.
    #[must_use]
    pub const fn every(mut self, tick: Duration) -> Self {
        self.tick = tick;
        self
    }

    /// The checks, in the order in which they were given.
    pub fn iter(&self) -> impl Iterator<Item = &Check> {
        self.all.iter().map(|compiled| &compiled.check)
    }

    /// Runs every check that is due at `now`, all concurrently, and returns what each one came to.
    ///
    /// # Flow
    /// For each check: load its state; probe; store the next state if no other run has stored one meanwhile; send the incidents; store
    /// that they were sent.
    ///
    /// # Guarantees
    /// Checks are independent: one that hangs, fails or has an unreadable state does not affect the others. An incident is raised by one
    /// run only, since only one of two concurrent runs can store. A decided incident is not lost: until it is stored as sent, it is sent
    /// again under the same id while its target fails, and the engine starts one run per id.
    ///
    /// # Caveats
    /// `now` should be the time of the tick, and the same for a tick that is delivered twice.
    pub async fn run(&self, now: Timestamp) -> Vec<Checked> {
        join_all(self.all.iter().map(|compiled| self.one(compiled, now))).await
    }

    /// Runs each check in a loop of its own until `stop` becomes true; a probe in progress is abandoned then. For a process without an external
    /// schedule.
    ///
    /// A check that hangs delays only itself.
    pub async fn run_until(self, clock: Arc<dyn Clock>, stop: watch::Receiver<bool>) {
        let loops = self.all.iter().map(|compiled| async {
            let mut stop = stop.clone();
            tokio::select! {
                () = self.repeat(compiled, &*clock) => {}
                // An error means that the sender is gone: stop too.
                _ = stop.wait_for(|stop| *stop) => {}
            }
        });
        join_all(loops).await;
    }

    /// Never ends by itself.
    async fn repeat(&self, compiled: &Compiled, clock: &dyn Clock) {
        loop {
            self.one(compiled, clock.now()).await;
            tokio::time::sleep(self.tick).await;
        }
    }

    async fn one(&self, compiled: &Compiled, now: Timestamp) -> Checked {
        let end = Instant::now() + self.deadline;
        let outcome = tokio::time::timeout_at(end, self.take(compiled, now, end)).await;
        let checked = Checked { check: compiled.check.name.clone(), outcome: outcome.unwrap_or(CheckOutcome::Late) };
        log::outcome(&checked);
        checked
    }

    fn tick_ms(&self) -> u64 {
        u64::try_from(self.tick.as_millis()).unwrap_or(u64::MAX)
    }
}
