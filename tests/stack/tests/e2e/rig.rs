//! The test rig around the deployed engine.

use std::time::Duration;

use heal_aws::{Queues, Store};
use heal_engine::report::Report;
use heal_engine::{Event, Plan};
use heal_runtime::message::Inbound;
use heal_runtime::port::{Message, QueueName, RunFilter, RunHead, RunReader as _, Sender as _};
use heal_runtime::{Commit, RunStatus};
use heal_sandbox::{Call, Platform, PlatformConfig, Seed, opa::OpaConfig};
use heal_stack::Deployment;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};
use tokio::time::Instant;

/// The time limit for a run of a few steps: generous, because several tests share two cores.
pub(crate) const RUN_TIMEOUT: Duration = Duration::from_mins(4);
const POLL_INTERVAL: Duration = Duration::from_millis(150);

/// Tests without faults share the platform; a test that injects a fault has it alone.
static PLATFORM: RwLock<()> = RwLock::const_new(());

#[expect(dead_code, reason = "held as a guard, never read")]
pub(crate) enum Turn {
    Shared(RwLockReadGuard<'static, ()>),
    Alone(RwLockWriteGuard<'static, ()>),
}

pub(crate) struct Rig {
    pub deployment: &'static Deployment,
    pub store: Store,
    pub queues: Queues,
    _turn: Turn,
}

/// The topic of `tests/stack/notify.yaml`.
pub(crate) const TOPIC: &str = "arn:aws:sns:eu-central-1:000000000000:heal-e2e-people";

/// Parameters of the template. Breakers close after a second, so that a test that opens one does not delay the next.
pub(crate) const PARAMETERS: [(&str, &str); 7] = [
    ("ExecutionTicketCircuitBreakerResetSeconds", "1"),
    ("OrchestratorCircuitBreakerResetSeconds", "1"),
    // The tests send the ticks themselves.
    ("ScheduledChecksEnabled", "false"),
    ("ApiEnabled", "true"),
    ("ApiAuthorizer", "none"),
    ("NotifyEnabled", "true"),
    ("NotifyTopicArns", TOPIC),
];

fn config() -> PlatformConfig {
    let policy = Some(heal_clients::policy::BUNDLED_POLICY.to_owned());
    PlatformConfig { seed: seed(), opa: OpaConfig { policy, ..OpaConfig::default() }, ..PlatformConfig::default() }
}

/// The default seed, plus tickets and workflows for the tests.
fn seed() -> Seed {
    let base = serde_json::to_value(Seed::unhealthy_worker()).unwrap();
    let mut seed = base.clone();
    let overdue = base["tickets"][0].clone();
    let tickets = seed["tickets"].as_array_mut().unwrap();
    for group in ["check", "batch", "load", "twice", "down", "dies", "poison", "shadow", "brake", "alert"] {
        for number in 0..TICKETS_PER_GROUP {
            let mut ticket = overdue.clone();
            ticket["ticket_id"] = json!(format!("{group}-{number}"));
            tickets.push(ticket);
        }
    }
    // Only one ticket is overdue: the scheduled check finds it.
    for ticket in tickets.iter_mut().filter(|ticket| ticket["ticket_id"] != "check-0") {
        ticket["sla"] = json!({"timeout_ms": 86_400_000});
        ticket["started_at"] = json!(null);
    }
    for worker in 0..STORM_PODS {
        let mut pod = base["pods"].as_array().unwrap().iter().find(|pod| pod["name"] == "worker-1").unwrap().clone();
        pod["name"] = json!(format!("sick-{worker}"));
        pod["owner"]["name"] = json!("sick");
        seed["pods"].as_array_mut().unwrap().push(pod);
    }
    let workflow = base["workflows"][0].clone();
    for id in ["wf-waits", "wf-cancels", "wf-dead", "wf-halts", "wf-asks", "wf-console", "wf-told"] {
        let mut workflow = workflow.clone();
        workflow["workflow_id"] = json!(id);
        workflow["state"] = json!("RUNNING");
        seed["workflows"].as_array_mut().unwrap().push(workflow);
    }
    serde_json::from_value(seed).unwrap()
}

pub(crate) const TICKETS_PER_GROUP: usize = 220;
/// Unhealthy workers for the test of a storm: more than the threshold of `tests/stack/guardrails.yaml`.
pub(crate) const STORM_PODS: usize = 12;

impl Rig {
    pub(crate) async fn shared() -> Self {
        Self::new(Turn::Shared(PLATFORM.read().await)).await
    }

    pub(crate) async fn alone() -> Self {
        Self::new(Turn::Alone(PLATFORM.write().await)).await
    }

    async fn new(turn: Turn) -> Self {
        Self::on(tokio::task::spawn_blocking(|| Deployment::shared(config, &PARAMETERS)).await.unwrap(), turn).await
    }

    pub(crate) async fn on(deployment: &'static Deployment, turn: Turn) -> Self {
        Self { deployment, store: deployment.store().await, queues: deployment.queues().await, _turn: turn }
    }

    pub(crate) fn platform(&self) -> &Platform {
        &self.deployment.platform
    }

    /// Sends messages to the incidents queue.
    pub(crate) async fn send(&self, bodies: impl IntoIterator<Item = String>) {
        self.send_to(&QueueName::Incidents, bodies).await;
    }

    pub(crate) async fn send_to(&self, queue: &QueueName, bodies: impl IntoIterator<Item = String>) {
        let message = |body| Message { queue: queue.clone(), body, delay_ms: 0, traceparent: None };
        self.queues.send(bodies.into_iter().map(message).collect()).await.unwrap();
    }

    /// Sets how long a received message of the action's queue is hidden.
    pub(crate) async fn set_visibility(&self, action: &str, seconds: u32) {
        let url = self.queues.urls().url_of(&QueueName::Action(action.to_owned()));
        let body = json!({"QueueUrl": url, "Attributes": {"VisibilityTimeout": seconds.to_string()}});
        heal_stack::table::call(&self.deployment.stack, "AmazonSQS.SetQueueAttributes", &body).await;
    }

    pub(crate) async fn tell(&self, inbound: Inbound) {
        self.send_to(&QueueName::Results, [inbound.to_body()]).await;
    }

    /// All runs of these incidents.
    pub(crate) async fn runs_of(&self, incident_id: &str) -> Vec<RunHead> {
        let mut found = Vec::new();
        let mut cursor = None;
        loop {
            let filter = RunFilter { incident_id: Some(incident_id.to_owned()), ..RunFilter::default() };
            let page = self.store.list(&filter, 500, cursor.as_deref()).await.unwrap();
            found.extend(page.runs);
            cursor = page.next;
            if cursor.is_none() {
                return found;
            }
        }
    }

    /// Waits until the one run of the incident satisfies `wanted`.
    pub(crate) async fn wait(&self, incident_id: &str, wanted: impl Fn(&RunHead) -> bool) -> RunHead {
        let mut last = Vec::new();
        let started = Instant::now();
        while started.elapsed() < RUN_TIMEOUT {
            last = self.runs_of(incident_id).await;
            if let [head] = last.as_slice()
                && wanted(head)
            {
                return head.clone();
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
        let log = self.deployment.log();
        let tail = log.lines().rev().take(60).collect::<Vec<_>>().into_iter().rev().collect::<Vec<_>>().join("\n");
        panic!(
            "the run of incident {incident_id} did not reach the expected state within {} s: {last:#?}\n{tail}",
            RUN_TIMEOUT.as_secs()
        );
    }

    pub(crate) async fn ended(&self, incident_id: &str) -> RunHead {
        self.wait(incident_id, |head| head.status.is_terminal()).await
    }

    pub(crate) async fn completed(&self, incident_id: &str) -> RunHead {
        let head = self.ended(incident_id).await;
        let log = self.log(&head).await;
        assert_eq!(head.status, RunStatus::Completed, "{head:#?}\n{log:#?}");
        head
    }

    pub(crate) async fn log(&self, head: &RunHead) -> Vec<Commit> {
        self.store.load(&head.run_id, 0).await.unwrap()
    }

    /// The report of the run.
    pub(crate) async fn report(&self, head: &RunHead) -> Report {
        let commits = self.log(head).await;
        let Event::RunStarted(started) = &commits[0].events[0] else { panic!("{head:#?} was rejected") };
        let plan = self.store.plan(&started.plan_digest).await.unwrap().unwrap();
        let plan = Plan::parse(&started.plan_digest, &plan).unwrap();
        heal_engine::report::report(Some(&plan), &head.run_id, &commits).unwrap()
    }

    /// The calls that changed `target`.
    pub(crate) fn effects(&self, target: &str) -> Vec<Call> {
        self.platform().effects().into_iter().filter(|call| call.target == target).collect()
    }

    /// The configuration of a function.
    pub(crate) async fn configuration(&self, function: &str) -> Value {
        let path = format!("{function}/configuration");
        heal_stack::table::lambda(&self.deployment.stack, Method::GET, &path, &Value::Null).await
    }

    /// Sets the variables of a function, which restarts its processes.
    pub(crate) async fn configure(&self, function: &str, variables: &Value) {
        let path = format!("{function}/configuration");
        let body = json!({"Environment": {"Variables": variables}});
        heal_stack::table::lambda(&self.deployment.stack, Method::PUT, &path, &body).await;
    }

    /// Sends one tick of the schedule and returns the reply of the function.
    pub(crate) async fn tick(&self) -> Value {
        let path = format!("{}-scheduled-checks/invocations", heal_stack::STACK);
        heal_stack::table::lambda(&self.deployment.stack, Method::POST, &path, &json!({"source": "aws.events"})).await
    }

    /// Calls an operation of the local AWS.
    pub(crate) async fn aws(&self, target: &str, body: &Value) -> Value {
        heal_stack::table::call(&self.deployment.stack, target, body).await
    }
}

/// Waits until `holds` returns true; panics with `what` after the time limit.
pub(crate) async fn until<F: Future<Output = bool>>(what: &str, holds: impl Fn() -> F) {
    let started = Instant::now();
    while !holds().await {
        assert!(started.elapsed() < RUN_TIMEOUT, "not true within {} s: {what}", RUN_TIMEOUT.as_secs());
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

/// The body of an incident with additional fields.
pub(crate) fn incident(incident_id: &str, incident_type: &str, more: Value) -> String {
    let Value::Object(mut incident) = more else { panic!("the fields of {incident_id} are not an object") };
    incident
        .extend([("incident_id".to_owned(), incident_id.into()), ("incident_type".to_owned(), incident_type.into())]);
    Value::Object(incident).to_string()
}
