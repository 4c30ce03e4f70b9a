//! Rows and parked messages of an earlier build: this build reads them, ends the live runs, and writes the same forms.
//!
//! `golden/rows-vN.json` is a table, scanned in the middle of its runs; `golden/parked-vN.json` are the messages of a parking queue.
//! `MAKE_GOLDEN=1` with the build whose form is to be kept writes them; whoever changes a form adds files, and keeps the older ones.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use heal_aws::Store;
use heal_aws::queue::dead::Unworkable;
use heal_engine::{Event, Plan, report};
use heal_runtime::action::{Action, Call, Cooldown, Performed, Target};
use heal_runtime::attempt::{self, Worker};
use heal_runtime::dispatcher::{self, Dispatcher};
use heal_runtime::host::Host;
use heal_runtime::library::Library;
use heal_runtime::port::{
    BreakerStore, CheckStore, ClaimKey, ClaimRequest, ClaimStore, CooldownKey, CooldownRequest, Decision,
    DecisionSource, Entropy, LeaseOwner, Message, Policy, PolicyInput, PolicyResource, QueueName, Reservation,
    RunFilter, RunHead, RunStore, Sender as _,
};
use heal_runtime::{ActionSpec, AttemptResult, Map, Safety};
use heal_stack::{MiniStack, table};
use heal_testkit::memory::{Faults, ManualClock, Queues};
use serde_json::{Value, json};

const ACTIONS: [&str; 2] = ["check_worker_health", "reallocate_ticket"];
const T0: heal_runtime::Timestamp = ManualClock::START;

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

fn read(name: &str) -> Value {
    serde_json::from_str(&std::fs::read_to_string(golden(name)).unwrap()).unwrap()
}

fn write(name: &str, value: &Value) {
    std::fs::write(golden(name), format!("{}\n", serde_json::to_string_pretty(value).unwrap())).unwrap();
}

#[derive(Default)]
struct Counter(AtomicU64);

impl Entropy for Counter {
    fn next(&self) -> u64 {
        self.0.fetch_add(1, Ordering::SeqCst) + 1
    }
}

struct AllowAll;

#[async_trait]
impl Policy for AllowAll {
    fn validates(&self, _: &str) -> bool {
        false
    }

    async fn decide(&self, _: &PolicyInput) -> Decision {
        Decision::Allow { source: DecisionSource::NotAsked, warning: None }
    }
}

/// An action that succeeds, and does nothing else.
struct Scripted(ActionSpec);

#[async_trait]
impl Action for Scripted {
    fn spec(&self) -> &ActionSpec {
        &self.0
    }

    fn targets(&self, call: &Call) -> Result<Vec<Target>, AttemptResult> {
        let id = call.parameters().get("ticket_id").and_then(|id| id.as_str()).unwrap_or("none").to_owned();
        let key = CooldownKey { action: self.0.name.to_owned(), target: id.clone() };
        let cooldown = (self.0.name == "reallocate_ticket").then_some(Cooldown { key, duration_ms: 300_000 });
        Ok(vec![Target { id, resource: PolicyResource::default(), cooldown }])
    }

    async fn perform(&self, _: &Call, _: &[Target]) -> Performed {
        let output: Map = serde_json::from_value(json!({"healthy": true, "worker_unhealthy": false})).unwrap();
        AttemptResult::succeeded(output).into()
    }
}

/// An engine over the table, with queues in memory that start empty.
struct Engine {
    host: Host,
    store: Store,
    queues: Arc<Queues>,
    clock: Arc<ManualClock>,
}

impl Engine {
    fn new(store: &Store, start: heal_runtime::Timestamp) -> Self {
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
            Worker::new(Arc::new(Scripted(spec)), Arc::new(ports)).unwrap()
        };
        let ports = dispatcher::Ports {
            runs: shared.clone(),
            sender: queues.clone(),
            clock: clock.clone(),
            entropy: Arc::new(Counter::default()),
        };
        let playbooks = std::fs::read_to_string(golden("playbooks.json")).unwrap();
        let library = Arc::new(Library::from_json(&playbooks).unwrap());
        let host = Host::new(Dispatcher::new(ports, library), ACTIONS.map(worker), queues.clone());
        Self { host, store: store.clone(), queues, clock }
    }

    async fn incident(&self, incident_id: &str, rest: Value) {
        let mut body = json!({"incident_id": incident_id});
        body.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
        let message = Message { queue: QueueName::Incidents, body: body.to_string(), delay_ms: 0, traceparent: None };
        self.queues.send(vec![message]).await.unwrap();
    }

    /// Handles what is due on these queues.
    async fn work(&self, actions: &[&str]) {
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

    async fn heads(&self) -> Vec<RunHead> {
        let mut runs = self.store.list(&RunFilter::default(), 100, None).await.unwrap().runs;
        runs.sort_by(|a, b| a.incident_id.cmp(&b.incident_id));
        runs
    }

    async fn reports(&self) -> Value {
        let mut reports = Vec::new();
        for head in self.heads().await {
            let log = RunStore::load(&self.store, &head.run_id, 0).await.unwrap();
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

fn claim(attempt: &str, holder: &str, now_ms: u64) -> ClaimRequest {
    let key = CooldownKey { action: "reallocate_ticket".to_owned(), target: "t-claimed".to_owned() };
    ClaimRequest {
        key: ClaimKey { action: "reallocate_ticket".to_owned(), attempt: attempt.to_owned() },
        holder: LeaseOwner(holder.to_owned()),
        now: T0.plus_ms(now_ms),
        lease_until: T0.plus_ms(now_ms + 30_000),
        cooldowns: vec![CooldownRequest { key, cooldown_ms: 60_000 }],
    }
}

/// Writes one row of every kind: runs that ended, wait, and have a command out; claims of three kinds; and the rest.
async fn fill(store: &Store) {
    let engine = Engine::new(store, T0);
    let tickets: Vec<String> = (0..60).map(|number| format!("ticket-with-a-long-name-{number}")).collect();
    engine.incident("ended", json!({"incident_type": "PLAIN", "worker_id": "worker-1"})).await;
    engine.incident("rejected", json!({"recommended_playbook": "nowhere"})).await;
    engine.incident("waiting", json!({"incident_type": "WAIT", "worker_id": "worker-1"})).await;
    engine.incident("packed", json!({"incident_type": "FAN", "worker_id": "w", "affected_tickets": tickets})).await;
    engine.work(&ACTIONS).await;
    engine.incident("fanning", json!({"incident_type": "FAN", "worker_id": "w", "affected_tickets": ["t-1"]})).await;
    engine.work(&["check_worker_health"]).await;
    // A claim that was recovered and let go, one that is held, and cooldowns with and without one before.
    store.reserve(&claim("r/recovered/1", "dead", 0)).await.unwrap();
    store.reserve(&claim("r/recovered/1", "next", 70_000)).await.unwrap();
    store.release(&claim("r/recovered/1", "next", 70_000).key, &LeaseOwner("next".to_owned())).await.unwrap();
    store.reserve(&claim("r/held/1", "busy", 200_000)).await.unwrap();
    store.open("ticket_service", T0, T0.plus_ms(60_000)).await.unwrap();
    assert!(store.take_trial("ticket_service", "busy", T0.plus_ms(60_000), T0.plus_ms(90_000)).await.unwrap());
    assert!(CheckStore::store(store, "ticket_service_health", 0, r#"{"looked_at":1800000000000}"#).await.unwrap());
}

async fn rows(store: &Store) -> Value {
    let page = table::call(MiniStack::shared(), "DynamoDB_20120810.Scan", &json!({"TableName": store.table()})).await;
    let mut rows = page["Items"].as_array().unwrap().clone();
    rows.sort_by_key(|row| format!("{} {}", row["pk"]["S"], row["sk"]["S"]));
    Value::Array(rows)
}

#[tokio::test]
#[ignore = "its golden files are not made yet: run twice with MAKE_GOLDEN=1 UPDATE_GOLDEN=1"]
async fn rows_of_an_earlier_build_are_continued() {
    let store = table::empty(MiniStack::shared()).await;
    for row in read("rows-v1.json").as_array().unwrap() {
        let mut row = row.clone();
        // A later build may add attributes that this one does not know.
        row["of_a_later_build"] = json!({"S": "unknown"});
        let put = json!({"TableName": store.table(), "Item": row});
        table::call(MiniStack::shared(), "DynamoDB_20120810.PutItem", &put).await;
    }
    assert!(BreakerStore::read(&store, "ticket_service").await.unwrap().unwrap().trial.is_some());
    let memory = CheckStore::load(&store, "ticket_service_health").await.unwrap();
    assert_eq!(memory, Some((1, r#"{"looked_at":1800000000000}"#.to_owned())));
    let held = store.reserve(&claim("r/held/1", "other", 210_000)).await.unwrap();
    assert_eq!(held, Reservation::Busy { until: T0.plus_ms(230_000) });
    let recovered = store.reserve(&claim("r/recovered/1", "third", 220_000)).await.unwrap();
    let Reservation::Held { recovered: true, cooling } = recovered else { panic!("{recovered:?}") };
    assert_eq!(cooling.len(), 1, "the claim that is held reserved the same target");

    let engine = Engine::new(&store, T0.plus_ms(1_000));
    // The incident comes again: everything that its run owes is sent again.
    engine.incident("fanning", json!({"incident_type": "FAN", "worker_id": "w", "affected_tickets": ["t-1"]})).await;
    engine.work(&ACTIONS).await;
    for _ in 0..100 {
        if engine.heads().await.iter().all(|head| head.status.is_terminal()) {
            break;
        }
        engine.clock.advance_ms(60_000);
        engine.host.dispatcher().sweep(100).await.unwrap();
        engine.work(&ACTIONS).await;
    }
    let reports = engine.reports().await;
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        write("reports-v1.json", &reports);
    }
    assert_eq!(reports, read("reports-v1.json"));
}

/// A change of a row's form fails here: it needs a version of its own, and golden files that have it.
#[tokio::test]
#[ignore = "its golden files are not made yet: run twice with MAKE_GOLDEN=1 UPDATE_GOLDEN=1"]
async fn rows_are_written_as_the_golden_file_has_them() {
    let store = table::empty(MiniStack::shared()).await;
    fill(&store).await;
    let rows = rows(&store).await;
    if std::env::var_os("MAKE_GOLDEN").is_some() {
        write("rows-v1.json", &rows);
    }
    let expected = read("rows-v1.json");
    let kinds = |rows: &Value| -> BTreeMap<String, BTreeSet<String>> {
        let mut kinds: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for row in rows.as_array().unwrap() {
            let kind = row["pk"]["S"].as_str().unwrap().split('#').next().unwrap().to_owned();
            kinds.entry(kind).or_default().extend(row.as_object().unwrap().keys().cloned());
        }
        kinds
    };
    assert_eq!(kinds(&rows), kinds(&expected));
    assert_eq!(rows, expected);
}

#[tokio::test]
#[ignore = "its golden files are not made yet: run twice with MAKE_GOLDEN=1 UPDATE_GOLDEN=1"]
async fn parked_messages_of_an_earlier_build_are_listed() {
    let queues = table::queues(MiniStack::shared(), &["incidents", "dead"]).await;
    let url = queues.urls().parked();
    if std::env::var_os("MAKE_GOLDEN").is_some() {
        let message = Unworkable {
            queue: &QueueName::Action("restart_pod".to_owned()),
            message_id: "m-1",
            body: "not JSON",
            receive_count: 5,
            traceparent: Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
            reason: "the message is not JSON",
        };
        queues.park(&message).await.unwrap();
        let receive = json!({"QueueUrl": url, "MessageAttributeNames": ["All"]});
        let answer = table::call(MiniStack::shared(), "AmazonSQS.ReceiveMessage", &receive).await;
        let message = &answer["Messages"][0];
        write(
            "parked-v1.json",
            &json!({"MessageBody": message["Body"], "MessageAttributes": message["MessageAttributes"]}),
        );
    }
    let mut message = read("parked-v1.json");
    message["QueueUrl"] = json!(url);
    message["MessageAttributes"]["of_a_later_build"] = json!({"DataType": "String", "StringValue": "unknown"});
    table::call(MiniStack::shared(), "AmazonSQS.SendMessage", &message).await;
    let letters = queues.parked(10).await.unwrap();
    let letter = letters.last().unwrap();
    assert_eq!(letter.queue, QueueName::Action("restart_pod".to_owned()));
    assert_eq!((letter.message_id.as_str(), letter.receive_count), ("m-1", 5));
    assert_eq!((letter.body.as_str(), letter.reason.as_str()), ("not JSON", "the message is not JSON"));
}
