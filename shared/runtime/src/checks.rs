//! Scheduled checks: on each tick of a schedule, look where it is time to, remember, and raise incidents.
//!
//! It may look, keep its own rows and send incidents, and nothing else: it starts no run and calls no action.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use heal_engine::Timestamp;
use heal_engine::check::{self, Check, CheckError, Compiled};
use heal_engine::limit;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::port::{BackendError, CheckStore, Clock, Prober, Sender};

pub use heal_engine::check::{
    Dependency, Failing, GrpcHealth, Http, Method, Observation, OverdueTickets, Probe, Service, Sighting,
    StuckWorkflows,
};

mod look;
mod tell;

/// How long one run may take where nobody says otherwise: a minute's tick, less what starting and ending a function takes.
pub const DEADLINE: Duration = Duration::from_secs(50);
/// The part of a run's time that is kept for storing and sending, after the looks.
pub const RESERVE: Duration = Duration::from_secs(5);
/// From one tick of the schedule to the next where nobody says otherwise (EventBridge, `rate(1 minute)`).
pub const TICK: Duration = Duration::from_mins(1);

/// The checks over their ports.
#[derive(Clone)]
pub struct Checks {
    all: Arc<Vec<Compiled>>,
    ports: Ports,
    deadline: Duration,
    tick: Duration,
}

/// What checks may touch.
#[derive(Clone)]
#[expect(missing_debug_implementations, reason = "ports are behaviour, there is nothing to print")]
pub struct Ports {
    pub prober: Arc<dyn Prober>,
    pub store: Arc<dyn CheckStore>,
    pub sender: Arc<dyn Sender>,
}

/// A set of checks that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ChecksError {
    #[error(transparent)]
    Check(#[from] CheckError),
    #[error("two checks are named {name}")]
    Twice { name: String },
    #[error("there are {observed} checks, the limit is {}", limit::CHECKS)]
    TooMany { observed: usize },
    #[error("the compiled checks cannot be read")]
    Unreadable(#[source] serde_json::Error),
}

/// What one check came to in one run.
#[derive(Debug)]
pub struct Checked {
    pub check: String,
    pub outcome: Outcome,
}

#[derive(Debug)]
pub enum Outcome {
    /// It is not yet time to look.
    NotDue,
    Looked {
        failing: usize,
        /// Ids of the incidents that were sent.
        raised: Vec<String>,
    },
    /// The look could tell nothing, which is remembered.
    Unknown { reason: String },
    /// Another run looked at the same time and was faster: what it saw counts, and it raises what is to be raised.
    Overtaken,
    /// The state could not be read or stored, or the incidents could not be sent; the next run goes on from there.
    Failed(BackendError),
    /// The run's time was over.
    Late,
}

impl std::fmt::Debug for Checks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<_> = self.iter().map(|check| &check.name).collect();
        f.debug_struct("Checks").field("checks", &names).field("deadline", &self.deadline).finish_non_exhaustive()
    }
}

impl Checks {
    /// # Errors
    /// See [`ChecksError`].
    pub fn new(checks: impl IntoIterator<Item = Check>, ports: Ports) -> Result<Self, ChecksError> {
        let checks = checks.into_iter().map(Compiled::new).collect::<Result<Vec<_>, _>>()?;
        if checks.len() > limit::CHECKS {
            return Err(ChecksError::TooMany { observed: checks.len() });
        }
        let mut names = BTreeSet::new();
        if let Some(twin) = checks.iter().find(|compiled| !names.insert(&compiled.check.name)) {
            return Err(ChecksError::Twice { name: twin.check.name.clone() });
        }
        Ok(Self { all: Arc::new(checks), ports, deadline: DEADLINE, tick: TICK })
    }

    /// The checks that `heal check compile` has written.
    ///
    /// # Errors
    /// See [`ChecksError`].
    pub fn from_json(json: &str, ports: Ports) -> Result<Self, ChecksError> {
        Self::new(check::from_json(json).map_err(ChecksError::Unreadable)?, ports)
    }

    /// With another time for one run.
    #[must_use]
    pub const fn within(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// With another time from one tick of the schedule to the next.
    #[must_use]
    pub const fn every(mut self, tick: Duration) -> Self {
        self.tick = tick;
        self
    }

    /// In the order in which they were given.
    pub fn iter(&self) -> impl Iterator<Item = &Check> {
        self.all.iter().map(|compiled| &compiled.check)
    }

    /// Looks at everything that is due at `now`, all at once, and says what each check came to.
    ///
    /// # Flow
    /// For each check: load its state; look; store the next state under the condition that nobody else has; send what is to be raised;
    /// note that it went out.
    ///
    /// # Guarantees
    /// Each check is by itself: one that hangs, fails or has an unreadable state costs the others nothing. Nothing is raised by two runs
    /// at the same time, since only one of them can store. Nothing that was decided is lost, since what is not noted as sent is sent
    /// again under the same id while its target fails; the engine makes one run of an id.
    ///
    /// # Caveats
    /// `now` should be the moment of the tick, and the same for a tick that is delivered twice.
    pub async fn run(&self, now: Timestamp) -> Vec<Checked> {
        join_all(self.all.iter().map(|compiled| self.one(compiled, now))).await
    }

    /// For a process that is its own schedule: looks at each check in its own time, until `stop` says true. A look under way is given up then.
    ///
    /// A check that hangs keeps nobody but itself from being looked at.
    pub async fn keep_looking(self, clock: Arc<dyn Clock>, stop: watch::Receiver<bool>) {
        let loops = self.all.iter().map(|compiled| async {
            let mut stop = stop.clone();
            tokio::select! {
                () = self.keep_looking_at(compiled, &*clock) => {}
                // An error means that the other side is gone, and then it is time to go too.
                _ = stop.wait_for(|stop| *stop) => {}
            }
        });
        join_all(loops).await;
    }

    /// Never ends by itself.
    async fn keep_looking_at(&self, compiled: &Compiled, clock: &dyn Clock) {
        loop {
            self.one(compiled, clock.now()).await;
            tokio::time::sleep(self.tick).await;
        }
    }

    async fn one(&self, compiled: &Compiled, now: Timestamp) -> Checked {
        let end = Instant::now() + self.deadline;
        let outcome = tokio::time::timeout_at(end, self.take(compiled, now, end)).await;
        let checked = Checked { check: compiled.check.name.clone(), outcome: outcome.unwrap_or(Outcome::Late) };
        tell::outcome(&checked);
        checked
    }

    fn tick_ms(&self) -> u64 {
        u64::try_from(self.tick.as_millis()).unwrap_or(u64::MAX)
    }
}
