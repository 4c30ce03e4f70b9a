//! `check_worker_health`: reads whether a worker's pod is healthy, for the conditions of later steps.
//!
//! A missing pod is unhealthy. If the API does not answer, the attempt is `unavailable` and says nothing of the worker, least of all that it
//! is healthy. The crate knows no claim and no queue; `heal_runtime::attempt` holds those. Start at [`CheckWorkerHealth`].

mod spec;

use std::sync::Arc;

use async_trait::async_trait;
use heal_clients::kubernetes::{self, PodHealth};
use heal_clients::port::{Manual, call_failed, context};
use heal_runtime::action::{Action, Admitted, Call, Facts, Performed, Target, log};
use heal_runtime::port::{Clock, PolicyResource};
use heal_runtime::{ActionSpec, AttemptResult, Map};
use serde::Deserialize;
use serde_json::Value;

pub use spec::{NAME, spec};

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
        match self.kubernetes.pod_health(worker_id, namespace.as_deref(), &context).await {
            Ok(health) => {
                let PodHealth { phase, reason, .. } = &health;
                let state = if health.healthy { "healthy" } else { "unhealthy" };
                let why = reason.as_ref().map_or_else(String::new, |reason| format!(", {reason}"));
                let what = format!("worker {worker_id:?} is {state}: {phase}{why}");
                log::done(call, "playbook_executor.worker_health_checked", worker_id, &what);
                AttemptResult::succeeded(output(health)).into()
            }
            Err(error) => call_failed(call, worker_id, &error, &manual(worker_id)).into(),
        }
    }
}

fn output(health: PodHealth) -> Map {
    let pairs: [(&str, Value); 5] = [
        ("healthy", health.healthy.into()),
        ("worker_unhealthy", (!health.healthy).into()),
        ("phase", health.phase.into()),
        ("reason", health.reason.into()),
        ("restarts", health.restarts.into()),
    ];
    pairs.map(|(name, value)| (name.to_owned(), value)).into_iter().collect()
}

fn manual(worker_id: &str) -> Manual {
    Manual::either_way(format!(
        "check worker {worker_id:?} by hand: whether its pod is healthy is not known, and what depends on it was not decided"
    ))
}
