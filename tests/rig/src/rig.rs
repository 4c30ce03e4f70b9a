//! One worker over the stand-in platform and ports in memory, with the time in the test's hands.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use heal_clients::Wiring;
use heal_clients::config::Config;
use heal_guard::{CooldownRule, Guardrails};
use heal_runtime::action::Action;
use heal_runtime::attempt::{CommandOutcome, Error, LEASE_MS, Ports, Worker};
use heal_runtime::port::{
    ClaimKey, ClaimRequest, ClaimStore, Clock, CooldownKey, CooldownRequest, LeaseOwner, Policy, Reservation,
};
use heal_runtime::{ActionCommand, ActionSpec, AttemptResult, Context, Digest, Map, RunId, Token};
use heal_sandbox::{Call, Fault, FaultKind, Platform, PlatformConfig, Service};
use heal_testkit::memory::{Claims, Faults, ManualClock, Queues};
use serde_json::Value;

mod expect;
mod judge;

pub use expect::{denied, failed, no_op, unavailable, unknown};
pub use heal_testkit::memory::{When, no_halts};
pub use judge::{Judge, Recorder, allow, deny};

pub const TRACEPARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/// The platform, the ports, and how to deliver commands over them.
pub struct Rig {
    pub platform: Arc<Platform>,
    pub config: Config,
    pub claims: Arc<Claims>,
    pub faults: Faults,
    pub clock: Arc<ManualClock>,
    pub queues: Arc<Queues>,
    pub policy: Arc<Judge>,
    pub recorder: Arc<Recorder>,
    guardrails: Arc<Guardrails>,
    deliveries: AtomicUsize,
}

impl Rig {
    pub fn new() -> Self {
        Self::with(PlatformConfig::default())
    }

    pub fn with(config: PlatformConfig) -> Self {
        let platform = Arc::new(Platform::start(config).unwrap());
        let env: BTreeMap<String, String> = platform.env().into_iter().collect();
        let clock = Arc::new(ManualClock::default());
        let faults = Faults::default();
        Self {
            config: Config::read(&env).unwrap(),
            claims: Arc::new(Claims::new(faults.clone())),
            queues: Arc::new(Queues::new(clock.clone(), Faults::default())),
            policy: Arc::default(),
            recorder: Arc::default(),
            guardrails: Arc::default(),
            deliveries: AtomicUsize::new(0),
            platform,
            faults,
            clock,
        }
    }

    /// Switches the cooldown of `action` off, for a test of what happens without it.
    #[must_use]
    pub fn without_cooldown(self, action: &str) -> Self {
        let cooldowns = vec![CooldownRule { action: action.to_owned(), seconds: 0 }];
        Self { guardrails: Arc::new(Guardrails { cooldowns, ..Guardrails::default() }), ..self }
    }

    pub fn clock(&self) -> Arc<dyn Clock> {
        self.clock.clone()
    }

    pub fn tickets(&self) -> Arc<heal_clients::tickets::Client> {
        Arc::new(heal_clients::tickets::Client::new(&self.config.tickets, &Wiring::default()).unwrap())
    }

    pub fn orchestrator(&self) -> Arc<heal_clients::orchestrator::Client> {
        Arc::new(heal_clients::orchestrator::Client::new(&self.config.orchestrator, &Wiring::default()).unwrap())
    }

    pub async fn kubernetes(&self) -> Arc<heal_clients::kubernetes::Client> {
        let client = heal_clients::kubernetes::Client::new(&self.config.kubernetes, None, &Wiring::default()).await;
        Arc::new(client.unwrap())
    }

    /// The shipped policy as it decides where the policy server cannot: the platform has none loaded.
    pub fn shipped_policy(&self) -> Arc<dyn Policy> {
        Arc::new(heal_clients::policy::Client::new(&self.config.policy, &Wiring::default()).unwrap())
    }

    pub fn worker(&self, action: impl Action) -> Worker {
        self.worker_under(action, self.policy.clone())
    }

    pub fn worker_under(&self, action: impl Action, policy: Arc<dyn Policy>) -> Worker {
        let ports = Ports {
            claims: self.claims.clone(),
            policy,
            halts: heal_testkit::memory::no_halts(),
            sender: self.queues.clone(),
            clock: self.clock(),
            guardrails: self.guardrails.clone(),
        };
        Worker::new(action, Arc::new(ports)).unwrap().observed_by(self.recorder.clone())
    }

    /// The first attempt of step `heal` of run `run-1`, with two minutes of time.
    pub fn command(&self, spec: &ActionSpec, parameters: Value) -> ActionCommand {
        let Value::Object(parameters) = parameters else { panic!("parameters are an object") };
        ActionCommand {
            run_id: RunId::new("run-1"),
            step: "heal".to_owned(),
            item: None,
            attempt: 1,
            token: Token::new("token"),
            action: spec.name.to_owned(),
            parameters_digest: Digest::of(Value::Object(parameters.clone()).to_string().as_bytes()),
            parameters,
            issued_at: self.clock.now(),
            deadline: self.clock.now().plus_ms(120_000),
            timeout_ms: None,
            incarnation: None,
            effect_key: None,
            shadow: false,
            context: Context {
                incident_id: "INC-1".to_owned(),
                playbook: "ticket_timeout_recovery".to_owned(),
                workflow_id: Some("wf-1".to_owned()),
                traceparent: Some(TRACEPARENT.to_owned()),
            },
            commands_sent: 1,
            approved: None,
        }
    }

    /// Delivers the command once.
    pub async fn deliver(&self, worker: &Worker, command: &ActionCommand) -> Result<CommandOutcome, Error> {
        let number = self.deliveries.fetch_add(1, Ordering::SeqCst);
        let body = serde_json::to_string(command).unwrap();
        worker.handle(&body, LeaseOwner(format!("delivery-{number}"))).await
    }

    /// Delivers the command once, and gives its result.
    pub async fn perform(&self, worker: &Worker, command: &ActionCommand) -> AttemptResult {
        match self.deliver(worker, command).await.unwrap() {
            CommandOutcome::Answered(result) => *result,
            other => panic!("not answered: {other:?}"),
        }
    }

    /// A worker took the command, reserved these targets, and died; its lease has expired.
    pub async fn lose_worker(&self, command: &ActionCommand, targets: &[&str]) {
        let cooldown = |target: &&str| CooldownRequest {
            key: CooldownKey { action: command.action.clone(), target: (*target).to_owned() },
            cooldown_ms: 300_000,
        };
        let (key, now) =
            (ClaimKey { action: command.action.clone(), attempt: command.attempt_key() }, self.clock.now());
        let claim = ClaimRequest::new(key, LeaseOwner("lost".to_owned()), now, now.plus_ms(LEASE_MS));
        let request = ClaimRequest { cooldowns: targets.iter().map(cooldown).collect(), ..claim };
        let reservation = self.claims.reserve(&request).await.unwrap();
        assert!(matches!(reservation, Reservation::Held { recovered: false, .. }), "{reservation:?}");
        self.clock.advance_ms(LEASE_MS + 1);
    }

    /// A worker performs the command, and dies before it stores the result; its lease has expired.
    pub async fn lose_worker_after(&self, worker: &Worker, command: &ActionCommand) {
        self.faults.fail_next_of("claims.finish", 1, When::Before);
        self.deliver(worker, command).await.unwrap_err();
        self.clock.advance_ms(LEASE_MS + 1);
    }

    /// Whether another attempt may touch the target now.
    pub async fn is_free(&self, action: &str, target: &str) -> bool {
        let number = self.deliveries.fetch_add(1, Ordering::SeqCst);
        let key = ClaimKey { action: action.to_owned(), attempt: format!("probe/{number}") };
        let cooldown = CooldownKey { action: action.to_owned(), target: target.to_owned() };
        let (by, now) = (LeaseOwner(format!("probe-{number}")), self.clock.now());
        let cooldowns = vec![CooldownRequest { key: cooldown, cooldown_ms: 1 }];
        let request = ClaimRequest { cooldowns, ..ClaimRequest::new(key.clone(), by, now, now.plus_ms(1)) };
        let reservation = self.claims.reserve(&request).await.unwrap();
        self.claims.release(&key, &request.holder).await.unwrap();
        matches!(reservation, Reservation::Held { cooling, .. } if cooling.is_empty())
    }

    pub fn fault(&self, service: Service, operation: &str, kind: FaultKind) {
        self.platform.set_fault(Fault::new(service, kind).on(operation)).unwrap();
    }

    pub fn fault_times(&self, service: Service, operation: &str, kind: FaultKind, times: u64) {
        self.platform.set_fault(Fault::new(service, kind).on(operation).times(times)).unwrap();
    }

    /// The calls of one operation.
    pub fn calls_of(&self, operation: &str) -> Vec<Call> {
        self.platform.calls().into_iter().filter(|call| call.operation == operation).collect()
    }

    /// The names of all calls, in order.
    pub fn operations(&self) -> Vec<String> {
        self.platform.calls().into_iter().map(|call| call.operation).collect()
    }
}

/// The command of the step's attempt `attempt`.
pub fn attempt(command: &ActionCommand, attempt: u32) -> ActionCommand {
    ActionCommand { attempt, token: Token::new(format!("token-{attempt}")), ..command.clone() }
}

/// The longest that a [`short`] command takes, on a busy machine too. Far under any client's own timeout.
pub const SHORTLY: Duration = Duration::from_secs(4);

/// The command with a deadline in 2.5 s: less than any client's own timeout.
pub fn short(rig: &Rig, command: ActionCommand) -> ActionCommand {
    ActionCommand { deadline: rig.clock.now().plus_ms(2_500), ..command }
}

/// The command of another run.
pub fn of_run(command: &ActionCommand, run: &str) -> ActionCommand {
    ActionCommand { run_id: RunId::new(run), ..command.clone() }
}

pub fn output(pairs: Value) -> Map {
    let Value::Object(map) = pairs else { panic!("outputs are an object") };
    map
}
