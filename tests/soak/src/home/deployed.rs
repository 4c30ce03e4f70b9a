//! The template on a local AWS of its own, whose functions are killed in the midst of their work.

mod front;
mod process;
mod rows;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use heal_aws::{Queues, Store};
use heal_runtime::port::{Clock as _, DueRuns as _, Message, QueueName, RunReader as _, Sender as _, SystemClock};
use heal_sandbox::Platform;
use heal_stack::proxy::Proxy;
use heal_stack::{Contents, Deployment, REGION, STACK, table};
use serde_json::{Value, json};
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::{LATER_MS, Rest};
use crate::random::Random;
pub(crate) use front::{Front, Service, Trouble};
use front::{Moment, Order, Victim};

/// How long a function may take until it makes a request. A halted engine makes few.
const KILL_PATIENCE: Duration = Duration::from_secs(30);
/// Longest time from a request's answer to a kill.
const AFTER_MS: u64 = 400;
/// What MiniStack logs about a process that ended before it had answered.
const CUT_SHORT: &str = ": Runtime exited before returning a response";
/// Invocations at a time of each function: more would only take the processor from each other.
const AT_ONCE: &str = "3";
const FUNCTIONS: [&str; 9] = [
    "Dispatcher",
    "CheckWorkerHealth",
    "GetWorkflowStatus",
    "PauseWorkflow",
    "ReallocateTicket",
    "RestartPod",
    "RestartWorkflow",
    "TriggerReplanning",
    "UpdateTicketStatus",
];

pub(crate) struct Deployed {
    folder: PathBuf,
    deployment: Deployment,
    pub store: Store,
    pub queues: Queues,
    /// The URLs of the queues that have to be empty at the end.
    work: Vec<String>,
    pub front: Arc<Front>,
}

impl Deployed {
    /// Deploys the template over `platform`. Its evidence is kept in the empty folder `folder`.
    pub(crate) async fn start(folder: PathBuf, platform: Arc<Platform>, seed: u64) -> anyhow::Result<Self> {
        println!("deploying the template on a local AWS");
        let own = Path::new(env!("CARGO_MANIFEST_DIR"));
        let checks = folder.join("checks");
        fs::create_dir_all(&checks).with_context(|| format!("failed to create {}", checks.display()))?;
        let contents = Contents {
            playbooks: own.join("playbooks"),
            guardrails: own.join("guardrails.yaml"),
            checks,
            notify: None,
        };
        let front = Arc::new(Front::new(seed));
        let proxy = Proxy::start(Arc::clone(&front));
        let url = proxy.url.clone();
        let deploy = move || {
            let concurrency = FUNCTIONS.map(|function| format!("{function}MaximumConcurrency"));
            let mut parameters: Vec<_> = concurrency.iter().map(|name| (name.as_str(), AT_ONCE)).collect();
            parameters.push(("LogLevel", "warn"));
            Deployment::over(platform, contents, &parameters, &[("AWS_ENDPOINT_URL", &url)])
        };
        let deployment = tokio::task::spawn_blocking(deploy).await.context("the template was not deployed")?;
        proxy.forward_to(&deployment.stack.endpoint_url);
        let (store, queues) = (deployment.store().await, deployment.queues().await);
        let work = work_queues(&deployment, &queues).await;
        Ok(Self { folder, deployment, store, queues, work, front })
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(super) fn options() -> [String; 2] {
        ["--stack".to_owned(), STACK.to_owned()]
    }

    pub(super) fn env(&self) -> [(&'static str, String); 4] {
        let key = || "test".to_owned();
        [
            ("AWS_ENDPOINT_URL", self.deployment.stack.endpoint_url.clone()),
            ("AWS_REGION", REGION.to_owned()),
            ("AWS_ACCESS_KEY_ID", key()),
            ("AWS_SECRET_ACCESS_KEY", key()),
        ]
    }

    pub(super) async fn accepts(&self, incident: &Value) -> bool {
        let body = incident.to_string();
        let message = Message { queue: QueueName::Incidents, body, delay_ms: 0, traceparent: None };
        self.queues.send(vec![message]).await.is_ok()
    }

    /// Kills a function amid a request to AWS or soon after it. False if none made one.
    pub(super) async fn kill(&self, random: &mut Random) -> bool {
        let victim = if random.percent(50) { Victim::Dispatcher } else { Victim::Other };
        let moment = match random.below(4) {
            0 => Moment::Before,
            1 => Moment::Between,
            _ => Moment::After { ms: random.below(AFTER_MS) },
        };
        let (done, is_done) = oneshot::channel();
        self.front.order(Some(Order { victim, moment, done }));
        let is_killed = timeout(KILL_PATIENCE, is_done).await.is_ok_and(|killed| killed.is_ok());
        self.front.order(None);
        is_killed
    }

    /// Messages on the queues of work and on their dead-letter queues, which are the dispatcher's work too.
    pub(super) async fn rest(&self) -> anyhow::Result<Rest> {
        let mut queued = 0;
        for url in &self.work {
            queued += self.queues.depth(url).await?;
        }
        Ok(Rest { queued, findings: Vec::new() })
    }

    /// What the functions met, for people.
    pub(super) fn told(&self) -> String {
        let cut_short = self.deployment.log().matches(CUT_SHORT).count();
        format!("{}; {cut_short} invocations ended by a kill", self.front.counts())
    }

    /// Collects everything as the scheduled checks would, and as DynamoDB's expiry would.
    pub(super) async fn collect(&self) -> anyhow::Result<Vec<String>> {
        let later = SystemClock.now().plus_ms(LATER_MS);
        let (before, _) = rows::count(&self.deployment.stack, &self.store, later).await;
        // The sweep removes live rows whose run was never stored.
        self.store.due(later, 1).await.context("failed to sweep the live rows")?;
        while self.store.collect_garbage(later).await.context("failed to collect ended runs")? > 0 {}
        let (_, staying) = rows::count(&self.deployment.stack, &self.store, later).await;
        println!("collected     rows before: {}; after: {}", told(&before), told(&staying));
        Ok(rows::findings(&staying))
    }

    /// Writes the log of MiniStack, which has those of the functions, and every run's log. They end with this process otherwise.
    pub(super) async fn keep_evidence(&self) -> anyhow::Result<()> {
        fs::copy(&self.deployment.stack.log, self.folder.join("ministack.log"))?;
        let mut text = String::new();
        for head in crate::reading::heads(&self.store).await? {
            for commit in self.store.load(&head.run_id, 0).await? {
                text.push_str(&format!("{} {commit:?}\n", head.run_id));
            }
        }
        fs::write(self.folder.join("runs.log"), text)?;
        Ok(())
    }
}

/// The queues of the stack but the one where messages are parked.
async fn work_queues(deployment: &Deployment, queues: &Queues) -> Vec<String> {
    let asked = json!({"QueueNamePrefix": format!("{STACK}-")});
    let listed = table::call(&deployment.stack, "AmazonSQS.ListQueues", &asked).await;
    let names = listed.get("QueueUrls").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    let names = names.filter_map(|url| url.rsplit('/').next()?.strip_prefix(STACK)?.strip_prefix('-'));
    let prefix = queues.urls().prefix();
    names.filter(|name| *name != "dead").map(|name| format!("{prefix}{name}")).collect()
}

fn told(rows: &rows::Rows) -> String {
    rows.iter().map(|(kind, rows)| format!("{rows} {kind}")).collect::<Vec<_>>().join(", ")
}
