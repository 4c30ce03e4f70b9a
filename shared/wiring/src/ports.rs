//! The stores and queues of one home of the engine, handed to the drivers.

use std::sync::Arc;

use heal_clients::config::{Config, Strings};
use heal_guard::{BadGuardrails, Guardrails};
use heal_runtime::attempt;
use heal_runtime::checks;
use heal_runtime::dependencies::Dependencies;
use heal_runtime::dispatcher::{self, Dispatcher, Gatekeeper};
use heal_runtime::halts::HaltCache;
use heal_runtime::library::Library;
use heal_runtime::port::{
    AutonomyStore, BreakerStore, CheckStore, ClaimStore, Clock, DeadLetters, DueRuns, Entropy, OsEntropy, Policy,
    Prober, RunLog, RunStore, Sender, Settlement, Switches, SystemClock,
};

use crate::clients::{Clients, Error};
use crate::observe::Observer;

/// Every port that a home implements: one SQLite store, or a DynamoDB table and SQS queues. Cheap to clone.
#[derive(Clone)]
#[expect(missing_debug_implementations, reason = "ports have no debug form")]
pub struct Ports {
    /// Event logs of the runs.
    pub runs: Arc<dyn RunLog>,
    /// The index of overdue runs.
    pub due_runs: Arc<dyn DueRuns>,
    /// Claims and cooldowns of the actions.
    pub claims: Arc<dyn ClaimStore>,
    /// Levels of autonomy that people have set.
    pub autonomy: Arc<dyn AutonomyStore>,
    /// Circuit breakers that all processes share.
    pub breakers: Arc<dyn BreakerStore>,
    /// The halts, which every driver of this process reads through one cache.
    pub halts: Arc<HaltCache>,
    /// States of the scheduled checks.
    pub checks: Arc<dyn CheckStore>,
    /// The queues, to send to.
    pub sender: Arc<dyn Sender>,
    /// The dead letters of the queues.
    pub dead_letters: Arc<dyn DeadLetters>,
    /// The wall clock.
    pub clock: Arc<dyn Clock>,
    /// Randomness of ids and of backoffs.
    pub entropy: Arc<dyn Entropy>,
    /// The bounds that people set; the defaults until [`Ports::bounded_by`].
    pub guardrails: Arc<Guardrails>,
    /// Whether people are told what happens; not until [`Ports::notifying`].
    pub notifies: bool,
    /// Where commits and messages are settled together; not until [`Ports::settling`].
    pub settlement: Option<Arc<dyn Settlement>>,
}

impl Ports {
    /// The ports over `store` and `queues`, with the machine's clock and randomness.
    pub fn new<S, Q>(store: &S, queues: &Q) -> Self
    where
        S: RunStore + ClaimStore + AutonomyStore + BreakerStore + CheckStore + Switches + Clone + 'static,
        Q: Sender + DeadLetters + Clone + 'static,
    {
        Self {
            runs: Arc::new(store.clone()),
            due_runs: Arc::new(store.clone()),
            claims: Arc::new(store.clone()),
            autonomy: Arc::new(store.clone()),
            breakers: Arc::new(store.clone()),
            halts: Arc::new(HaltCache::new(Arc::new(store.clone()))),
            checks: Arc::new(store.clone()),
            sender: Arc::new(queues.clone()),
            dead_letters: Arc::new(queues.clone()),
            clock: Arc::new(SystemClock),
            entropy: Arc::new(OsEntropy),
            guardrails: Arc::default(),
            notifies: false,
            settlement: None,
        }
    }

    /// These ports under `guardrails`, for the dispatcher and all workers.
    #[must_use]
    pub fn bounded_by(self, guardrails: Arc<Guardrails>) -> Self {
        Self { halts: Arc::new(self.halts.under(Arc::clone(&guardrails))), guardrails, ..self }
    }

    /// These ports, with dispatchers that send what people may want to know to the queue `notify`.
    #[must_use]
    pub fn notifying(self) -> Self {
        Self { notifies: true, ..self }
    }

    /// These ports, with dispatchers that settle commits and messages by `settlement`, which stands for the same runs and queues.
    #[must_use]
    pub fn settling(self, settlement: Arc<dyn Settlement>) -> Self {
        Self { settlement: Some(settlement), ..self }
    }

    /// These ports under the guardrails of a canonical text, with which functions are deployed.
    ///
    /// # Errors
    /// The text is not usable, see [`Guardrails::from_json`].
    pub fn bounded_by_json(self, text: &str) -> Result<Self, BadGuardrails> {
        Ok(self.bounded_by(Arc::new(Guardrails::from_json(text)?)))
    }

    /// The dispatcher over the playbooks of `library`.
    pub fn dispatcher(&self, library: Arc<Library>) -> Dispatcher {
        let ports = dispatcher::Ports {
            runs: Arc::clone(&self.runs),
            halts: Arc::clone(&self.halts),
            sender: Arc::clone(&self.sender),
            clock: Arc::clone(&self.clock),
            entropy: Arc::clone(&self.entropy),
            guardrails: Arc::clone(&self.guardrails),
        };
        let dispatcher = Dispatcher::new(ports, library);
        let dispatcher = dispatcher.with_autonomy(Arc::clone(&self.autonomy), Arc::clone(&self.guardrails));
        let dispatcher = dispatcher.watching(self.dependencies());
        let dispatcher = match &self.settlement {
            Some(settlement) => dispatcher.settling(Arc::clone(settlement)),
            None => dispatcher,
        };
        if self.notifies { dispatcher.notifying() } else { dispatcher }
    }

    /// The dependencies of the guardrails, for whoever sweeps.
    pub fn dependencies(&self) -> Dependencies {
        Dependencies::new(
            Arc::clone(&self.guardrails),
            Arc::clone(&self.breakers),
            Arc::clone(&self.checks),
            Arc::clone(&self.halts),
        )
    }

    /// A dispatcher without playbooks: it reads runs by the plans that are stored with them, and takes approvals and cancellations.
    pub fn reader(&self) -> Dispatcher {
        self.dispatcher(Arc::default())
    }

    /// Examines plans before their runs start, by the policy that `strings` configures for the actions.
    ///
    /// # Errors
    /// The configuration is wrong, with every wrong variable; or the policy client cannot be made from it.
    pub fn gatekeeper(&self, strings: &dyn Strings, observer: Arc<Observer>) -> Result<Gatekeeper, Error> {
        let clients = Clients::unshared(Config::read(strings)?).observed_by(observer);
        Ok(Gatekeeper {
            policy: clients.policy()?,
            claims: Arc::clone(&self.claims),
            guardrails: Arc::clone(&self.guardrails),
        })
    }

    /// The ports of the actions' workers.
    pub fn attempt(&self, policy: Arc<dyn Policy>) -> attempt::Ports {
        attempt::Ports {
            claims: Arc::clone(&self.claims),
            policy,
            halts: Arc::clone(&self.halts),
            sender: Arc::clone(&self.sender),
            clock: Arc::clone(&self.clock),
            guardrails: Arc::clone(&self.guardrails),
        }
    }

    /// The ports of the scheduled checks. [`Clients::prober`] is the prober that shares no breaker with the actions.
    pub fn checks(&self, prober: Arc<dyn Prober>) -> checks::Ports {
        checks::Ports { prober, store: Arc::clone(&self.checks), sender: Arc::clone(&self.sender) }
    }

    /// Clients configured from `strings` that share the breakers of this home and report their calls to `observer`.
    ///
    /// # Errors
    /// As [`Clients::new`].
    pub async fn clients(&self, strings: &dyn Strings, observer: Arc<Observer>) -> Result<Clients, Error> {
        Clients::new(strings, Arc::clone(&self.breakers), observer).await
    }
}
