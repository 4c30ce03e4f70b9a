//! Intake: a message from outside starts a run, joins one, or is recorded with the reason why it is rejected.

use std::sync::Arc;

use heal_engine::event::{Commit, RunStarted};
use heal_engine::incident::IntakeError;
use heal_engine::plan::PlannedStep;
use heal_engine::time::seconds_to_ms;
use heal_engine::turn::{self, Brakes, Input};
use heal_engine::{Map, RunId, State, Timestamp, limit, traceparent};
use heal_telemetry::trace;
use tracing::Instrument as _;

use super::cache::{Live, PLAN_REFRESH_MS};
use super::repeats::Again;
use super::{DispatchError, Dispatcher, IntakeOutcome, Prepared, Rejection, held};
use crate::port::{BackendError, Created, JoinedInput, NewRun, Settles, Written};
use crate::{halts, message, observe, span};
use creation::{Creation, joins};

mod creation;

/// Milliseconds for which a plan is stored: a run may wait a day for its approval and a day in queues, and may take a day; the store may
/// have been asked [`PLAN_REFRESH_MS`] ago. The rest is for clocks that differ and attempts in flight at the deadline.
const PLAN_KEPT_MS: u64 = 7 * 86_400_000;
const _: () =
    assert!(PLAN_KEPT_MS >= PLAN_REFRESH_MS + seconds_to_ms(limit::APPROVAL_SECONDS + 2 * limit::DURATION_SECONDS));

impl Dispatcher {
    /// Reads a message and finds its playbook, without starting a run.
    ///
    /// # Errors
    /// What is wrong with the message, and where.
    pub fn prepare(&self, message: &str) -> Result<Prepared, Rejection> {
        Prepared::new(&self.library, message, None)
    }

    /// Takes a message from the incidents queue. `message_id` is the same at every delivery; `traceparent` is the message's attribute.
    ///
    /// # Errors
    /// The store or the queues failed, or an existing run cannot continue. A message that cannot start a run is not an error but
    /// [`IntakeOutcome::Rejected`].
    pub async fn accept(
        &self,
        message: &str,
        message_id: &str,
        traceparent: Option<&str>,
    ) -> Result<IntakeOutcome, DispatchError> {
        self.accept_from(message, message_id, traceparent, None).await
    }

    /// As [`Dispatcher::accept`], of a message whose queue attests the identity of its sender: the run is requested by it.
    ///
    /// # Errors
    /// As there.
    pub async fn accept_from(
        &self,
        message: &str,
        message_id: &str,
        traceparent: Option<&str>,
        sender: Option<&str>,
    ) -> Result<IntakeOutcome, DispatchError> {
        self.accept_settling(message, message_id, traceparent, sender, &[]).await
    }

    /// As [`Dispatcher::accept_from`]; a run's first commit acknowledges the delivery that `receipts` name, in a home where it can.
    pub(crate) async fn accept_settling(
        &self,
        message: &str,
        message_id: &str,
        traceparent: Option<&str>,
        sender: Option<&str>,
        receipts: &[String],
    ) -> Result<IntakeOutcome, DispatchError> {
        match self.prepare(message) {
            Ok(prepared) => {
                let prepared = prepared.requested_by(sender.map(ToOwned::to_owned)).acknowledging(receipts);
                self.start(prepared, traceparent).await
            }
            Err(Rejection::Intake(IntakeError::NotAnIncident { reason, resolution })) => {
                let outcome = match resolution {
                    Some(resolution) => self.withdraw(&resolution, message_id).await?,
                    None => IntakeOutcome::Ignored { reason: format!("not an incident: {reason}") },
                };
                self.observer.incident_taken(&outcome);
                Ok(outcome)
            }
            Err(rejection) => {
                let rejected = self.reject(message, message_id, &rejection).await?;
                self.observer.incident_taken(&rejected);
                Ok(rejected)
            }
        }
    }

    /// Starts the run of a message, or one for each of its tickets, unless the run exists or a live run holds its concurrency key.
    ///
    /// # Errors
    /// As [`Dispatcher::accept`].
    pub async fn start(&self, prepared: Prepared, traceparent: Option<&str>) -> Result<IntakeOutcome, DispatchError> {
        let how = prepared.how();
        match prepared.several {
            Some(several) => self.start_each(&several, &prepared.entry, &how, traceparent).await,
            None => self.start_one(prepared, traceparent).await,
        }
    }

    pub(super) async fn start_one(
        &self,
        prepared: Prepared,
        traceparent: Option<&str>,
    ) -> Result<IntakeOutcome, DispatchError> {
        // The trace in the incident takes precedence over that of the message.
        let own = prepared.intake.traceparent.clone();
        let traceparent = own.as_deref().or(traceparent);
        let span = span::accept(&prepared, traceparent);
        let accepted = self.start_or_join(prepared, traceparent).instrument(span).await?;
        self.observer.incident_taken(&accepted);
        Ok(accepted)
    }

    async fn start_or_join(
        &self,
        prepared: Prepared,
        traceparent: Option<&str>,
    ) -> Result<IntakeOutcome, DispatchError> {
        let mut again = Again::default();
        // The run that holds the key may end before this incident joins it: then the key is free.
        for _ in 0..super::CONFLICTS {
            match self.create(&prepared, traceparent, &again).await? {
                Creation::Done(accepted) => return Ok(accepted),
                Creation::Busy(joined) => {
                    let incident_id = prepared.intake.incident_id.clone();
                    let cause_id = format!("joined:{incident_id}");
                    let turn = self.take(&joined.run_id, &cause_id, &[Input::Joined { incident_id }]).await?;
                    if !turn.status.is_terminal() || turn.taken > 0 {
                        return self.joined(joined).await;
                    }
                }
                Creation::Full(gate) => again = Again { is_full: true, gate, ..again },
                Creation::Repeated(runs) => again.escalation = Some(self.escalation(&prepared, &runs).await?),
                Creation::Escalated(joined) => {
                    if self.join_escalated(&joined.run_id, &prepared.intake.incident_id).await? {
                        return self.joined(joined).await;
                    }
                    again = Again { acknowledged: Some(joined.run_id), ..Again::default() };
                }
            }
        }
        let run_id = prepared.intake.run_id.unwrap_or_else(|| RunId::new(prepared.intake.incident_id));
        Err(DispatchError::Contended { run_id })
    }

    /// The run has the incident. Delivered again after the run's end, the incident starts none of its own.
    async fn joined(&self, input: JoinedInput) -> Result<IntakeOutcome, DispatchError> {
        self.ports.runs.remember(&input).await?;
        Ok(IntakeOutcome::Joined { run_id: input.run_id })
    }

    async fn create(
        &self,
        prepared: &Prepared,
        traceparent: Option<&str>,
        again: &Again,
    ) -> Result<Creation, DispatchError> {
        let Prepared { intake, entry, concurrency_key, requested_by, several: _, mode: _, receipts } = prepared;
        let admission = self.admission(prepared).await?;
        let concurrency_key = concurrency_key.as_ref().map(|key| admission.key(key));
        // A run that changes nothing is not counted.
        let repeat = self.repeat(prepared, again).filter(|_| admission.acts());
        let plan = &entry.plan;
        let now = self.ports.clock.now();
        if admission.acts() {
            self.watch_for_storms(prepared, now).await?;
        }
        let dedupe_key = admission.key(&format!("{}\n{}", intake.dedupe_key, plan.playbook.name));
        let run_id = match &intake.run_id {
            Some(run_id) => run_id.clone(),
            None => RunId::derive(&dedupe_key, now, self.ports.entropy.next()?),
        };
        let traceparent = self.traceparent(traceparent, now)?;
        span::accepted(&run_id, &traceparent);
        let mut started = RunStarted {
            incident_id: intake.incident_id.clone(),
            incident_type: intake.incident_type.clone(),
            playbook: plan.playbook.name.clone(),
            plan_digest: plan.digest.clone(),
            variables: intake.variables.clone(),
            approval: admission.approval,
            mode: admission.mode,
            autonomy: admission.autonomy,
            named: intake.run_id.is_some(),
            gate: None,
            requested_by: requested_by.clone(),
            concurrency_key: concurrency_key.clone(),
            traceparent: Some(traceparent),
        };
        started.gate = match &self.gatekeeper {
            Some(gatekeeper) if !again.is_full => {
                let state = State::started(plan, run_id.clone(), &started, now);
                gatekeeper.examine(plan, &state, now, &*self.observer).await?
            }
            Some(_) | None => again.gate.clone(),
        };
        let gate = started.gate.clone();
        let log = |cause| DispatchError::Log { run_id: run_id.clone(), cause };
        let entropy = self.ports.entropy.next()?;
        let begun = match &again.escalation {
            None => {
                let halts = self.ports.halts.read(now).await?;
                let hold = halts::of_run(&halts, &plan.playbook.name, now).map(halts::hold);
                let halted = |step: &PlannedStep, parameters: &Map| held::of_step(&halts, plan, step, parameters, now);
                let brakes = Brakes { is_full: again.is_full, halted: Some(&halted) };
                turn::begin_under(plan, run_id.clone(), started, hold, brakes, now, entropy)
            }
            Some(reason) => turn::escalate(plan, run_id.clone(), started, reason.clone(), now),
        };
        let (state, turn) = begun.map_err(log)?;
        let commit = Commit {
            run_id: run_id.clone(),
            first_seq: 1,
            cause_id: intake.dedupe_key.clone(),
            at: now,
            events: turn.events,
            chain: None,
        }
        .chained(None);
        let live = Live { plan: Arc::clone(plan), state, chain: commit.chain.clone() };
        let run = NewRun {
            head: super::commit::head(&live, &commit),
            commit,
            dedupe_key,
            dedupe_until: now.plus_ms(seconds_to_ms(limit::DEDUPE_SECONDS)),
            concurrency_key: concurrency_key.filter(|_| !live.state.is_ended()),
            repeat,
            room: self.room(&live),
        };
        self.store_plan(plan, now).await?;
        let announcement = self.announce(&live.plan, &live.state, &run.commit).await;
        let owed = heal_engine::decide::decide(&live.plan, &live.state, now);
        let messages = message::commands(&live.state, owed, turn.more, now);
        let settles = Settles { messages, acknowledges: receipts.clone() };
        let Written { outcome, sent } = self.settlement.create(&run, settles).await?;
        match outcome {
            Created::Created => {
                self.announced(announcement).await;
                observe::committed(&*self.observer, &live.plan, &live.state, &run.commit);
                let (status, is_queued) = (live.state.status(), live.state.queued.is_some());
                self.cache.keep(live);
                sent?;
                if is_queued {
                    // The run may wait only because others go first, and the last of them may have been admitted by now.
                    self.admit_next().await;
                }
                Ok(Creation::Done(IntakeOutcome::Started { run_id, status }))
            }
            Created::Duplicate { run_id } => self.known(run_id).await.map(Creation::Done),
            Created::Busy { run_id } => Ok(Creation::Busy(joins(run, run_id))),
            Created::Full => Ok(Creation::Full(gate)),
            Created::Repeated { runs } => Ok(Creation::Repeated(runs)),
            Created::Escalated { run_id } => Ok(Creation::Escalated(joins(run, run_id))),
        }
    }

    /// The trace that the run continues: the given one if it is one, that of the current span, or a new one.
    pub(super) fn traceparent(&self, given: Option<&str>, now: Timestamp) -> Result<String, BackendError> {
        let entropy = || self.ports.entropy.next();
        match given.filter(|given| traceparent::is_valid(given)).map(ToOwned::to_owned).or_else(trace::current) {
            Some(traceparent) => Ok(traceparent),
            None => Ok(trace::fresh(now.0 / 1_000, [entropy()?, entropy()?, entropy()?])),
        }
    }

    /// The message was delivered again: the run's first commands may not have been sent.
    async fn known(&self, run_id: RunId) -> Result<IntakeOutcome, DispatchError> {
        match self.take(&run_id, "again", &[Input::Wake]).await {
            // The record of a rejected message owes no commands.
            Ok(_) | Err(DispatchError::UnknownRun { .. }) => Ok(IntakeOutcome::Known { run_id }),
            Err(error) => Err(error),
        }
    }

    /// Stores the plan once per process and [`PLAN_REFRESH_MS`], to be kept for any run that starts until then.
    pub(super) async fn store_plan(&self, plan: &Arc<heal_engine::Plan>, now: Timestamp) -> Result<(), DispatchError> {
        if !self.cache.is_stored(&plan.digest, now) {
            self.ports.runs.put_plan(&plan.digest, plan.to_json(), now.plus_ms(PLAN_KEPT_MS)).await?;
            self.cache.stored(&plan.digest, now);
        }
        Ok(())
    }
}
