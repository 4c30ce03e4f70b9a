//! One worker over the stand-in platform and ports in memory, with the time in the test's hands.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use heal_clients::Wiring;
use heal_clients::config::Config;
use heal_runtime::action::Action;
use heal_runtime::attempt::{CommandOutcome, Error, LEASE_MS, Ports, Worker};
use heal_runtime::port::{
    ClaimKey, ClaimRequest, ClaimStore, Clock, CooldownKey, CooldownRequest, Decision, DecisionSource, LeaseOwner,
    Policy, PolicyInput, Reservation,
};
use heal_runtime::{
    ActionCommand, ActionSpec, AttemptOutcome, AttemptResult, Context, Digest, Map, RunId, Token, Violation,
};
use heal_sandbox::{Call, Fault, FaultKind, Platform, PlatformConfig, Service};
use heal_testkit::memory::{Claims, Faults, ManualClock, Queues, When};
use serde_json::Value;

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
    deliveries: AtomicUsize,
}

/// A policy that decides by the test's function, and records its inputs.
pub struct Judge {
    asked: Mutex<Vec<PolicyInput>>,
    verdict: Mutex<Verdict>,
}

type Verdict = Box<dyn Fn(&PolicyInput) -> Decision + Send + Sync>;

pub fn allow() -> Decision {
    Decision::Allow { source: DecisionSource::Server, warning: None }
}

pub fn deny(rule: &str) -> Decision {
    let violation = Violation {
        policy: "test".to_owned(),
        rule: rule.to_owned(),
        msg: "the test says no".to_owned(),
        severity: "high".to_owned(),
    };
    Decision::Deny { source: DecisionSource::Server, violations: vec![violation] }
}

impl Judge {
    pub fn decide_by(&self, verdict: impl Fn(&PolicyInput) -> Decision + Send + Sync + 'static) {
        *self.verdict.lock().unwrap() = Box::new(verdict);
    }

    pub fn asked(&self) -> Vec<PolicyInput> {
        self.asked.lock().unwrap().clone()
    }
}

#[async_trait]
impl Policy for Judge {
    fn validates(&self, _: &str) -> bool {
        true
    }

    async fn decide(&self, input: &PolicyInput) -> Decision {
        self.asked.lock().unwrap().push(input.clone());
        (self.verdict.lock().unwrap())(input)
    }
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
            policy: Arc::new(Judge { asked: Mutex::default(), verdict: Mutex::new(Box::new(|_| allow())) }),
            deliveries: AtomicUsize::new(0),
            platform,
            faults,
            clock,
        }
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
        let ports = Ports { claims: self.claims.clone(), policy, sender: self.queues.clone(), clock: self.clock() };
        Worker::new(action, Arc::new(ports)).unwrap()
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
            context: Context {
                incident_id: "INC-1".to_owned(),
                playbook: "ticket_timeout_recovery".to_owned(),
                workflow_id: Some("wf-1".to_owned()),
                traceparent: Some(TRACEPARENT.to_owned()),
            },
            hop: 1,
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
        let request = ClaimRequest {
            key: ClaimKey { action: command.action.clone(), attempt: command.attempt_key() },
            holder: LeaseOwner("lost".to_owned()),
            now: self.clock.now(),
            lease_until: self.clock.now().plus_ms(LEASE_MS),
            cooldowns: targets.iter().map(cooldown).collect(),
        };
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
        let request = ClaimRequest {
            key: key.clone(),
            holder: LeaseOwner(format!("probe-{number}")),
            now: self.clock.now(),
            lease_until: self.clock.now().plus_ms(1),
            cooldowns: vec![CooldownRequest { key: cooldown, cooldown_ms: 1 }],
        };
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

/// The service and message of an outage.
#[track_caller]
pub fn unavailable(result: &AttemptResult) -> (&str, &str) {
    match &result.outcome {
        AttemptOutcome::Unavailable { service, message, .. } => (service, message),
        other => panic!("not unavailable: {other:?}"),
    }
}

/// Why the outcome is not known.
#[track_caller]
pub fn unknown(result: &AttemptResult) -> &str {
    match &result.outcome {
        AttemptOutcome::Unknown { message } => message,
        other => panic!("not unknown: {other:?}"),
    }
}

/// Why there was nothing to do.
#[track_caller]
pub fn no_op(result: &AttemptResult) -> &str {
    match &result.outcome {
        AttemptOutcome::NoOp { reason } => reason,
        other => panic!("something was done: {other:?}"),
    }
}

/// Code and message of a permanent failure.
#[track_caller]
pub fn failed(result: &AttemptResult) -> (&str, &str) {
    match &result.outcome {
        AttemptOutcome::Failed { code, message, retryable: false } => (code, message),
        other => panic!("no permanent failure: {other:?}"),
    }
}

/// The rules that were broken.
#[track_caller]
pub fn denied(result: &AttemptResult) -> Vec<&str> {
    match &result.outcome {
        AttemptOutcome::Denied { violations } => violations.iter().map(|violation| violation.rule.as_str()).collect(),
        other => panic!("not denied: {other:?}"),
    }
}
