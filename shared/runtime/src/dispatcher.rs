//! The dispatcher's turn: inputs of a run become committed events, and then sent commands.
//!
//! The dispatcher only decides: it writes runs and sends messages, and never touches a target.

use std::sync::Arc;

use heal_engine::event::RunStatus;
use heal_engine::secret::Secrets;
use heal_engine::turn::Input;
use heal_engine::{RunId, Timestamp};
use heal_guard::Guardrails;
use tracing::Instrument as _;

use crate::dependencies::Dependencies;
use crate::ended_storms::EndedStorms;
use crate::halts::HaltCache;
use crate::library::Library;
use crate::message::Inbound;
use crate::observe::{self, Observer};
use crate::port::{Admitted, Appended, Clock, Entropy, InOrder, RunLog, Sender, Settlement};
use crate::span;

mod accept;
mod attempts;
mod autonomy;
mod cache;
mod commit;
mod demotion;
mod error;
mod fold;
mod gate;
mod held;
mod intake;
mod notify;
mod read;
mod rejected;
mod repeats;
mod rooms;
mod sick_targets;
mod storms;
mod sweep;
mod tickets;
mod withdraw;

pub(crate) use attempts::{AttemptEnd, EndOutcome};
pub use error::DispatchError;
pub use gate::{GATE_QUESTIONS, Gatekeeper, budget_counter};
pub use held::SwitchOutcome;
pub use intake::{IntakeOutcome, Prepared, Rejection};
pub use notify::{COMMIT_WITHIN_MS, message as notify_message};

use cache::{Cache, Live};
use commit::{Hand, Turn};
use fold::{Around, Fresh};

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
    dependencies: Option<Arc<Dependencies>>,
    ended_storms: Arc<EndedStorms>,
    observer: Arc<dyn Observer>,
    gatekeeper: Option<Gatekeeper>,
    notifies: bool,
    settlement: Arc<dyn Settlement>,
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
    /// Inputs that were neither known already nor refused. A turn may have events without: they follow from the halts.
    pub taken: usize,
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
        let settlement = Arc::new(InOrder { runs: Arc::clone(&ports.runs), sender: Arc::clone(&ports.sender) });
        Self {
            ports: Arc::new(ports),
            library,
            autonomy: Arc::default(),
            cache: Arc::default(),
            sick_targets: Arc::default(),
            dependencies: None,
            ended_storms: Arc::default(),
            observer,
            gatekeeper: None,
            notifies: false,
            settlement,
        }
    }

    /// Examines every plan by `gatekeeper` before its run starts.
    #[must_use]
    pub fn gated_by(self, gatekeeper: Gatekeeper) -> Self {
        Self { gatekeeper: Some(gatekeeper), ..self }
    }

    /// Looks at `dependencies` at every sweep.
    #[must_use]
    pub fn watching(self, dependencies: Dependencies) -> Self {
        Self { dependencies: Some(Arc::new(dependencies)), ..self }
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

    /// The fields that are hidden in every message.
    pub fn secrets(&self) -> &Secrets {
        self.library.secrets()
    }

    /// The bounds that people set.
    pub fn guardrails(&self) -> &Arc<Guardrails> {
        &self.ports.guardrails
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
    /// 3. Append, guarded by the sequence number; after a conflict from 1. A run that starts and finds no room waits for it instead.
    /// 4. Send the commands that the commit added.
    /// 5. If the run has ended and left room, admit the next ones that wait for it.
    ///
    /// # Guarantees
    /// Only committed commands are sent. An input that is known already changes nothing, and every command that the run owes is sent again:
    /// a crash between 3 and 4 loses nothing, since the input is delivered again.
    pub async fn take(&self, run_id: &RunId, cause_id: &str, inputs: &[Input]) -> Result<TurnOutcome, DispatchError> {
        self.take_settling(run_id, cause_id, inputs, Hand::default()).await
    }

    /// As [`Dispatcher::take`], without the last step. The second value says whether a run may be admitted now: this one left its room with the
    /// turn, or waits itself.
    async fn take_alone(
        &self,
        run_id: &RunId,
        cause_id: &str,
        inputs: &[Input],
        hand: Hand<'_>,
    ) -> Result<(TurnOutcome, bool), DispatchError> {
        let slot = self.cache.slot(run_id);
        let mut live = slot.lock().await;
        self.take_held(run_id, cause_id, inputs, hand, &mut live).await
    }

    /// The caller holds the run's place in the cache.
    async fn take_held(
        &self,
        run_id: &RunId,
        cause_id: &str,
        inputs: &[Input],
        hand: Hand<'_>,
        live: &mut Option<Live>,
    ) -> Result<(TurnOutcome, bool), DispatchError> {
        let result = self.take_locked(run_id, cause_id, inputs, hand, live).await;
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
        hand: Hand<'_>,
        live: &mut Option<Live>,
    ) -> Result<(TurnOutcome, bool), DispatchError> {
        let (mut is_full, mut has_written) = (!self.knows_bounds(), false);
        for _ in 0..CONFLICTS {
            let mut is_fresh = live.is_none();
            let current = match live {
                Some(current) => current,
                None => match self.load(run_id).await {
                    Err(DispatchError::UnknownRun { .. }) => {
                        return Ok((self.take_for_rejected(run_id, cause_id, inputs).await?, false));
                    }
                    loaded => live.insert(loaded?),
                },
            };
            let now = self.ports.clock.now();
            let halts = self.halts_for(&current.state, now).await?;
            let span = span::dispatch(&current.plan, &current.state);
            let mut took_room = current.state.takes_room();
            let around = Around { halts: &halts, is_full, now };
            let mut folded = span.in_scope(|| self.fold(run_id, current, inputs, around))?;
            // An input that looks stale, or that leads to nothing, may be expected after another process's commit.
            while folded.events.is_empty() && !is_fresh {
                is_fresh = !self.catch_up(current).instrument(span.clone()).await?;
                took_room = current.state.takes_room();
                folded = span.in_scope(|| self.fold(run_id, current, inputs, around))?;
            }
            let Fresh { events, more, stale, taken, refused } = folded;
            if let Some(why) = &refused {
                span.in_scope(|| {
                    tracing::warn!(event = "approval.refused", why, "an answer to a question does not count");
                });
            }
            if events.is_empty() {
                let is_late = stale && inputs.iter().all(|input| matches!(input, Input::Late(_)));
                let sends = !is_late && (has_written || !matches!(inputs, [Input::Admit]));
                let settled = self.settle_again(current, sends, now).instrument(span).await?;
                // A wake-up of a run that waits for room looks for it.
                return Ok((TurnOutcome { taken, refused, ..settled }, current.state.queued.is_some()));
            }
            let (events_of_turn, turn) = (events.len(), Turn { cause_id, events, more, now, took_room });
            let admits_next = current.state.queued.is_some() || took_room && !current.state.takes_room();
            let (written, commands) = self.conclude(current, turn, hand).instrument(span).await?;
            match written {
                Admitted::Written(Appended::Appended) => {
                    let status = current.state.status();
                    return Ok((TurnOutcome { status, events: events_of_turn, taken, commands, refused }, admits_next));
                }
                Admitted::Written(Appended::AlreadyThere) => (*live, has_written) = (None, true),
                Admitted::Written(Appended::Conflict) => *live = None,
                Admitted::Full => (*live, is_full) = (None, true),
            }
        }
        Err(DispatchError::Contended { run_id: run_id.clone() })
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
        self.receive_settling(run_id, cause_id, messages, &[]).await
    }
}
