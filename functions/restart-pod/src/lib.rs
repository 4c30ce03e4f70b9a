//! `restart_pod`: deletes a pod, so that its controller puts another in its place, and waits until that one is ready.
//!
//! The pod is deleted with its uid as precondition: what is deleted is the pod that was looked at, and never a later one of its name.

use std::sync::Arc;

use async_trait::async_trait;
use clients::kubernetes::{self, PodHealth, Restart};
use clients::port::{Manual, context, ended};
use clients::{Effect, Error};
use runtime::action::{Action, Call, Performed, Probe, Target, log};
use runtime::port::{Clock, PolicyResource};
use runtime::{ActionSpec, AttemptResult, Ending, Map, OutputType, Safety};
use serde::Deserialize;
use serde_json::json;

pub const NAME: &str = "restart_pod";

/// The action's description.
pub fn spec() -> ActionSpec {
    ActionSpec {
        name: NAME,
        description: "Deletes a pod and waits until its controller has a ready one in its place.",
        parameters: json!({
            "type": "object",
            "additionalProperties": false,
            "properties": {
                "pod_name": {"type": "string", "minLength": 1, "description": "The pod."},
                "namespace": {
                    "type": "string",
                    "minLength": 1,
                    "description": "The pod's namespace; without it the incident's, then that of the configuration.",
                },
            },
            "required": ["pod_name"],
        }),
        outputs: &[("restarted", OutputType::Boolean), ("replacement_pod", OutputType::Any)],
        safety: Safety::Probe,
        inherits: &["namespace"],
        default_timeout_seconds: 90,
        critical: false,
    }
}

/// The action over the Kubernetes API.
#[expect(missing_debug_implementations, reason = "a client and a clock: there is nothing to print")]
pub struct RestartPod {
    kubernetes: Arc<kubernetes::Client>,
    clock: Arc<dyn Clock>,
    spec: ActionSpec,
}

#[derive(Deserialize)]
struct Parameters {
    pod_name: String,
    namespace: Option<String>,
}

impl RestartPod {
    /// `clock` is the one that the attempts' deadlines are set by.
    pub fn new(kubernetes: Arc<kubernetes::Client>, clock: Arc<dyn Clock>) -> Self {
        Self { kubernetes, clock, spec: spec() }
    }

    async fn restart(&self, call: &Call) -> Result<AttemptResult, Performed> {
        let Parameters { pod_name, namespace } = call.typed().map_err(Performed::from)?;
        let context = context(call, &*self.clock);
        let restart = self.kubernetes.restart_pod(&pod_name, namespace.as_deref(), &context).await;
        match restart.map_err(|error| not_restarted(call, &pod_name, &error))? {
            Restart::Replaced { new, .. } => {
                let what = format!("pod {} is ready in its place", new.name);
                log::done(call, "playbook_executor.pod_restarted", &pod_name, &what);
                Ok(AttemptResult::succeeded(output(Some(&new.name))))
            }
            Restart::NotBack { last_seen, .. } => Err(not_back(call, &pod_name, last_seen.as_ref()).into()),
        }
    }
}

#[async_trait]
impl Action for RestartPod {
    fn spec(&self) -> &ActionSpec {
        &self.spec
    }

    fn targets(&self, call: &Call) -> Result<Vec<Target>, AttemptResult> {
        let Parameters { pod_name, .. } = call.typed()?;
        Ok(vec![Target { id: pod_name, resource: PolicyResource::default(), cooldown: None }])
    }

    async fn perform(&self, call: &Call, _: &[Target]) -> Performed {
        self.restart(call).await.map_or_else(|ended| ended, Performed::from)
    }

    /// The pod itself tells: it is gone, or it is younger than the command, so it is the one that came in its place.
    async fn probe(&self, call: &Call, _: &[Target]) -> Probe {
        let Ok(Parameters { pod_name, namespace }) = call.typed() else { return Probe::NotDone };
        let context = context(call, &*self.clock);
        match self.kubernetes.pod_health(&pod_name, namespace.as_deref(), &context).await {
            Err(error) => Probe::Unclear(error.to_string()),
            Ok(health) => seen(call, &pod_name, &health),
        }
    }
}

fn seen(call: &Call, pod_name: &str, health: &PodHealth) -> Probe {
    let Some(created_at_ms) = health.created_at_ms else {
        return Probe::Done(Box::new(AttemptResult::succeeded(output(None))));
    };
    // The API's clock counts whole seconds.
    if created_at_ms / 1_000 < call.command.issued_at.0 / 1_000 {
        return Probe::NotDone;
    }
    let result = AttemptResult::succeeded(output(Some(pod_name)));
    Probe::Done(Box::new(match &health.reason {
        None => result,
        Some(reason) => result.warn(format!("the pod in its place is not ready yet: {reason}")),
    }))
}

fn not_restarted(call: &Call, pod_name: &str, error: &Error) -> Performed {
    let act = format!(
        "delete pod {pod_name:?} by hand (`kubectl delete pod {pod_name}`), so that its controller replaces it"
    );
    let look =
        format!("look whether pod {pod_name:?} was replaced (`kubectl get pod {pod_name}`); where it was not, {act}");
    let untouched = if error.effect() == Effect::NotApplied { vec![pod_name.to_owned()] } else { Vec::new() };
    Performed { result: ended(call, pod_name, error, &Manual { act, look }), untouched }
}

fn not_back(call: &Call, pod_name: &str, last_seen: Option<&PodHealth>) -> AttemptResult {
    let state = match last_seen {
        None => "no other pod of its controller has appeared".to_owned(),
        Some(health) => {
            format!("the pod in its place is {} ({})", health.phase, health.reason.as_deref().unwrap_or("not ready"))
        }
    };
    let seconds = call.deadline.since_ms(call.started_at) / 1_000;
    let message = format!("pod {pod_name:?} was deleted, and after {seconds} s {state}");
    let follow_up = format!("see why the pod that replaces {pod_name:?} does not become ready: {state}");
    log::failed(call, "playbook_executor.restart_pod_failed", pod_name, &message, Some(&follow_up));
    AttemptResult::new(Ending::TimedOut { message }).follow_up(follow_up)
}

fn output(replacement: Option<&str>) -> Map {
    let fields = [("restarted", json!(true)), ("replacement_pod", json!(replacement))];
    fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}
