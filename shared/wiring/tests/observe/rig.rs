//! The dispatcher and one action over the fakes, observed, with a clock that the test moves.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use heal_runtime::action::{Action, Admitted, Call, CallMetric, Cooldown, Facts, Performed, Target};
use heal_runtime::attempt::{self, Worker};
use heal_runtime::dispatcher::{self, Dispatcher};
use heal_runtime::host::Host;
use heal_runtime::library::Library;
use heal_runtime::port::{
    CooldownKey, Decision, DecisionSource, Message, OsEntropy, Policy, PolicyInput, PolicyResource, QueueName,
    Sender as _,
};
use heal_runtime::{ActionSpec, AttemptOutcome, AttemptResult, Map, Safety, Violation};
use heal_telemetry::Telemetry;
use heal_telemetry::export::{Settings, Setup};
use heal_testkit::memory::{Claims, Faults, ManualClock, Queues, Runs};
use heal_wiring::observe::Observer;
use serde_json::{Value, json};

pub const ACTION: &str = "reallocate_ticket";

/// Reallocates a ticket; the effect takes as long as the test says.
struct Reallocate {
    spec: ActionSpec,
    clock: Arc<ManualClock>,
    takes_ms: Arc<AtomicU64>,
    unavailable: Arc<AtomicBool>,
}

#[async_trait]
impl Action for Reallocate {
    type Parameters = Map;
    type Facts = ();

    fn spec(&self) -> &ActionSpec {
        &self.spec
    }

    fn targets(&self, _: &Call, parameters: &Map) -> Result<Vec<Target>, AttemptResult> {
        let text = |name: &str| parameters[name].as_str().unwrap_or_default().to_owned();
        let id = text("ticket_id");
        let key = CooldownKey { action: ACTION.to_owned(), target: id.clone() };
        let resource = PolicyResource { ticket_id: id.clone(), reason: text("reason"), ..PolicyResource::default() };
        Ok(vec![Target { id, resource, cooldown: Some(Cooldown { key, duration_ms: 300_000 }) }])
    }

    async fn facts(&self, _: &Call, _: &Map, _: &Target) -> Result<Facts<()>, AttemptResult> {
        if self.unavailable.load(Ordering::SeqCst) {
            let (service, message) = ("execution-ticket-service".to_owned(), "connection refused".to_owned());
            return Err(AttemptResult::new(AttemptOutcome::Unavailable { service, message, retry_after_ms: None }));
        }
        Ok(Facts::default())
    }

    async fn perform(&self, _: &Call, _: &Map, _: &[Admitted<()>]) -> Performed {
        self.clock.advance_ms(self.takes_ms.load(Ordering::SeqCst));
        AttemptResult::succeeded(Map::new()).into()
    }

    fn call_metric(&self, _: &Map, target: &Target) -> Option<CallMetric> {
        Some(CallMetric::TicketReallocation { reason: target.resource.reason.clone() })
    }
}

/// Decides what the test says.
struct Judge(Arc<Mutex<Decision>>);

#[async_trait]
impl Policy for Judge {
    fn validates(&self, _: &str) -> bool {
        true
    }

    async fn decide(&self, _: &PolicyInput) -> Decision {
        self.0.lock().unwrap().clone()
    }
}

pub struct Rig {
    pub telemetry: Telemetry,
    pub observer: Arc<Observer>,
    pub host: Host,
    pub clock: Arc<ManualClock>,
    pub queues: Arc<Queues>,
    pub runs: Faults,
    pub due_runs: Arc<Runs>,
    pub claims: Faults,
    pub verdict: Arc<Mutex<Decision>>,
    pub takes_ms: Arc<AtomicU64>,
    /// The service that has the facts of the action.
    pub unavailable: Arc<AtomicBool>,
}

impl Rig {
    pub fn new() -> Self {
        let telemetry = Setup::new(Settings::read("test", &|_| None)).with_scrape().build().unwrap();
        let observer = Observer::new(telemetry.metrics(), [ACTION], ["healing"]);
        let clock = Arc::new(ManualClock::default());
        let queues = Arc::new(Queues::new(clock.clone(), Faults::default()));
        let (of_runs, of_claims) = (Faults::default(), Faults::default());
        let runs = Arc::new(Runs::new(of_runs.clone()));
        let ports = dispatcher::Ports {
            runs: runs.clone(),
            sender: queues.clone(),
            clock: clock.clone(),
            entropy: Arc::new(OsEntropy),
            guardrails: Arc::default(),
        };
        let dispatcher = Dispatcher::new(ports, Arc::new(library())).observed_by(observer.clone());
        let verdict = Arc::new(Mutex::new(allow(DecisionSource::Server)));
        let takes_ms = Arc::new(AtomicU64::new(0));
        let ports = attempt::Ports {
            claims: Arc::new(Claims::new(of_claims.clone())),
            policy: Arc::new(Judge(Arc::clone(&verdict))),
            sender: queues.clone(),
            clock: clock.clone(),
            guardrails: Arc::default(),
        };
        let unavailable = Arc::new(AtomicBool::new(false));
        let action = Reallocate {
            spec: spec(),
            clock: clock.clone(),
            takes_ms: Arc::clone(&takes_ms),
            unavailable: Arc::clone(&unavailable),
        };
        let worker = Worker::new(action, Arc::new(ports)).unwrap().observed_by(observer.clone());
        let host = Host::new(dispatcher, [worker], queues.clone(), runs.clone());
        Self {
            telemetry,
            observer,
            host,
            clock,
            queues,
            runs: of_runs,
            due_runs: runs,
            claims: of_claims,
            verdict,
            takes_ms,
            unavailable,
        }
    }

    pub async fn send(&self, queue: QueueName, body: &str) {
        let message = Message { queue, body: body.to_owned(), delay_ms: 0, traceparent: None };
        self.queues.send(vec![message]).await.unwrap();
    }

    pub async fn incident(&self, body: &Value) {
        self.send(QueueName::Incidents, &body.to_string()).await;
    }

    /// Processes due messages until there are none.
    pub async fn work(&self) {
        loop {
            let mut handled = 0;
            for queue in [QueueName::Incidents, QueueName::Action(ACTION.to_owned()), QueueName::Results] {
                handled += self.host.once(&queue, 100).await.unwrap();
            }
            if handled == 0 {
                return;
            }
        }
    }

    /// Executes a run of its own for `ticket` to its end.
    pub async fn heal(&self, incident_id: &str, ticket: &str) {
        self.incident(&incident(incident_id, ticket)).await;
        self.work().await;
    }

    #[track_caller]
    pub fn assert_series(&self, lines: &[&str]) {
        let text = self.telemetry.exposition().unwrap();
        for line in lines {
            assert!(text.lines().any(|it| it == *line), "no {line} in\n{text}");
        }
    }

    #[track_caller]
    pub fn assert_none(&self, start: &str) {
        let text = self.telemetry.exposition().unwrap();
        assert!(!text.lines().any(|line| line.starts_with(start)), "{start} in\n{text}");
    }
}

pub fn incident(incident_id: &str, ticket: &str) -> Value {
    let created_at = ManualClock::START.0 - 2_000;
    json!({"incident_id": incident_id, "incident_type": "LATE", "ticket_id": ticket, "created_at": created_at})
}

pub const fn allow(source: DecisionSource) -> Decision {
    Decision::Allow { source, warning: None }
}

pub fn deny(source: DecisionSource) -> Decision {
    let violation = Violation { policy: "p".into(), rule: "r".into(), msg: "m".into(), severity: "high".into() };
    Decision::Deny { source, violations: vec![violation], warning: None }
}

fn library() -> Library {
    let step = json!({
        "name": "nack", "type": ACTION, "needs": [], "timeout_seconds": 120, "on_failure": "stop",
        "retry": {"max_attempts": 1, "backoff_seconds": 1, "max_backoff_seconds": 1}, "on_unavailable": "skip",
        "safety": "idempotent", "parameters": {"ticket_id": "{{ ticket_id }}", "reason": "timeout_recovery"},
    });
    let mut never = step.clone();
    never["name"] = "never".into();
    never["needs"] = json!(["nack"]);
    never["condition"] = "{{ false }}".into();
    let playbook = json!({
        "name": "healing", "description": "", "timeout_seconds": 3_600, "triggers": [{"incident_type": "LATE"}],
        "concurrency_key": "{{ ticket_id }}", "actions": [step, never], "verify": [],
    });
    Library::new([serde_json::from_value(playbook).unwrap()]).unwrap()
}

fn spec() -> ActionSpec {
    ActionSpec {
        name: ACTION,
        description: "Gives a ticket back.",
        parameters: json!({"type": "object"}),
        outputs: &[],
        safety: Safety::Idempotent,
        inherits: &[],
        default_timeout_seconds: 120,
        service: "lamps",
        critical: true,
    }
}
