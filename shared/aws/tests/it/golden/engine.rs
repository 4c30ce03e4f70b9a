//! An engine over a table in DynamoDB, with actions that succeed.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use heal_aws::Store;
use heal_engine::{Event, Plan, report};
use heal_runtime::action::{Action, Admitted, Call, Cooldown, Facts, Performed, Target};
use heal_runtime::attempt::{self, Worker};
use heal_runtime::dispatcher::{self, Dispatcher};
use heal_runtime::host::Host;
use heal_runtime::library::Library;
use heal_runtime::port::{
    self, CooldownKey, Decision, DecisionSource, Entropy, Message, Policy, PolicyInput, PolicyResource, QueueName,
    RunFilter, RunHead, RunReader, Sender as _,
};
use heal_runtime::{ActionSpec, AttemptResult, Map, Safety, Timestamp};
use heal_testkit::memory::{Faults, ManualClock, Queues};
use serde_json::{Value, json};

pub(super) const ACTIONS: [&str; 2] = ["check_worker_health", "reallocate_ticket"];

/// 1, 2, 3, …
#[derive(Default)]
struct Counter(AtomicU64);

impl Entropy for Counter {
    fn next(&self) -> port::Result<u64> {
        Ok(self.0.fetch_add(1, Ordering::SeqCst) + 1)
    }
}

struct AllowAll;

#[async_trait]
impl Policy for AllowAll {
    fn validates(&self, _: &str) -> bool {
        false
    }

    async fn decide(&self, _: &PolicyInput) -> Decision {
        Decision::Allow { source: DecisionSource::NotValidated, warning: None }
    }
}

/// An action that only succeeds.
struct Scripted(ActionSpec);

#[async_trait]
impl Action for Scripted {
    type Parameters = Map;
    type Facts = ();

    fn spec(&self) -> &ActionSpec {
        &self.0
    }

    fn targets(&self, _: &Call, parameters: &Map) -> Result<Vec<Target>, AttemptResult> {
        let id = parameters.get("ticket_id").and_then(|id| id.as_str()).unwrap_or("none").to_owned();
        let key = CooldownKey { action: self.0.name.to_owned(), target: id.clone() };
        let cooldown = (self.0.name == "reallocate_ticket").then_some(Cooldown { key, duration_ms: 300_000 });
        Ok(vec![Target { id, resource: PolicyResource::default(), cooldown }])
    }

    async fn facts(&self, _: &Call, _: &Map, _: &Target) -> Result<Facts<()>, AttemptResult> {
        Ok(Facts::default())
    }

    async fn perform(&self, _: &Call, _: &Map, _: &[Admitted<()>]) -> Performed {
        let output: Map = serde_json::from_value(json!({"healthy": true, "worker_unhealthy": false})).unwrap();
        AttemptResult::succeeded(output).into()
    }
}

/// An engine over the table, with queues in memory that start empty.
pub(super) struct Engine {
    host: Host,
    store: Store,
    queues: Arc<Queues>,
    pub(super) clock: Arc<ManualClock>,
}

impl Engine {
    pub(super) fn new(store: &Store, start: Timestamp) -> Self {
        let clock = Arc::new(ManualClock::new(start));
        let queues = Arc::new(Queues::new(clock.clone(), Faults::default()));
        let shared = Arc::new(store.clone());
        let worker = |name| {
            let spec = ActionSpec {
                name,
                description: "Succeeds.",
                parameters: json!({"type": "object"}),
                outputs: &[],
                safety: Safety::Idempotent,
                inherits: &[],
                default_timeout_seconds: 60,
                critical: false,
            };
            let ports = attempt::Ports {
                claims: shared.clone(),
                policy: Arc::new(AllowAll),
                sender: queues.clone(),
                clock: clock.clone(),
            };
            Worker::new(Scripted(spec), Arc::new(ports)).unwrap()
        };
        let ports = dispatcher::Ports {
            runs: shared.clone(),
            sender: queues.clone(),
            clock: clock.clone(),
            entropy: Arc::new(Counter::default()),
        };
        let playbooks = std::fs::read_to_string(super::golden("playbooks.json")).unwrap();
        let library = Arc::new(Library::from_json(&playbooks).unwrap());
        let host = Host::new(Dispatcher::new(ports, library), ACTIONS.map(worker), queues.clone(), shared);
        Self { host, store: store.clone(), queues, clock }
    }

    pub(super) async fn incident(&self, incident_id: &str, rest: Value) {
        let mut body = json!({"incident_id": incident_id});
        body.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
        let message = Message { queue: QueueName::Incidents, body: body.to_string(), delay_ms: 0, traceparent: None };
        self.queues.send(vec![message]).await.unwrap();
    }

    /// Processes the due messages of the dispatcher's queues and of these actions' queues.
    pub(super) async fn work(&self, actions: &[&str]) {
        let named = actions.iter().map(|name| QueueName::Action((*name).to_owned()));
        let queues: Vec<QueueName> = [QueueName::Incidents, QueueName::Results].into_iter().chain(named).collect();
        loop {
            let mut handled = 0;
            for queue in &queues {
                handled += self.host.once(queue, 1).await.unwrap();
            }
            if handled == 0 {
                return;
            }
        }
    }

    pub(super) async fn heads(&self) -> Vec<RunHead> {
        let mut runs = self.store.list(&RunFilter::default(), 100, None).await.unwrap().runs;
        runs.sort_by(|a, b| a.incident_id.cmp(&b.incident_id));
        runs
    }

    pub(super) async fn sweep(&self) {
        self.host.dispatcher().sweep(&self.store, 100).await.unwrap();
    }

    pub(super) async fn reports(&self) -> Value {
        let mut reports = Vec::new();
        for head in self.heads().await {
            let log = RunReader::load(&self.store, &head.run_id, 0).await.unwrap();
            let plan = match log[0].events.first() {
                Some(Event::RunStarted(started)) => {
                    let text = self.store.plan(&started.plan_digest).await.unwrap().unwrap();
                    Some(Plan::parse(&started.plan_digest, &text).unwrap())
                }
                _ => None,
            };
            reports.push(json!(report::report(plan.as_ref(), &head.run_id, &log).unwrap()));
        }
        Value::Array(reports)
    }
}
