//! What a run costs on AWS: the write units, read units, requests and invocations of warm runs of four steps, counted in front of a local AWS.
//!
//! The dispatcher and the actions are the real ones, in one process, over the real table and queues. `make bench-aws` counts the deployed functions.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::print_stdout)]

use std::collections::BTreeMap;
use std::process::Command;
use std::sync::Arc;

use futures_util::future::join_all;
use heal_aws::{AwsOverrides, Keys, QueueUrls, Queues, Session, Store};
use heal_clients::config::Config;
use heal_runtime::attempt::Worker;
use heal_runtime::dispatcher::Gatekeeper;
use heal_runtime::inbox::{self, DeliveryOutcome, Inbox};
use heal_runtime::library::Library;
use heal_runtime::port::{Clock, Delivery, LeaseOwner, Message, QueueName, RunFilter, RunReader as _, Sender as _};
use heal_runtime::{RunOutcome, Timestamp};
use heal_sandbox::opa::OpaConfig;
use heal_sandbox::{Platform, PlatformConfig, Seed};
use heal_stack::meter::{Counts, Meter};
use heal_stack::{MiniStack, REGION, root, table};
use heal_wiring::{Clients, Ports};
use serde_json::{Value, json};

/// The batch sizes of the template's event source mappings.
const DISPATCHER_BATCH: usize = 10;
const ACTION_BATCH: usize = 5;
/// Runs that are started together: fewer than the guardrails let be live.
const MANY: u64 = 50;

/// A clock that stands still, so that nothing is read again because of its age.
struct Still(Timestamp);

impl Clock for Still {
    fn now(&self) -> Timestamp {
        self.0
    }
}

/// What runs ask of AWS.
#[derive(Debug)]
struct Cost {
    counts: Counts,
    /// Batches that a function receives and deletes.
    invocations: u64,
}

impl Cost {
    /// The sends, and for each batch a receive and a delete.
    fn sqs_requests(&self) -> u64 {
        self.counts.sqs_requests + 2 * self.invocations
    }
}

struct Engine {
    _platform: Platform,
    store: Store,
    meter: Meter,
    queues: Queues,
    inbox: Inbox,
    workers: BTreeMap<&'static str, Worker>,
}

impl Engine {
    async fn start() -> Self {
        let opa = OpaConfig { policy: Some(heal_clients::policy::BUNDLED_POLICY.to_owned()), ..OpaConfig::default() };
        let platform = Platform::start(PlatformConfig { opa, seed: seed(), ..PlatformConfig::default() }).unwrap();
        let meter = Meter::start();
        meter.forward_to(&MiniStack::shared().endpoint_url);
        let session = session(&meter.url).await;
        let store = Store::new(&session, table::empty(MiniStack::shared()).await.table()).unwrap();
        let names = ["check_worker_health", "get_workflow_status", "reallocate_ticket", "update_ticket_status"];
        let actions = names.map(|name| QueueName::Action(name.to_owned()));
        let all: Vec<QueueName> = [QueueName::Incidents, QueueName::Results].into_iter().chain(actions).collect();
        let urls = table::queues(MiniStack::shared(), &[]).await.urls().clone();
        for queue in &all {
            let url = urls.url_of(queue);
            let name = json!({"QueueName": url.rsplit('/').next().unwrap()});
            table::call(MiniStack::shared(), "AmazonSQS.CreateQueue", &name).await;
        }
        let queues = Queues::new(&session, QueueUrls::parse("prefix", urls.prefix()).unwrap()).unwrap();
        let clock: Arc<dyn Clock> = Arc::new(Still(now()));
        let ports = Ports { clock: Arc::clone(&clock), ..Ports::new(&store, &queues) };

        let variables: BTreeMap<String, String> = platform.env().into_iter().collect();
        let clients = Clients::unshared(Config::read(&variables).unwrap());
        let gatekeeper = Gatekeeper {
            policy: clients.policy().unwrap(),
            claims: Arc::clone(&ports.claims),
            guardrails: Arc::clone(&ports.guardrails),
        };
        let dispatcher = ports.dispatcher(Arc::new(library())).gated_by(gatekeeper);
        let workers = workers(&ports, &clients, &clock).await;
        Self { _platform: platform, store, meter, queues, inbox: Inbox::new(dispatcher), workers }
    }

    /// Runs of four steps that are started together.
    async fn runs(&self, numbers: std::ops::Range<u64>) -> Cost {
        let incident = |number: u64| Message {
            queue: QueueName::Incidents,
            body: json!({
                "incident_id": format!("inc-0d5b7a64-93c5-4d5f-8a66-{number:012}"), "incident_type": "FOUR_STEPS",
                "severity": "HIGH", "worker_id": format!("worker-7c9f6d5b8-{number}"), "workflow_id": "wf-running",
                "ticket_id": format!("ticket-5f0c1a3e-77d0-4a62-{number:012}"),
            })
            .to_string(),
            delay_ms: 0,
            traceparent: None,
        };
        self.meter.take();
        self.queues.send(numbers.map(incident).collect()).await.unwrap();
        let mut invocations = 0;
        loop {
            let before = invocations;
            for queue in [QueueName::Incidents, QueueName::Results] {
                while self.deliver(&queue, DISPATCHER_BATCH).await {
                    invocations += 1;
                }
            }
            for action in self.workers.keys() {
                while self.deliver(&QueueName::Action((*action).to_owned()), ACTION_BATCH).await {
                    invocations += 1;
                }
            }
            if invocations == before {
                return Cost { counts: self.meter.take(), invocations };
            }
        }
    }

    /// Handles one batch of the queue, as its function does. False if the queue is empty.
    async fn deliver(&self, queue: &QueueName, most: usize) -> bool {
        let url = self.queues.urls().url_of(queue);
        let receive = json!({"QueueUrl": url, "MaxNumberOfMessages": most, "MessageAttributeNames": ["All"]});
        // The event source mapping's requests, which the meter does not see on AWS either.
        let answer = table::call(MiniStack::shared(), "AmazonSQS.ReceiveMessage", &receive).await;
        let messages = answer["Messages"].as_array().cloned().unwrap_or_default();
        let deliveries: Vec<Delivery> = messages.iter().map(delivery).collect();
        if deliveries.is_empty() {
            return false;
        }
        let settled = match queue {
            QueueName::Action(action) => {
                let worker = &self.workers[action.as_str()];
                let perform = |delivery: Delivery| {
                    let owner = LeaseOwner(format!("{}.0", delivery.message_id));
                    inbox::perform(worker, delivery, owner, None)
                };
                join_all(deliveries.into_iter().map(perform)).await
            }
            QueueName::Incidents | QueueName::Results | QueueName::Notify => self.inbox.take(queue, deliveries).await,
        };
        for settled in settled {
            assert_eq!(settled.outcome, DeliveryOutcome::Acknowledge, "{queue}: {}", settled.delivery.body);
            let delete = json!({"QueueUrl": url, "ReceiptHandle": settled.delivery.receipt});
            table::call(MiniStack::shared(), "AmazonSQS.DeleteMessage", &delete).await;
        }
        true
    }
}

fn delivery(message: &Value) -> Delivery {
    let text = |name: &str| message[name].as_str().unwrap().to_owned();
    Delivery {
        receipt: text("ReceiptHandle"),
        message_id: text("MessageId"),
        body: text("Body"),
        receive_count: 1,
        traceparent: message["MessageAttributes"]["traceparent"]["StringValue"].as_str().map(str::to_owned),
        sender: None,
    }
}

async fn workers(ports: &Ports, clients: &Clients, clock: &Arc<dyn Clock>) -> BTreeMap<&'static str, Worker> {
    let attempts = Arc::new(ports.attempt(clients.policy().unwrap()));
    let (tickets, workflows) = (clients.tickets().unwrap(), clients.orchestrator().unwrap());
    let pods = clients.kubernetes().await.unwrap();
    let workers = [
        Worker::new(heal_check_worker_health::CheckWorkerHealth::new(pods, Arc::clone(clock)), Arc::clone(&attempts)),
        Worker::new(
            heal_get_workflow_status::GetWorkflowStatus::new(workflows, Arc::clone(clock)),
            Arc::clone(&attempts),
        ),
        Worker::new(
            heal_reallocate_ticket::ReallocateTicket::new(Arc::clone(&tickets), Arc::clone(clock)),
            Arc::clone(&attempts),
        ),
        Worker::new(heal_update_ticket_status::UpdateTicketStatus::new(tickets, Arc::clone(clock)), attempts),
    ];
    workers.map(Result::unwrap).into_iter().map(|worker| (worker.name(), worker)).collect()
}

/// A running ticket, and its worker, for each run.
fn seed() -> Seed {
    let mut seed = serde_json::to_value(Seed::healthy_worker()).unwrap();
    let (running, healthy) = (seed["tickets"][0].clone(), seed["pods"][0].clone());
    for number in 0..MANY + 2 {
        let mut ticket = running.clone();
        ticket["ticket_id"] = json!(format!("ticket-5f0c1a3e-77d0-4a62-{number:012}"));
        seed["tickets"].as_array_mut().unwrap().push(ticket);
        let mut pod = healthy.clone();
        pod["name"] = json!(format!("worker-7c9f6d5b8-{number}"));
        pod["uid"] = json!(format!("9d1f{number:08}"));
        seed["pods"].as_array_mut().unwrap().push(pod);
    }
    serde_json::from_value(seed).unwrap()
}

/// The playbooks for tests of the stack, compiled as they are deployed.
fn library() -> Library {
    let out = tempfile::NamedTempFile::new().unwrap();
    let playbooks = root().join("tests/stack/playbooks");
    let compiled = Command::new(env!("CARGO_BIN_EXE_heal"))
        .args(["playbook", "compile"])
        .args([&playbooks])
        .arg("--out")
        .arg(out.path())
        .status();
    assert!(compiled.unwrap().success());
    Library::from_json(&std::fs::read_to_string(out.path()).unwrap()).unwrap()
}

async fn session(url: &str) -> Session {
    let keys = Keys {
        access_key_id: "test".to_owned(),
        secret_access_key: "test".to_owned(),
        session_token: None,
        expires_at: None,
    };
    let given = AwsOverrides { region: Some(REGION.to_owned()), keys: Some(keys), endpoint_url: Some(url.to_owned()) };
    Session::load(given).await.unwrap()
}

#[expect(clippy::disallowed_methods, reason = "the stand-in platform has the time of the machine")]
fn now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    Timestamp(u64::try_from(since.as_millis()).unwrap())
}

/// The table in docs/benchmarks.md names the promise that each of these units and requests keeps.
#[tokio::test(flavor = "multi_thread")]
async fn a_warm_run_of_four_steps_costs_what_the_documentation_says() {
    let engine = Engine::start().await;
    let cold = engine.runs(0..1).await;
    println!("cold: {cold:?}");
    let warm = engine.runs(1..2).await;
    println!("warm: {warm:?}, {} SQS requests", warm.sqs_requests());
    let many = engine.runs(2..2 + MANY).await;
    println!("{MANY} at once: {many:?}, {} SQS requests", many.sqs_requests());
    let ended = engine.store.list(&RunFilter::default(), 100, None).await.unwrap().runs;
    assert_eq!(ended.len() as u64, MANY + 2);
    assert!(ended.iter().all(|run| run.outcome == Some(RunOutcome::Completed)), "{ended:#?}");

    let written = [("CLAIM", 4), ("COOLDOWN", 2), ("DEDUPE", 2), ("LIVE", 2), ("REPEAT", 2), ("RUN", 7)];
    assert_eq!(warm.counts.written, written.map(|(row, units)| (row.to_owned(), units)).into());
    assert_eq!((warm.counts.write_units, warm.counts.half_read_units), (19, 12));
    assert_eq!((warm.invocations, warm.sqs_requests()), (9, 27));

    // Nothing contends in one process. The requests depend on how many messages are sent at the same moment.
    assert!(many.counts.write_units <= 19 * MANY, "{many:?}");
    assert!(many.sqs_requests() <= 7 * MANY, "{many:?}");
}
