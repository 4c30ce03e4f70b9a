//! How a message from outside becomes a run, joins one, or is kept with the reason why it cannot.

use std::sync::Arc;

use heal_engine::event::{Commit, Event, RunOutcome, RunStarted, RunStatus};
use heal_engine::incident::{self, Intake, IntakeError};
use heal_engine::time::seconds_to_ms;
use heal_engine::turn::{self, Input};
use heal_engine::{RunId, Timestamp, limit};
use heal_telemetry::trace;
use tracing::Instrument as _;

use super::cache::Live;
use super::{DispatchError, Dispatcher, outbound};
use crate::library::{Entry, Library, RouteError};
use crate::observe;
use crate::port::{Created, NewRun, RunHead};
use crate::span;

/// A message that can be carried out.
#[derive(Debug)]
pub struct Prepared {
    intake: Intake,
    entry: Arc<Entry>,
    concurrency_key: Option<String>,
}

/// Why a message cannot be carried out.
#[derive(Debug, thiserror::Error)]
pub enum Rejection {
    #[error(transparent)]
    Intake(#[from] IntakeError),
    #[error(transparent)]
    Route(#[from] RouteError),
}

/// What became of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Accepted {
    Started {
        run_id: RunId,
        status: RunStatus,
    },
    /// The same message had made this run before.
    Known {
        run_id: RunId,
    },
    /// A live run holds the same concurrency key: it has recorded this incident.
    Joined {
        run_id: RunId,
    },
    /// It is kept in a run that has failed, with the reason.
    Rejected {
        run_id: RunId,
        reason: String,
        /// It is a message of a known shape, which no playbook is for; else nobody could say what it is.
        understood: bool,
    },
    /// It is no incident, such as an alarm that went back to OK.
    Ignored {
        reason: String,
    },
}

impl Prepared {
    /// Understands a message and finds its playbook in `library`: the one named `playbook` where the caller decides, else the message's own.
    ///
    /// # Errors
    /// What is wrong with the message, with the place.
    pub fn new(library: &Library, message: &str, playbook: Option<&str>) -> Result<Self, Rejection> {
        let mut intake = incident::read(message)?;
        if let Some(name) = playbook {
            intake.playbook = Some(name.to_owned());
        }
        let entry = library.route(&intake)?;
        let concurrency_key = entry.concurrency_key(&intake.variables)?;
        Ok(Self { intake, entry, concurrency_key })
    }

    pub fn playbook(&self) -> &str {
        &self.entry.plan.playbook.name
    }

    pub const fn entry(&self) -> &Arc<Entry> {
        &self.entry
    }

    pub const fn intake(&self) -> &Intake {
        &self.intake
    }

    pub fn concurrency_key(&self) -> Option<&str> {
        self.concurrency_key.as_deref()
    }
}

impl Dispatcher {
    /// Understands a message and finds its playbook, without starting anything.
    ///
    /// # Errors
    /// What is wrong with it, with the place.
    pub fn prepare(&self, message: &str) -> Result<Prepared, Rejection> {
        Prepared::new(&self.library, message, None)
    }

    /// Takes a message from the incidents queue. `message_id` is the same when the message comes again; `traceparent` came beside it.
    ///
    /// # Errors
    /// Only what may work later, or what a person has to look at; a message that cannot be carried out is [`Accepted::Rejected`].
    pub async fn accept(
        &self,
        message: &str,
        message_id: &str,
        traceparent: Option<&str>,
    ) -> Result<Accepted, DispatchError> {
        match self.prepare(message) {
            Ok(prepared) => self.start(prepared, traceparent).await,
            Err(Rejection::Intake(error)) if matches!(error, IntakeError::NotAnIncident { .. }) => {
                let ignored = Accepted::Ignored { reason: error.to_string() };
                self.observer.incident_taken(&ignored);
                Ok(ignored)
            }
            Err(rejection) => {
                let rejected = self.reject(message, message_id, &rejection).await?;
                self.observer.incident_taken(&rejected);
                Ok(rejected)
            }
        }
    }

    /// Starts the run of a message, unless it exists or another one has its concurrency key.
    ///
    /// # Errors
    /// As [`Dispatcher::accept`].
    pub async fn start(&self, prepared: Prepared, traceparent: Option<&str>) -> Result<Accepted, DispatchError> {
        // What the incident says of its trace goes before what came beside it.
        let own = prepared.intake.traceparent.clone();
        let traceparent = own.as_deref().or(traceparent);
        let span = span::accept(&prepared, traceparent);
        let accepted = self.start_or_join(prepared, traceparent).instrument(span).await?;
        self.observer.incident_taken(&accepted);
        Ok(accepted)
    }

    async fn start_or_join(&self, prepared: Prepared, traceparent: Option<&str>) -> Result<Accepted, DispatchError> {
        // The run that holds the key may end just as this one joins: then the key is free.
        for _ in 0..super::CONFLICTS {
            match self.create(&prepared, traceparent).await? {
                Creation::Done(accepted) => return Ok(accepted),
                Creation::Busy(run_id) => {
                    let incident_id = prepared.intake.incident_id.clone();
                    let cause_id = format!("joined:{incident_id}");
                    let taken = self.take(&run_id, &cause_id, &[Input::Joined { incident_id }]).await?;
                    if !taken.status.is_terminal() || taken.events > 0 {
                        return Ok(Accepted::Joined { run_id });
                    }
                }
            }
        }
        let run_id = prepared.intake.run_id.unwrap_or_else(|| RunId::new(prepared.intake.incident_id));
        Err(DispatchError::Contended { run_id })
    }

    async fn create(&self, prepared: &Prepared, traceparent: Option<&str>) -> Result<Creation, DispatchError> {
        let Prepared { intake, entry, concurrency_key } = prepared;
        let plan = &entry.plan;
        let now = self.ports.clock.now();
        let dedupe_key = format!("{}\n{}", intake.dedupe_key, plan.playbook.name);
        let run_id =
            intake.run_id.clone().unwrap_or_else(|| RunId::derive(&dedupe_key, now, self.ports.entropy.next()));
        let traceparent = self.traceparent(traceparent, now);
        span::accepted(&run_id, &traceparent);
        let started = RunStarted {
            incident_id: intake.incident_id.clone(),
            incident_type: intake.incident_type.clone(),
            playbook: plan.playbook.name.clone(),
            plan_digest: plan.digest.clone(),
            variables: intake.variables.clone(),
            approval: intake.approval,
            concurrency_key: concurrency_key.clone(),
            traceparent: Some(traceparent),
        };
        let log = |cause| DispatchError::Log { run_id: run_id.clone(), cause };
        let (state, turn) = turn::begin(plan, run_id.clone(), started, now, self.ports.entropy.next()).map_err(log)?;
        let commit = Commit {
            run_id: run_id.clone(),
            first_seq: 1,
            cause_id: intake.dedupe_key.clone(),
            at: now,
            events: turn.events,
        };
        let live = Live { plan: Arc::clone(plan), state };
        let run = NewRun {
            head: super::head(&live, &commit),
            commit,
            dedupe_key,
            dedupe_until: now.plus_ms(seconds_to_ms(limit::DEDUPE_SECONDS)),
            concurrency_key: concurrency_key.clone().filter(|_| !live.state.is_ended()),
        };
        self.store_plan(plan).await?;
        match self.ports.runs.create(&run).await? {
            Created::Created => {
                observe::committed(&*self.observer, &live.plan, &live.state, &run.commit);
                let status = live.state.status();
                let owed = heal_engine::decide::decide(&live.plan, &live.state, now);
                let messages = outbound::messages(&live.state, owed, turn.more, now);
                self.cache.keep(live);
                if !messages.is_empty() {
                    self.ports.sender.send(messages).await?;
                }
                Ok(Creation::Done(Accepted::Started { run_id, status }))
            }
            Created::Duplicate { run_id } => self.known(run_id).await.map(Creation::Done),
            Created::Busy { run_id } => Ok(Creation::Busy(run_id)),
        }
    }

    /// What the run continues. Every run has a trace, also where nobody gave one: that of this span, or one that begins here.
    fn traceparent(&self, given: Option<&str>, now: Timestamp) -> String {
        let entropy = || self.ports.entropy.next();
        let given = given.map(ToOwned::to_owned).or_else(trace::current);
        given.unwrap_or_else(|| trace::fresh(now.0 / 1_000, [entropy(), entropy(), entropy()]))
    }

    /// The message came again: the run's first commands may not have gone out.
    async fn known(&self, run_id: RunId) -> Result<Accepted, DispatchError> {
        match self.take(&run_id, "again", &[Input::Wake]).await {
            // A run whose record is that of a rejection owes nothing.
            Ok(_) | Err(DispatchError::UnknownRun { .. }) => Ok(Accepted::Known { run_id }),
            Err(error) => Err(error),
        }
    }

    /// Plans are stored once per process and digest; a store keeps them for good.
    async fn store_plan(&self, plan: &Arc<heal_engine::Plan>) -> Result<(), DispatchError> {
        if !self.cache.is_stored(&plan.digest) {
            self.ports.runs.put_plan(&plan.digest, plan.to_json()).await?;
            self.cache.stored(&plan.digest);
        }
        Ok(())
    }

    async fn reject(&self, message: &str, message_id: &str, rejection: &Rejection) -> Result<Accepted, DispatchError> {
        let now = self.ports.clock.now();
        let dedupe_key = format!("rejected:{message_id}");
        let run_id = RunId::derive(&dedupe_key, now, self.ports.entropy.next());
        let incident_id = incident::peek_incident_id(message).unwrap_or_else(|| "unknown".to_owned());
        let mut kept = incident::without_secrets(message);
        heal_engine::message::cut(&mut kept, limit::REJECTED_BYTES);
        let mut reason = rejection.to_string();
        heal_engine::message::cut(&mut reason, limit::TEXT_BYTES);
        let event = Event::IncidentRejected { incident_id: incident_id.clone(), reason: reason.clone(), message: kept };
        let head = RunHead {
            run_id: run_id.clone(),
            incident_id,
            playbook: None,
            status: RunStatus::Failed,
            outcome: Some(RunOutcome::Failed),
            started_at: now,
            updated_at: now,
            wake_at: None,
            last_seq: 1,
            reason: Some(reason.clone()),
        };
        let commit = Commit { run_id, first_seq: 1, cause_id: dedupe_key.clone(), at: now, events: vec![event] };
        let dedupe_until = now.plus_ms(seconds_to_ms(limit::DEDUPE_SECONDS));
        let run = NewRun { commit, head, dedupe_key, dedupe_until, concurrency_key: None };
        let run_id = match self.ports.runs.create(&run).await? {
            Created::Created => run.commit.run_id,
            Created::Duplicate { run_id } | Created::Busy { run_id } => run_id,
        };
        tracing::warn!(run_id = %run_id, reason, "incident rejected");
        Ok(Accepted::Rejected { run_id, reason, understood: matches!(rejection, Rejection::Route(_)) })
    }
}

enum Creation {
    Done(Accepted),
    Busy(RunId),
}
