//! `check_worker_health`: reads whether a worker's pod is healthy, for the conditions of later steps.
//!
//! A worker that no pod matches is not found, which is neither healthy nor unhealthy. If the API does not answer, the attempt is
//! `unavailable` and says nothing of the worker. The crate knows no claim and no queue; `heal_runtime::attempt` holds those. Start at [`CheckWorkerHealth`].

mod spec;

use std::sync::Arc;

use async_trait::async_trait;
use heal_clients::config::ENV_KUBERNETES_WORKER_SELECTOR;
use heal_clients::kubernetes::{self, PodHealth, WorkerSearch};
use heal_clients::port::{Manual, call_failed, context};
use heal_runtime::action::{Action, Admitted, Call, Facts, Performed, Target, log};
use heal_runtime::port::{Clock, PolicyResource};
use heal_runtime::{ActionSpec, AttemptResult, Map};
use serde::Deserialize;
use serde_json::Value;

pub use spec::{NAME, spec};

/// The guide's log event of a check.
const EVENT: &str = "playbook_executor.worker_health_checked";

/// The action over the Kubernetes API.
#[expect(missing_debug_implementations, reason = "a client and a clock: there is nothing to print")]
pub struct CheckWorkerHealth {
    kubernetes: Arc<kubernetes::Client>,
    clock: Arc<dyn Clock>,
    spec: ActionSpec,
}

/// What a playbook gives.
#[derive(Debug, Deserialize)]
pub struct Parameters {
    worker_id: String,
    #[serde(default)]
    namespace: Option<String>,
}

impl CheckWorkerHealth {
    /// `clock` is the one that the attempts' deadlines are set by.
    pub fn new(kubernetes: Arc<kubernetes::Client>, clock: Arc<dyn Clock>) -> Self {
        Self { kubernetes, clock, spec: spec() }
    }
}

#[async_trait]
impl Action for CheckWorkerHealth {
    type Parameters = Parameters;
    type Facts = ();

    fn spec(&self) -> &ActionSpec {
        &self.spec
    }

    fn targets(&self, _: &Call, parameters: &Parameters) -> Result<Vec<Target>, AttemptResult> {
        Ok(vec![Target::new(&parameters.worker_id, PolicyResource::default())])
    }

    async fn facts(&self, _: &Call, _: &Parameters, _: &Target) -> Result<Facts<()>, AttemptResult> {
        Ok(Facts::default())
    }

    async fn perform(&self, call: &Call, parameters: &Parameters, _: &[Admitted<()>]) -> Performed {
        let Parameters { worker_id, namespace } = parameters;
        let context = context(call, &*self.clock);
        match self.kubernetes.find_worker(worker_id, namespace.as_deref(), &context).await {
            Ok(WorkerSearch::Found(health)) => found(call, worker_id, health).into(),
            Ok(WorkerSearch::NotFound { namespace, selector }) => {
                not_found(call, worker_id, &namespace, selector.as_deref()).into()
            }
            Err(error) => call_failed(call, worker_id, &error, &manual(worker_id)).into(),
        }
    }
}

fn found(call: &Call, worker_id: &str, health: PodHealth) -> AttemptResult {
    let state = if health.healthy { "healthy" } else { "unhealthy" };
    let why = health.reason.as_ref().map_or_else(String::new, |reason| format!(", {reason}"));
    let what = format!("worker {worker_id:?} is {state}: pod {:?} is {}{why}", health.name, health.phase);
    log::done(call, EVENT, worker_id, &what);
    let worker_unhealthy = (!health.healthy).into();
    AttemptResult::succeeded(output([
        ("found", true.into()),
        ("healthy", health.healthy.into()),
        ("worker_unhealthy", worker_unhealthy),
        ("pod_name", health.name.into()),
        ("pod_uid", health.uid.into()),
        ("phase", health.phase.into()),
        ("reason", health.reason.into()),
        ("restarts", health.restarts.into()),
    ]))
}

/// No pod matches, which says nothing of the worker's health.
fn not_found(call: &Call, worker_id: &str, namespace: &str, selector: Option<&str>) -> AttemptResult {
    let label = match selector {
        Some(selector) => format!("and none has the label {selector}"),
        None => "and no label can have it as its value".to_owned(),
    };
    let what = format!(
        "worker {worker_id:?} was not found: no pod in namespace {namespace:?} has this name, {label} ({ENV_KUBERNETES_WORKER_SELECTOR})"
    );
    log::done(call, EVENT, worker_id, &what);
    let result = AttemptResult::succeeded(output([
        ("found", false.into()),
        ("healthy", false.into()),
        ("worker_unhealthy", false.into()),
        ("pod_name", Value::Null),
        ("pod_uid", Value::Null),
        ("phase", "Missing".into()),
        ("reason", "NotFound".into()),
        ("restarts", 0.into()),
    ]));
    result.warn(format!("{what}; nothing is known of its health")).follow_up(format!(
        "check worker {worker_id:?} by hand: no pod in namespace {namespace:?} has this name, {label}; \
         correct the worker's id, the namespace or {ENV_KUBERNETES_WORKER_SELECTOR} if it runs"
    ))
}

fn output(pairs: [(&str, Value); 8]) -> Map {
    pairs.map(|(name, value)| (name.to_owned(), value)).into_iter().collect()
}

fn manual(worker_id: &str) -> Manual {
    Manual::either_way(format!(
        "check worker {worker_id:?} by hand: whether its pod is healthy is not known, and what depends on it was not decided"
    ))
}
