//! A stack in parts: table and queues on a local AWS, and the dispatcher in this process.

use std::collections::BTreeMap;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use heal_aws::queue::dead::Unworkable;
use heal_aws::{Queues, Store};
use heal_engine::catalog::Catalog;
use heal_runtime::dispatcher::{self, Dispatcher};
use heal_runtime::inbox::{DeliveryOutcome, Inbox, Settled};
use heal_runtime::library::Library;
use heal_runtime::port::{Delivery, OsEntropy, QueueName, SystemClock};
use heal_stack::{MiniStack, REGION, table};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::task::JoinHandle;

use crate::support::{Ran, command, finish};

/// The actions of this build, each with its queue.
const ACTIONS: [&str; 8] = [
    "check_worker_health",
    "get_workflow_status",
    "pause_workflow",
    "reallocate_ticket",
    "restart_pod",
    "restart_workflow",
    "trigger_replanning",
    "update_ticket_status",
];

/// Playbooks without actions, which only wait.
const PLAYBOOKS: [(&str, &str); 3] = [
    ("short", "triggers: [{incident_type: SHORT}]\nactions: [{type: wait, parameters: {seconds: 1}}]\n"),
    ("long", "triggers: [{incident_type: LONG}]\nactions: [{type: wait, parameters: {seconds: 250}}]\n"),
    (
        "shared",
        "triggers: [{incident_type: SHARED}]\nconcurrency_key: one\nactions: [{type: wait, parameters: {seconds: 6}}]\n",
    ),
];

#[derive(Debug, Clone)]
pub(crate) struct Deployed {
    pub name: String,
    pub store: Store,
    pub queues: Queues,
    inbox: Inbox,
}

/// A dispatcher that processes the queues; it ends when this is dropped.
#[derive(Debug)]
pub(crate) struct AtWork(JoinHandle<()>);

impl Drop for AtWork {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Deployed {
    pub(crate) async fn new() -> Self {
        let ministack = MiniStack::shared();
        let name = table::unique("heal");
        let work = ["incidents", "results"].map(ToOwned::to_owned).into_iter();
        let work = work.chain(ACTIONS.iter().map(|action| format!("action-{action}")));
        let all = work.flat_map(|queue| [format!("{queue}-dead"), queue]).chain(["dead".to_owned()]);
        for queue in all {
            table::call(ministack, "AmazonSQS.CreateQueue", &json!({"QueueName": format!("{name}-{queue}")})).await;
        }
        let store = table::named(ministack, &format!("{name}-runs")).await;
        let queues = Queues::of_stack(&table::session(ministack).await, &name).await.unwrap();
        let inbox = Inbox::new(dispatcher(&store, &queues));
        Self { name, store, queues, inbox }
    }

    /// Variables that point at the local AWS, without a stack.
    pub(crate) fn aws() -> BTreeMap<&'static str, String> {
        BTreeMap::from([
            ("AWS_ENDPOINT_URL", MiniStack::shared().endpoint_url.clone()),
            ("AWS_REGION", REGION.to_owned()),
            ("AWS_ACCESS_KEY_ID", "test".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "test".to_owned()),
        ])
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = command(args);
        command.envs(Self::aws()).env("HEAL_STACK", &self.name);
        command
    }

    /// `heal` on this stack.
    pub(crate) fn heal(&self, args: &[&str]) -> Ran {
        finish(&mut self.command(args))
    }

    /// The folder of a `make stack` that started this one.
    pub(crate) fn folder(&self) -> TempDir {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join(".heal/stack")).unwrap();
        let mut lines: Vec<_> = Self::aws().iter().map(|(key, value)| format!("{key}={value}")).collect();
        lines.push(format!("HEAL_STACK={}\n", self.name));
        std::fs::write(folder.path().join(".heal/stack/env"), lines.join("\n")).unwrap();
        folder
    }

    /// Puts an incident on the queue, lets the dispatcher process it, and returns the run's id.
    pub(crate) async fn run_of(&self, incident: &Value) -> String {
        let accepted = self.inbox.dispatcher().accept(&incident.to_string(), "message", None).await.unwrap();
        match accepted {
            dispatcher::IntakeOutcome::Started { run_id, .. } => run_id.to_string(),
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn at_work(&self) -> AtWork {
        let deployed = self.clone();
        AtWork(tokio::spawn(async move {
            loop {
                deployed.turn().await;
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }))
    }

    async fn turn(&self) {
        for queue in [QueueName::Incidents, QueueName::Results] {
            let deliveries = self.receive(&queue).await;
            for Settled { delivery, outcome } in self.inbox.take(&queue, deliveries).await {
                if let DeliveryOutcome::DeadLetter { reason } = &outcome {
                    self.park(&queue, &delivery.message_id, &delivery.body, reason).await;
                }
                if !matches!(outcome, DeliveryOutcome::Retry { .. }) {
                    let gone =
                        json!({"QueueUrl": self.queues.urls().url_of(&queue), "ReceiptHandle": delivery.receipt});
                    table::call(MiniStack::shared(), "AmazonSQS.DeleteMessage", &gone).await;
                }
            }
        }
    }

    /// The messages on a queue, which are hidden for 30 s then.
    pub(crate) async fn receive(&self, queue: &QueueName) -> Vec<Delivery> {
        let receive = json!({"QueueUrl": self.queues.urls().url_of(queue), "MaxNumberOfMessages": 10});
        let answer = table::call(MiniStack::shared(), "AmazonSQS.ReceiveMessage", &receive).await;
        let messages = answer["Messages"].as_array().cloned().unwrap_or_default();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let delivery = |message: &Value| Delivery {
            receipt: text(&message["ReceiptHandle"]),
            message_id: text(&message["MessageId"]),
            body: text(&message["Body"]),
            receive_count: 1,
            traceparent: None,
            sender: None,
        };
        messages.iter().map(delivery).collect()
    }

    pub(crate) async fn park(&self, queue: &QueueName, message_id: &str, body: &str, reason: &str) {
        let message = Unworkable { queue, message_id, body, receive_count: 5, traceparent: None, reason };
        self.queues.park(&message).await.unwrap();
    }

    pub(crate) async fn depth(&self, queue: &QueueName) -> u64 {
        self.queues.depth(&self.queues.urls().url_of(queue)).await.unwrap()
    }
}

fn dispatcher(store: &Store, queues: &Queues) -> Dispatcher {
    let playbook = |(name, text): (&str, &str)| {
        let reading = heal_language::playbook::read(name, text, &Catalog::default());
        reading.playbook.unwrap_or_else(|| panic!("{:?}", reading.diagnostics))
    };
    let ports = dispatcher::Ports {
        runs: Arc::new(store.clone()),
        halts: Arc::new(heal_runtime::halts::HaltCache::new(Arc::new(store.clone()))),
        sender: Arc::new(queues.clone()),
        clock: Arc::new(SystemClock),
        entropy: Arc::new(OsEntropy),
        guardrails: Arc::default(),
    };
    Dispatcher::new(ports, Arc::new(Library::new(PLAYBOOKS.map(playbook)).unwrap()))
}
