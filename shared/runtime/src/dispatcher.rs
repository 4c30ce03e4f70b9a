//! The dispatcher's turn: one input of a run becomes committed events, and then sent commands.
//!
//! It decides and has no hands: it touches runs and queues, never a target.

use std::sync::Arc;

use heal_engine::event::{Commit, RunStatus};
use heal_engine::turn::{self, Input};
use heal_engine::{ApplyError, Command, RunId, Timestamp};
use tracing::Instrument as _;

use crate::library::Library;
use crate::observe::{self, Observer};
use crate::port::{Appended, BackendError, Clock, Entropy, RunHead, RunStore, Sender};
use crate::span;

mod accept;
mod cache;
mod census;
mod inbound;
mod outbound;
mod read;

pub use accept::{Accepted, Prepared, Rejection};
pub use inbound::{Inbound, InboundError};

use cache::{Cache, Live};

/// How often a turn is decided anew because another dispatcher wrote first. Each time means that the run went on, so this is not reached by bad luck alone.
const CONFLICTS: u32 = 16;

/// The dispatcher over its ports.
#[derive(Clone)]
pub struct Dispatcher {
    ports: Arc<Ports>,
    library: Arc<Library>,
    cache: Arc<Cache>,
    observer: Arc<dyn Observer>,
}

/// What a dispatcher may touch.
#[expect(missing_debug_implementations, reason = "ports are behaviour, there is nothing to print")]
pub struct Ports {
    pub runs: Arc<dyn RunStore>,
    pub sender: Arc<dyn Sender>,
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
}

/// Why a turn did not take place. The input stays on its queue.
#[derive(Debug, thiserror::Error)]
pub enum DispatchError {
    #[error(transparent)]
    Backend(#[from] BackendError),
    #[error("there is no run {run_id}")]
    UnknownRun { run_id: RunId },
    #[error("run {run_id} uses plan {digest}, which is not stored")]
    MissingPlan { run_id: RunId, digest: heal_engine::Digest },
    #[error("run {run_id}")]
    Plan {
        run_id: RunId,
        #[source]
        cause: heal_engine::PlanError,
    },
    /// The log does not fold: nothing is written, so that nothing is lost, and a person has to look.
    #[error("run {run_id}")]
    Log {
        run_id: RunId,
        #[source]
        cause: ApplyError,
    },
    #[error("run {run_id}: other dispatchers wrote first {CONFLICTS} times")]
    Contended { run_id: RunId },
}

impl DispatchError {
    /// Whether the same input can work later.
    pub const fn is_transient(&self) -> bool {
        match self {
            Self::Backend(BackendError::Unavailable { .. }) | Self::Contended { .. } => true,
            Self::Backend(BackendError::Corrupt { .. } | BackendError::TooLarge { .. })
            | Self::UnknownRun { .. }
            | Self::MissingPlan { .. }
            | Self::Plan { .. }
            | Self::Log { .. } => false,
        }
    }
}

/// How a turn went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    pub status: RunStatus,
    /// Events that this turn committed; 0 where every input was known already or changed nothing.
    pub events: usize,
    /// Commands sent afterwards.
    pub commands: usize,
}

impl std::fmt::Debug for Dispatcher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Dispatcher").field("library", &self.library).finish_non_exhaustive()
    }
}

impl Dispatcher {
    pub fn new(ports: Ports, library: Arc<Library>) -> Self {
        Self { ports: Arc::new(ports), library, cache: Arc::default(), observer: Arc::new(observe::NoopObserver) }
    }

    /// Tells `observer` of what happens.
    #[must_use]
    pub fn observed_by(self, observer: Arc<dyn Observer>) -> Self {
        Self { observer, ..self }
    }

    pub(crate) fn observer(&self) -> &dyn Observer {
        &*self.observer
    }

    /// The moment by this dispatcher's clock.
    pub fn now(&self) -> Timestamp {
        self.ports.clock.now()
    }

    pub fn library(&self) -> &Arc<Library> {
        &self.library
    }

    /// Takes inputs of one run, in order, as one turn with one write.
    ///
    /// # Flow
    /// 1. Fold the run up to its last commit.
    /// 2. Fold the inputs and what follows from them.
    /// 3. Append, guarded by the sequence number; after a conflict from 1.
    /// 4. Send what the commit added to what is owed.
    ///
    /// # Guarantees
    /// Nothing is sent that is not committed. An input that is known already changes nothing, and everything that the run owes is sent again:
    /// so a crash between 3 and 4 loses nothing, since the input comes back.
    pub async fn take(&self, run_id: &RunId, cause_id: &str, inputs: &[Input]) -> Result<Taken, DispatchError> {
        let slot = self.cache.slot(run_id);
        let mut live = slot.lock().await;
        let result = self.take_locked(run_id, cause_id, inputs, &mut live).await;
        match (&result, live.as_ref()) {
            // The state may hold events that were not committed.
            (Err(_), _) => *live = None,
            (Ok(_), Some(kept)) if kept.state.is_ended() => self.cache.forget(run_id),
            (Ok(_), _) => {}
        }
        result
    }

    async fn take_locked(
        &self,
        run_id: &RunId,
        cause_id: &str,
        inputs: &[Input],
        live: &mut Option<Live>,
    ) -> Result<Taken, DispatchError> {
        for _ in 0..CONFLICTS {
            let mut is_fresh = live.is_none();
            let current = match live {
                Some(current) => current,
                None => live.insert(self.load(run_id).await?),
            };
            let now = self.ports.clock.now();
            let span = span::dispatch(&current.plan, &current.state);
            let mut folded = span.in_scope(|| self.fold(run_id, current, inputs, now))?;
            // What looks old may be news that another dispatcher's commit made expected.
            while folded.stale && !is_fresh {
                is_fresh = !self.catch_up(current).instrument(span.clone()).await?;
                folded = span.in_scope(|| self.fold(run_id, current, inputs, now))?;
            }
            let Fresh { events, more, .. } = folded;
            let before = current.state.seq - events.len() as u64;
            if events.is_empty() {
                let owed = heal_engine::decide::decide(&current.plan, &current.state, now);
                return self.settle(current, 0, owed, false, now).instrument(span).await;
            }
            let commit = Commit {
                run_id: run_id.clone(),
                first_seq: before + 1,
                cause_id: cause_id.to_owned(),
                at: now,
                events,
            };
            let head = head(current, &commit);
            let append = self.ports.runs.append(&commit, &head, current.state.concurrency_key.as_deref());
            match append.instrument(span.clone()).await? {
                Appended::Appended => {
                    observe::committed(&*self.observer, &current.plan, &current.state, &commit);
                    let owed = heal_engine::decide::since(&current.plan, &current.state, now, before);
                    return self.settle(current, commit.events.len(), owed, more, now).instrument(span).await;
                }
                Appended::AlreadyThere | Appended::Conflict => *live = None,
            }
        }
        Err(DispatchError::Contended { run_id: run_id.clone() })
    }

    /// Folds the inputs; one that is stale is passed over, and said.
    fn fold(&self, run_id: &RunId, live: &mut Live, inputs: &[Input], now: Timestamp) -> Result<Fresh, DispatchError> {
        let mut fresh = Fresh::default();
        for input in inputs {
            match turn::take(&live.plan, &mut live.state, input.clone(), now, self.ports.entropy.next()) {
                Ok(turn) => {
                    fresh.events.extend(turn.events);
                    fresh.more |= turn.more;
                }
                Err(ApplyError::Stale { event, why }) => {
                    tracing::debug!(run_id = %run_id, event, why, "input is known already");
                    fresh.stale = true;
                }
                Err(cause @ (ApplyError::Illegal { .. } | ApplyError::TooManyEvents { .. })) => {
                    tracing::error!(run_id = %run_id, error = %cause, "run cannot go on");
                    return Err(DispatchError::Log { run_id: run_id.clone(), cause });
                }
            }
        }
        fresh.stale &= fresh.events.is_empty();
        Ok(fresh)
    }

    async fn settle(
        &self,
        live: &Live,
        events: usize,
        owed: Vec<Command>,
        more: bool,
        now: Timestamp,
    ) -> Result<Taken, DispatchError> {
        let messages = outbound::messages(&live.state, owed, more, now);
        let commands = messages.len();
        if !messages.is_empty() {
            self.ports.sender.send(messages).await?;
        }
        Ok(Taken { status: live.state.status(), events, commands })
    }

    /// Looks at every run that is overdue at this moment: lost answers, lost wake-ups, deadlines. Returns how many it looked at.
    ///
    /// One run that cannot go on does not hold up the others; it is logged.
    pub async fn sweep(&self, limit: usize) -> Result<usize, DispatchError> {
        let now = self.ports.clock.now();
        let due = self.ports.runs.due(now, limit).await?;
        let looked_at = due.len();
        for run_id in due {
            let cause_id = format!("sweep:{}", now.0);
            if let Err(error) = self.take(&run_id, &cause_id, &[Input::Wake]).await {
                tracing::error!(run_id = %run_id, error = &error as &dyn std::error::Error, "overdue run could not be looked at");
            }
        }
        Ok(looked_at)
    }
}

#[derive(Default)]
struct Fresh {
    events: Vec<heal_engine::Event>,
    more: bool,
    /// Nothing but known inputs.
    stale: bool,
}

/// What the index is told after `commit`.
fn head(live: &Live, commit: &Commit) -> RunHead {
    let state = &live.state;
    let reason = commit.events.iter().rev().find_map(heal_engine::Event::end_reason);
    RunHead {
        run_id: state.run_id.clone(),
        incident_id: state.incident_id.clone(),
        playbook: Some(live.plan.playbook.name.clone()),
        status: state.status(),
        outcome: state.outcome(),
        started_at: state.started_at,
        updated_at: commit.at,
        wake_at: state.wake_at(),
        last_seq: state.seq,
        reason: reason.map(ToOwned::to_owned).or_else(|| state.stopping.as_ref().map(|stop| stop.reason.clone())),
    }
}
