//! An engine over a table in DynamoDB, with actions that succeed.

use std::collections::BTreeMap;
use std::sync::Arc;

use heal_aws::Store;
use heal_engine::{Event, Plan, report};
use heal_guard::{Admission, Guardrails, LiveBounds, Repeats};
use heal_runtime::Timestamp;
use heal_runtime::dispatcher::{self, Dispatcher};
use heal_runtime::host::Host;
use heal_runtime::library::Library;
use heal_runtime::port::{Message, QueueName, RunFilter, RunHead, RunReader, Sender as _};
use heal_testkit::memory::{Faults, ManualClock, Queues};
use heal_testkit::scripted::{self, Counter};
use serde_json::{Value, json};

pub(super) const ACTIONS: [&str; 2] = ["check_worker_health", "reallocate_ticket"];

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
            scripted::worker(
                name,
                shared.clone(),
                queues.clone(),
                clock.clone(),
                |_| json!({"healthy": true, "worker_unhealthy": false}),
            )
        };
        let ports = dispatcher::Ports {
            runs: shared.clone(),
            halts: heal_testkit::memory::no_halts(),
            sender: queues.clone(),
            clock: clock.clone(),
            entropy: Arc::new(Counter::default()),
            // The earlier build did not count.
            guardrails: Arc::new(Guardrails {
                repeats: Repeats { escalate_at: u32::MAX, ..Repeats::default() },
                admission: Admission {
                    live: LiveBounds { playbooks: BTreeMap::from([("wait".to_owned(), 1)]), ..LiveBounds::default() },
                },
                ..Guardrails::default()
            }),
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
