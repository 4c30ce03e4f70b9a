//! `restart_pod`: deletes a pod and waits until its controller has a ready one again.
//!
//! The pod is deleted by its uid, so that a pod of the same name that came later is never meant. A pod that nobody would replace is left
//! alone. The crate knows no claim and no queue; `heal_runtime::attempt` holds those. Start at [`RestartPod`].

mod after;
mod spec;

use std::sync::Arc;

use async_trait::async_trait;
use heal_clients::kubernetes::{self, PodRef, Restart};
use heal_clients::port::{Manual, context, ended};
use heal_clients::{CallContext, Effect};
use heal_runtime::action::{Action, Call, Performed, Probe, Target};
use heal_runtime::port::{Clock, PolicyResource};
use heal_runtime::{ActionSpec, AttemptResult};
use serde::Deserialize;

use after::After;

pub use after::CLOCK_ERROR_MS;
pub use spec::{NAME, spec};

/// The action over the Kubernetes API.
#[expect(missing_debug_implementations, reason = "a client and a clock: there is nothing to print")]
pub struct RestartPod {
    kubernetes: Arc<kubernetes::Client>,
    clock: Arc<dyn Clock>,
    spec: ActionSpec,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Parameters {
    pub pod_name: String,
    #[serde(default)]
    pub namespace: Option<String>,
}

impl RestartPod {
    /// `clock` is the one that the attempts' deadlines are set by, and not far from the cluster's ([`CLOCK_ERROR_MS`]).
    pub fn new(kubernetes: Arc<kubernetes::Client>, clock: Arc<dyn Clock>) -> Self {
        Self { kubernetes, clock, spec: spec() }
    }

    async fn restart(&self, call: &Call, parameters: &Parameters, context: &CallContext) -> AttemptResult {
        let Parameters { pod_name, namespace } = parameters;
        match self.kubernetes.restart_pod(pod_name, namespace.as_deref(), context).await {
            Ok(Restart::Replaced { old, new }) => after::replaced(call, &old.name, &new.name),
            Ok(Restart::NotBack { old: PodRef { name, .. }, last_seen }) => {
                after::not_back(call, &name, last_seen.as_ref())
            }
            Err(error) if error.effect() == Effect::Unknown => match self.after(call, parameters, context).await {
                Ok(after) if after.is_over() => {
                    let lost = format!("the answer to the deletion of pod {pod_name:?} was lost, and the pod is gone");
                    self.outcome(call, parameters, context, after).await.warn(lost)
                }
                Ok(_) | Err(_) => ended(call, pod_name, &error, &manual(parameters)),
            },
            Err(error) => ended(call, pod_name, &error, &manual(parameters)),
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
        let parameters: Parameters = match call.typed() {
            Ok(parameters) => parameters,
            Err(result) => return result.into(),
        };
        self.restart(call, &parameters, &context(call, &*self.clock)).await.into()
    }

    /// The pod that the command meant is gone where there is none, or one that was made after the command: an earlier worker deleted it.
    async fn probe(&self, call: &Call, _: &[Target]) -> Probe {
        let parameters: Parameters = match call.typed() {
            Ok(parameters) => parameters,
            Err(_) => return Probe::NotDone,
        };
        let context = context(call, &*self.clock);
        match self.after(call, &parameters, &context).await {
            Ok(After::StillThere) => Probe::NotDone,
            Ok(after) => Probe::Done(Box::new(self.outcome(call, &parameters, &context, after).await)),
            Err(error) => Probe::Unclear(error.to_string()),
        }
    }
}

fn manual(parameters: &Parameters) -> Manual {
    let name = &parameters.pod_name;
    let namespace =
        parameters.namespace.as_ref().map_or_else(String::new, |namespace| format!(" in namespace {namespace:?}"));
    let act = format!(
        "restart pod {name:?}{namespace} by hand (kubectl delete pod), or run the playbook again when Kubernetes answers"
    );
    let look = format!("look whether pod {name:?}{namespace} was replaced and is ready; only where it was not, {act}");
    Manual { act, look }
}
