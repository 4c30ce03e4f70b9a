//! `check_worker_health`: looks whether a worker's pod is well. It changes nothing.
//!
//! A pod that is missing is unhealthy; an API that does not answer says nothing, and never that the worker is well.

use std::sync::Arc;

use async_trait::async_trait;
use clients::kubernetes::{self, PodHealth};
use clients::port::{Manual, context, ended};
use runtime::action::{Action, Call, Performed, Target, log};
use runtime::port::{Clock, PolicyResource};
use runtime::{ActionSpec, AttemptResult, Map, OutputType, Safety};
use serde::Deserialize;
use serde_json::json;

pub const NAME: &str = "check_worker_health";

/// The action's description.
pub fn spec() -> ActionSpec {
    ActionSpec {
        name: NAME,
        description: "Looks whether a worker's pod is running and ready.",
        parameters: json!({
            "type": "object",
            "additionalProperties": false,
            "properties": {
                "worker_id": {"type": "string", "minLength": 1, "description": "The worker, which is the name of its pod."},
                "namespace": {
                    "type": "string",
                    "minLength": 1,
                    "description": "The pod's namespace; without it the incident's, then that of the configuration.",
                },
            },
            "required": ["worker_id"],
        }),
        outputs: &[
            ("healthy", OutputType::Boolean),
            ("worker_unhealthy", OutputType::Boolean),
            ("phase", OutputType::String),
            ("reason", OutputType::Any),
            ("restarts", OutputType::Integer),
        ],
        safety: Safety::Idempotent,
        inherits: &["namespace"],
        default_timeout_seconds: 30,
        critical: false,
    }
}

/// The action over the Kubernetes API.
#[expect(missing_debug_implementations, reason = "a client and a clock: there is nothing to print")]
pub struct CheckWorkerHealth {
    kubernetes: Arc<kubernetes::Client>,
    clock: Arc<dyn Clock>,
    spec: ActionSpec,
}

#[derive(Deserialize)]
struct Parameters {
    worker_id: String,
    namespace: Option<String>,
}

impl CheckWorkerHealth {
    /// `clock` is the one that the attempts' deadlines are set by.
    pub fn new(kubernetes: Arc<kubernetes::Client>, clock: Arc<dyn Clock>) -> Self {
        Self { kubernetes, clock, spec: spec() }
    }

    async fn look(&self, call: &Call) -> Result<AttemptResult, AttemptResult> {
        let Parameters { worker_id, namespace } = call.typed()?;
        let health = self.kubernetes.pod_health(&worker_id, namespace.as_deref(), &context(call, &*self.clock)).await;
        let health = health.map_err(|error| {
            let look = format!("look whether worker {worker_id:?} is well (`kubectl get pod {worker_id}`)");
            ended(call, &worker_id, &error, &Manual { act: look.clone(), look })
        })?;
        let what = match &health.reason {
            None => "the worker is well".to_owned(),
            Some(reason) => format!("the worker is not well: {reason}"),
        };
        log::done(call, "playbook_executor.worker_health_checked", &worker_id, &what);
        Ok(AttemptResult::succeeded(output(&health)))
    }
}

#[async_trait]
impl Action for CheckWorkerHealth {
    fn spec(&self) -> &ActionSpec {
        &self.spec
    }

    fn targets(&self, call: &Call) -> Result<Vec<Target>, AttemptResult> {
        let Parameters { worker_id, .. } = call.typed()?;
        Ok(vec![Target { id: worker_id, resource: PolicyResource::default(), cooldown: None }])
    }

    async fn perform(&self, call: &Call, _: &[Target]) -> Performed {
        self.look(call).await.unwrap_or_else(|ended| ended).into()
    }
}

fn output(health: &PodHealth) -> Map {
    let fields = [
        ("healthy", json!(health.healthy)),
        ("worker_unhealthy", json!(!health.healthy)),
        ("phase", json!(health.phase)),
        ("reason", json!(health.reason)),
        ("restarts", json!(health.restarts)),
    ];
    fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}
