//! The dispatcher's turn: inputs of a run become committed events, and then sent commands.
//!
//! The dispatcher only decides: it writes runs and sends messages, and never touches a target.

use std::sync::Arc;

use heal_engine::event::{Commit, RunStatus};
use heal_engine::turn::Input;
use heal_engine::{Command, RunId, Timestamp};
use heal_guard::Guardrails;
use tracing::Instrument as _;

use crate::halts::{self, HaltCache};
use crate::library::Library;
use crate::message::{self, Inbound};
use crate::observe::{self, Observer};
use crate::port::{Appended, BackendError, Clock, DueRuns, Entropy, RunHead, RunLog, Sender, Subject};
use crate::span;

mod accept;
mod autonomy;
mod cache;
mod error;
mod fold;
mod gate;
mod held;
mod intake;
mod read;
mod rejected;
mod repeats;
mod sick_targets;
mod storms;
mod tickets;
mod withdraw;

pub use error::DispatchError;
pub use gate::{GATE_QUESTIONS, Gatekeeper};
pub use held::SwitchOutcome;
pub use intake::{IntakeOutcome, Prepared, Rejection};

use cache::{Cache, Live};
use fold::Fresh;

/// Optimistic-concurrency retries per turn. Every conflict means that another dispatcher made progress, so 16 in a row is not bad luck.
const CONFLICTS: u32 = 16;

/// The dispatcher over its ports.
#[derive(Clone)]
pub struct Dispatcher {
    ports: Arc<Ports>,
    library: Arc<Library>,
    autonomy: Arc<autonomy::Source>,
    cache: Arc<Cache>,
    sick_targets: Arc<sick_targets::SickTargets>,
    observer: Arc<dyn Observer>,
    gatekeeper: Option<Gatekeeper>,
}

/// What a dispatcher may touch.
#[expect(missing_debug_implementations, reason = "ports are behaviour, there is nothing to print")]
pub struct Ports {
    /// The event logs of the runs.
    pub runs: Arc<dyn RunLog>,
    /// The halts, which hold runs before they start anything.
    pub halts: Arc<HaltCache>,
    /// The queues of commands and wake-ups.
    pub sender: Arc<dyn Sender>,
    /// The time of turns.
    pub clock: Arc<dyn Clock>,
    /// Run ids, tokens and jitter.
    pub entropy: Arc<dyn Entropy>,
    /// The bounds that people set.
    pub guardrails: Arc<Guardrails>,
}

/// The result of a turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TurnOutcome {
    /// The run's status after the turn.
    pub status: RunStatus,
    /// Events that this turn committed; 0 if every input was known already or changed nothing.
    pub events: usize,
    /// Messages sent afterwards: commands and wake-ups.
    pub commands: usize,
    /// The rule that the last refused input broke, as a sentence; `None` if none was refused.
    pub refused: Option<String>,
}

impl std::fmt::Debug for Dispatcher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Dispatcher").field("library", &self.library).finish_non_exhaustive()
    }
}

impl Dispatcher {
    /// A dispatcher with an empty cache that runs the playbooks of `library`.
    pub fn new(ports: Ports, library: Arc<Library>) -> Self {
        let observer = Arc::new(observe::NoopObserver);
        Self {
            ports: Arc::new(ports),
            library,
            autonomy: Arc::default(),
            cache: Arc::default(),
            sick_targets: Arc::default(),
            observer,
            gatekeeper: None,
        }
    }

    /// Examines every plan by `gatekeeper` before its run starts.
    #[must_use]
    pub fn gated_by(self, gatekeeper: Gatekeeper) -> Self {
        Self { gatekeeper: Some(gatekeeper), ..self }
    }

    /// Reports every turn to `observer`.
    #[must_use]
    pub fn observed_by(self, observer: Arc<dyn Observer>) -> Self {
        Self { observer, ..self }
    }

    pub(crate) fn observer(&self) -> &dyn Observer {
        &*self.observer
    }

    /// The time of this dispatcher's clock.
    pub fn now(&self) -> Timestamp {
        self.ports.clock.now()
    }

    /// The playbooks that this dispatcher runs.
    pub fn library(&self) -> &Arc<Library> {
        &self.library
    }

    /// Folds inputs of one run, in order, as one turn with one write. `cause_id` is the same when the inputs are delivered again.
    ///
    /// # Flow
    /// 1. Fold the run up to its last commit.
    /// 2. Fold the inputs and what follows from them.
    /// 3. Append, guarded by the sequence number; after a conflict from 1.
    /// 4. Send the commands that the commit added.
    ///
    /// # Guarantees
    /// Only committed commands are sent. An input that is known already changes nothing, and every command that the run owes is sent again:
    /// a crash between 3 and 4 loses nothing, since the input is delivered again.
    pub async fn take(&self, run_id: &RunId, cause_id: &str, inputs: &[Input]) -> Result<TurnOutcome, DispatchError> {
        let slot = self.cache.slot(run_id);
        let mut live = slot.lock().await;
        let result = self.take_locked(run_id, cause_id, inputs, &mut live).await;
        if let (Ok(_), Some(kept)) = (&result, live.as_ref()) {
            self.end_acknowledged_storm(&kept.state).await?;
        }
        match (&result, live.as_ref()) {
            // The cached state may hold events that were not committed.
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
    ) -> Result<TurnOutcome, DispatchError> {
        for _ in 0..CONFLICTS {
            let mut is_fresh = live.is_none();
            let current = match live {
                Some(current) => current,
                None => match self.load(run_id).await {
                    Err(DispatchError::UnknownRun { .. }) => {
                        return self.take_for_rejected(run_id, cause_id, inputs).await;
                    }
                    loaded => live.insert(loaded?),
                },
            };
            let now = self.ports.clock.now();
            let halts = self.halts_for(&current.state, now).await?;
            let span = span::dispatch(&current.plan, &current.state);
            let mut folded = span.in_scope(|| self.fold(run_id, current, inputs, &halts, now))?;
            // An input that looks stale, or that leads to nothing, may be expected after another process's commit.
            while folded.events.is_empty() && !is_fresh {
                is_fresh = !self.catch_up(current).instrument(span.clone()).await?;
                folded = span.in_scope(|| self.fold(run_id, current, inputs, &halts, now))?;
            }
            let Fresh { events, more, stale, refused } = folded;
            if let Some(why) = &refused {
                span.in_scope(|| {
                    tracing::warn!(event = "approval.refused", why, "an answer to a question does not count");
                });
            }
            let before = current.state.seq - events.len() as u64;
            if events.is_empty() {
                // Of a command that was issued again, and came late in the meantime: sending the newer one once more would fill a full queue.
                let is_overtaken = stale && inputs.iter().all(|input| matches!(input, Input::Late(_)));
                let owed = if is_overtaken {
                    Vec::new()
                } else {
                    heal_engine::decide::decide(&current.plan, &current.state, now)
                };
                let settled = self.settle(current, 0, owed, false, now).instrument(span).await?;
                return Ok(TurnOutcome { refused, ..settled });
            }
            let commit = Commit {
                run_id: run_id.clone(),
                first_seq: before + 1,
                cause_id: cause_id.to_owned(),
                at: now,
                events,
                chain: None,
            }
            .chained(current.chain.as_ref());
            let head = head(current, &commit);
            let append = self.ports.runs.append(&commit, &head, current.state.concurrency_key.as_deref());
            match append.instrument(span.clone()).await? {
                Appended::Appended => {
                    current.chain.clone_from(&commit.chain);
                    span.in_scope(|| observe::committed(&*self.observer, &current.plan, &current.state, &commit));
                    let owed = heal_engine::decide::since(&current.plan, &current.state, now, before);
                    let settled = self.settle(current, commit.events.len(), owed, more, now).instrument(span).await?;
                    return Ok(TurnOutcome { refused, ..settled });
                }
                Appended::AlreadyThere | Appended::Conflict => *live = None,
            }
        }
        Err(DispatchError::Contended { run_id: run_id.clone() })
    }

    async fn settle(
        &self,
        live: &Live,
        events: usize,
        owed: Vec<Command>,
        more: bool,
        now: Timestamp,
    ) -> Result<TurnOutcome, DispatchError> {
        let messages = message::commands(&live.state, owed, more, now);
        let commands = messages.len();
        if !messages.is_empty() {
            self.ports.sender.send(messages).await?;
        }
        Ok(TurnOutcome { status: live.state.status(), events, commands, refused: None })
    }

    /// Takes messages of one run as one turn. `cause_id` is the id of the first message, which is the same at every delivery.
    ///
    /// # Errors
    /// As [`Dispatcher::take`].
    pub async fn receive(
        &self,
        run_id: &RunId,
        cause_id: &str,
        messages: Vec<Inbound>,
    ) -> Result<TurnOutcome, DispatchError> {
        let groups = &self.ports.guardrails.approvals.groups;
        let inputs: Vec<_> = messages.into_iter().filter_map(|message| message.into_input(groups)).collect();
        self.take(run_id, cause_id, &inputs).await
    }

    /// Continues up to `limit` overdue runs (lost results, lost wake-ups, deadlines), and as many whose halt has ended; returns their number.
    ///
    /// A run that cannot continue is logged and does not hold up the others.
    ///
    /// # Errors
    /// `due_runs` or the halts cannot be read.
    pub async fn sweep(&self, due_runs: &dyn DueRuns, limit: usize) -> Result<usize, BackendError> {
        let now = self.ports.clock.now();
        let mut due = due_runs.due(now, limit).await?;
        due.extend(self.releasable(due_runs, now, limit).await?);
        due.extend(halts::trickling(due_runs, &*self.ports.halts.read(now).await?, now).await?);
        Ok(self.wake(&due, now).await)
    }
}

/// The index entry after `commit`.
fn head(live: &Live, commit: &Commit) -> RunHead {
    let state = &live.state;
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
        reason: state.end_reason.clone().or_else(|| state.stopping.as_ref().map(|stop| stop.reason.clone())),
        subject: Subject::from_variables(state.variables.incident()),
        open_follow_ups: state.follow_up.open(),
        // A run that stops waits for its attempts alone.
        held_by: state.held.as_ref().filter(|_| state.stopping.is_none()).map(|held| held.holder().to_owned()),
    }
}
